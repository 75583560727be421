from __future__ import annotations

import io

from rich.console import Console

from kpt_tools.cli.eval_tables import tables
from kpt_tools.metrics.confusion import Confusion
from kpt_tools.metrics.pck import KeypointErrors
from kpt_tools.metrics.result import AveragePrecision, ClassResult, EvalResult, KeypointResult, PairSwaps

NOTHING = AveragePrecision(None, None, None)


def result(*, empty: bool = False) -> EvalResult:
    nothing = KeypointErrors(0, (None,) * 3, None, None, None, None, None)
    errors = nothing if empty else KeypointErrors(23, (0.5, 0.75, 1.0), 2.25, 8.5, 9.87, 0.02, 0.09)
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
        (PairSwaps(("left", "right"), 1, 4),),
    )
    bolt = ClassResult(2, "bolt", 3, 0, 0, None, AveragePrecision(0.0, 0.0, 0.0), None, None, ())
    confusion = Confusion(0.3, ("mouse [a]", "bolt"), ((20, 0, 3), (0, 0, 3), (2, 0, 0)))
    return EvalResult(23, (mouse, bolt), ap, ap, (0.05,), "bbox", 0, 0, 0, 0.0, 100, 20, confusion)


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
