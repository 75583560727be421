"""The table of versions: made of the results, complete, and in the page as it is."""

from __future__ import annotations

import argparse
import re

import pytest

from . import matrix, run, table


def measured(**changed) -> dict:
    versions = {"python": "3.11.7", "tensorflow": "2.20.0", "numpy": "2.4.6", "protobuf": "7.36.2"}
    result = {
        "versions": versions,
        "passed": 10,
        "expected_failures": ["a_test.py::C::test_a"],
        "unexpected_failures": 0,
        "skipped": {"TF1": 2, "eager": 3},
        "problems": [],
    }
    return {"python": "3.11", "tensorflow": "2.20", "date": "2030-01-02", "result": result | changed}


def failed() -> dict:
    return {"python": "3.13", "tensorflow": "2.15", "date": "2030-01-02", "error": "No matching distribution"}


def test_a_measured_cell() -> None:
    assert table.cell_text(measured()) == "| 3.11.7 | 2.20.0 | 2.4.6 | 7.36.2 | 10 | 1 | 0 | 5 | 2030-01-02 |"


def test_a_cell_that_could_not_be_measured_says_why_and_has_all_columns() -> None:
    row = table.cell_text(failed())
    assert row == "| 3.13 | 2.15 | | | not run: No matching distribution | | | | 2030-01-02 |"
    assert row.count("|") == table.HEAD.splitlines()[0].count("|")


def test_newest_tensorflow_first_then_oldest_python() -> None:
    cells = [("3.11", "2.15"), ("3.12", "2.20"), ("3.10", "2.20"), ("3.13", "2.21")]
    found = sorted(({"python": python, "tensorflow": tensorflow} for python, tensorflow in cells), key=table.order)
    assert [(cell["python"], cell["tensorflow"]) for cell in found] == [cells[3], cells[2], cells[1], cells[0]]


def test_the_table_takes_the_place_of_the_old_one() -> None:
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    found = table.into_page(page, {"machine": "two cores", "cells": [measured(), failed()]})
    assert found.startswith(f"before\n{table.BEGIN}\n\nMeasured on two cores.\n\n| Python |")
    assert found.endswith(f"{table.END}\nafter\n")
    assert "old" not in found
    assert "- `a_test.py::C::test_a` (in 1 of 2 rows)" in found
    assert table.into_page(found, {"machine": "two cores", "cells": [measured(), failed()]}) == found


def test_without_results_the_page_says_so() -> None:
    assert table.render({"machine": "", "cells": []}) == "No row has been measured that way yet."


@pytest.mark.parametrize("page", ["", table.BEGIN, f"{table.END}\n{table.BEGIN}", f"{table.BEGIN}{table.END}" * 2])
def test_a_page_without_its_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"odapi-compatibility\.md: expected one line"):
        table.into_page(page, {"machine": "", "cells": []})


def test_the_page_has_the_table_of_the_results() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    assert table.into_page(page, table.read()) == page


def test_the_page_tells_the_size_of_the_suite() -> None:
    suite = run.load_suite()
    words = f"{len(suite.files)} of the OD API's test files with {sum(suite.files.values())} tests"
    assert words in table.PAGE.read_text(encoding="utf-8")


def test_every_supported_python_meets_every_new_tensorflow() -> None:
    wanted = {(python, tensorflow) for python in ("3.10", "3.11", "3.12", "3.13") for tensorflow in ("2.20", "2.21")}
    assert wanted <= {(cell.python, cell.tensorflow) for cell in matrix.CELLS}
    assert len(set(matrix.CELLS)) == len(matrix.CELLS)


def test_a_cell_on_the_command_line() -> None:
    assert matrix.parse_cell("3.13-2.21") == matrix.Cell("3.13", "2.21")
    assert matrix.Cell("3.13", "2.21").name == "3.13-2.21"


@pytest.mark.parametrize("text", ["3.13", "3-2.21", "3.13-2", ""])
def test_what_is_no_cell_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected PYTHON-TENSORFLOW"):
        matrix.parse_cell(text)


def test_the_environment_of_a_cell() -> None:
    lean, odapi = matrix.requirements(matrix.Cell("3.13", "2.21"))
    assert {"tensorflow==2.21.*", "tf-keras==2.21.*"} < set(lean)
    assert {re.split("[><=]", text)[0] for text in lean} > {"tf-slim", "contextlib2", "click", "pytest-xdist"}
    assert odapi == ["--no-deps", "tf-models-research-object-detection==2.8.0.post1"]


def test_a_python_that_is_not_there_is_not_found() -> None:
    assert matrix.find_python("3.99") is None
