from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.annotations.code_texts_annotations import ANNOTATION_TEXTS
from kpt_tools.annotations.code_texts_exchange import EXCHANGE_TEXTS
from kpt_tools.annotations.code_texts_images import IMAGE_TEXTS
from kpt_tools.annotations.codes import CODES, FindingCode, finding, ranked_codes, repair_command
from kpt_tools.entities import Report


def documented(code: str, entry: FindingCode) -> str:
    repair = {"safe": "safe", "choice": "on request", "": ""}[entry.repair]
    return f"| `{code}` | {entry.severity} | {entry.meaning} | {entry.consequence} | {entry.advice} | {repair} |"


def test_every_code_is_raised_somewhere(repository: Path) -> None:
    sources = [p for p in (repository / "kpt_tools").rglob("*.py") if not p.name.startswith(("codes", "code_texts_"))]
    assert len(sources) > 10
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert [code for code in CODES if f'"{code}"' not in text] == []


def test_every_code_is_explained_in_the_documents(repository: Path) -> None:
    """The table of docs/check.md holds these very lines."""
    text = (repository / "docs" / "check.md").read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if line.startswith("| `")]
    assert found == [documented(code, entry) for code, entry in CODES.items()]


def test_no_code_has_two_texts() -> None:
    tables = [table for texts in (ANNOTATION_TEXTS, IMAGE_TEXTS, EXCHANGE_TEXTS) for table in texts.values()]
    assert sum(map(len, tables)) == len(CODES)


@pytest.mark.parametrize(("code", "entry"), CODES.items(), ids=CODES)
def test_texts_are_written_alike(code: str, entry: FindingCode) -> None:
    assert not entry.meaning.endswith(".")
    assert entry.consequence.endswith(".")
    assert entry.advice.endswith(".")
    assert "|" not in entry.meaning + entry.consequence + entry.advice


def test_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError, match="no-such-code"):
        finding("no-such-code", "text")


def test_ranking_is_by_severity_then_count() -> None:
    report = Report(
        [finding(code, "x") for code in ("crowd", "box-clipped", "image-cmyk", "image-cmyk", "box-missing")]
    )
    assert ranked_codes(report) == ["box-missing", "image-cmyk", "box-clipped", "crowd"]


@pytest.mark.parametrize(
    ("code", "source", "expected"),
    [
        ("box-missing", "a.json", "kpt-tools repair a.json --codes box-missing --out a_repaired.json"),
        ("box-missing", "a b.json", "kpt-tools repair 'a b.json' --codes box-missing --out 'a b_repaired.json'"),
        ("image-missing", "a.json", "kpt-tools repair a.json IMAGES --codes image-missing --out a_repaired.json"),
        ("image-truncated", "a.json", ""),
    ],
)
def test_repair_command(code: str, source: str, expected: str) -> None:
    assert repair_command(code, source) == expected
