from __future__ import annotations

import pytest
from html_page import Page

from kpt_tools.report.comparison import ComparePage, Comparison, Row, compare_page


def comparison(*rows: Row, comparable: bool = True, warnings: tuple[str, ...] = ()) -> Comparison:
    return Comparison(("a", "b"), ("a/eval.json", "b/eval.json"), rows, warnings, comparable)


@pytest.mark.parametrize(
    ("row", "texts", "best"),
    [
        pytest.param(Row("g", "n", (0.5, 0.75), better=1), ["0.500", "0.750"], [False, True], id="more"),
        pytest.param(Row("g", "n", (3.04, 2.0), 1, -1), ["3.0", "2.0"], [False, True], id="less"),
        pytest.param(Row("g", "n", (3.04, 3.01), 1, -1), ["3.0", "3.0"], [False, False], id="equal as shown"),
        pytest.param(Row("g", "n", (0.5, None), better=1), ["0.500", "n/a"], [False, False], id="one is missing"),
        pytest.param(Row("g", "n", (5, 7)), ["5", "7"], [False, False], id="neither is better"),
        pytest.param(Row("g", "n", ("x", "y"), better=1), ["x", "y"], [False, False], id="texts"),
        pytest.param(
            Row("g", "n", (1.0, 1.0, 0.5), better=1), ["1.000", "1.000", "0.500"], [True, True, False], id="two"
        ),
    ],
)
def test_row(row: Row, texts: list[str], best: list[bool]) -> None:
    assert row.texts() == texts
    assert row.best() == best


def test_nothing_is_best_where_nothing_can_be_compared() -> None:
    row = Row("g", "n", (0.5, 0.75), better=1)
    assert comparison(row).marks(row) == [False, True]
    assert comparison(row, comparable=False).marks(row) == [False, False]


def test_groups_keep_their_order() -> None:
    found = comparison(Row("one", "a", (1, 2)), Row("two", "b", (1, 2)), Row("one", "c", (1, 2)))
    assert [(heading, [row.name for row in rows]) for heading, rows in found.groups()] == [
        ("one", ["a", "c"]),
        ("two", ["b"]),
    ]


def test_page_is_text_not_html_and_fetches_nothing() -> None:
    rows = (Row("g", "<b>x</b>", (0.5, 0.75), better=1), Row("s", "end", ("<i>", "-"), field="path.to.end"))
    text = compare_page(ComparePage("kpt-tools", comparison(*rows, warnings=("look <out>",))))
    assert Page(text).fetches_nothing()
    assert "<b>x" not in text
    assert "look &lt;out&gt;" in text
    assert 'class="best">0.750' in text
    assert 'title="path.to.end">end' in text
    warned = compare_page(ComparePage("kpt-tools", comparison(*rows, comparable=False, warnings=("no",))))
    assert "warnings error" in warned
    assert 'class="best"' not in warned
