from __future__ import annotations

import io

import pytest
from rich.console import Console

from kpt_tools.cli.eval_tables import number, tables
from kpt_tools.metrics.pck import KeypointErrors
from kpt_tools.metrics.result import AveragePrecision, ClassResult, EvalResult, KeypointResult

NOTHING = AveragePrecision(None, None, None)


def result(*, empty: bool = False) -> EvalResult:
    errors = KeypointErrors(0, (None,) * 3, None, None) if empty else KeypointErrors(23, (0.5, 0.75, 1.0), 2.25, 9.87)
    ap = NOTHING if empty else AveragePrecision(0.574, 0.975, 0.61)
    mouse = ClassResult(
        1,
        "mouse [a]",
        23,
        40,
        22,
        None if empty else 0.81,
        ap,
        ap,
        errors,
        (KeypointResult("snout", "snout", 0.05, errors),),
        1,
        4,
    )
    bolt = ClassResult(2, "bolt", 3, 0, 0, None, AveragePrecision(0.0, 0.0, 0.0), None, None, (), 0, 0)
    return EvalResult(23, (mouse, bolt), ap, ap, (0.05,), "bbox", 0, 0, 0, 0.0, 100, 20)


def printed(value: EvalResult) -> str:
    console = Console(file=io.StringIO(), width=80)
    for table in tables(value, "val.json"):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_everything_is_said() -> None:
    text = printed(result())
    assert "23 images of val.json" in text
    assert "OKS with sigma 0.05, area bbox" in text
    for wanted in (
        "0.574",
        "0.975",
        "PCK@.05",
        "0.750",
        "2.2",
        "9.9",
        "mouse [a]",
        "22 of 23",
        "(1 of 4 pairs)",
        "mean",
    ):
        assert wanted in text
    assert "…" not in text, "nothing is cut at 80 columns"


def test_class_without_keypoints_has_no_table_of_its_own() -> None:
    assert "Keypoints of bolt" not in printed(result())
    assert "n/a" in next(line for line in printed(result()).splitlines() if "bolt" in line)


def test_nothing_is_na_and_never_minus_one() -> None:
    text = printed(result(empty=True))
    assert "n/a" in text
    assert "-1" not in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(None, 3, "n/a"), (0.0, 3, "0.000"), (2.25, 1, "2.2"), (1, 3, "1.000")]
)
def test_number(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text
