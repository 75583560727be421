"""docs/odapi-compatibility.md tells every fix and every stand-in as the code does."""

from pathlib import Path

import pytest

from kpt_tools.odapi.compat import STUBS
from kpt_tools.odapi.fixes import FIXES

PAGE = Path(__file__).parents[2] / "docs" / "odapi-compatibility.md"


def rows() -> dict[str, list[str]]:
    """Cells of the page's tables by the name in backticks that a row starts with."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert lines
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    names = [cells[0].strip("`") for cells in table]
    assert len(set(names)) == len(names)
    return dict(zip(names, table, strict=True))


@pytest.mark.parametrize("fix", FIXES, ids=lambda fix: fix.name)
def test_the_page_tells_each_fix_as_the_code_does(fix) -> None:
    assert rows().get(fix.name) == [f"`{fix.name}`", fix.versions, f"`{fix.module}`", fix.reason]


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.module)
def test_the_page_tells_each_stand_in_as_the_code_does(stub) -> None:
    used = "always" if stub.always else "if missing"
    assert rows().get(stub.module) == [f"`{stub.module}`", stub.versions, used, stub.reason]


def test_the_page_has_no_fix_that_the_code_does_not_have() -> None:
    names = {fix.name for fix in FIXES} | {stub.module for stub in STUBS} | {"legacy-keras"}
    assert set(rows()) == names
