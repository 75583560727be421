from __future__ import annotations

import re
from pathlib import Path

import pytest

from kpt_tools.annotations.codes import CODES, finding


def test_every_code_is_raised_somewhere(repository: Path) -> None:
    sources = [p for p in (repository / "kpt_tools").rglob("*.py") if p.name != "codes.py"]
    assert len(sources) > 10
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert [code for code in CODES if f'"{code}"' not in text] == []


def test_every_code_is_explained_in_the_documents(repository: Path) -> None:
    text = (repository / "docs" / "check.md").read_text(encoding="utf-8")
    rows = {code: severity for code, severity in re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \|", text, re.MULTILINE)}
    assert rows == {code: entry.severity for code, entry in CODES.items()}


def test_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError, match="no-such-code"):
        finding("no-such-code", "text")
