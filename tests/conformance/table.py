"""The table of versions in docs/odapi-compatibility.md, made of results.json."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE.parents[1] / "docs" / "odapi-compatibility.md"
BEGIN = "<!-- table of versions: made by python -m tests.conformance.matrix -->"
END = "<!-- end of the table of versions -->"

HEAD = (
    "| Python | TensorFlow | numpy | protobuf | passed | expected failures | unexpected | skipped | measured |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def read() -> dict[str, Any]:
    """``results.json``, or no cells."""
    if not RESULTS.is_file():
        return {"machine": "", "cells": []}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def order(cell: dict[str, Any]) -> tuple[int, int]:
    """Newest TensorFlow first, then oldest Python."""
    return -_minor(cell["tensorflow"]), _minor(cell["python"])


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def cell_text(cell: dict[str, Any]) -> str:
    """One row of the table."""
    if "error" in cell:
        return f"| {cell['python']} | {cell['tensorflow']} | | | not run: {cell['error']} | | | | {cell['date']} |"
    result = cell["result"]
    versions = result["versions"]
    texts = [
        *(versions[name] for name in ("python", "tensorflow", "numpy", "protobuf")),
        result["passed"],
        len(result["expected_failures"]),
        result["unexpected_failures"],
        sum(result["skipped"].values()),
        cell["date"],
    ]
    return "| " + " | ".join(str(text) for text in texts) + " |"


def render(results: dict[str, Any]) -> str:
    """The table, and what failed as expected."""
    if not results["cells"]:
        return "No row has been measured that way yet."
    tests: Counter[str] = Counter()
    for cell in results["cells"]:
        tests.update(cell.get("result", {}).get("expected_failures", []))
    failures = [f"- `{test}` (in {count} of {len(results['cells'])} rows)" for test, count in sorted(tests.items())]
    rows = [cell_text(cell) for cell in results["cells"]]
    machine = f"Measured on {results['machine']}."
    return "\n".join([machine, "", HEAD, *rows, "", "Failed as expected:", "", *failures])


def into_page(page: str, results: dict[str, Any]) -> str:
    """The page with its table made anew.

    Raises:
        ValueError: the page has not exactly one pair of marks.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"{PAGE.name}: expected one line '{BEGIN}' and after it one line '{END}'")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{render(results)}\n\n{END}{rest.partition(END)[2]}"
