"""The tables of `kpt-tools eval`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from kpt_tools.metrics.pck import PCK_FRACTIONS, KeypointErrors
from kpt_tools.metrics.result import AveragePrecision, ClassResult, EvalResult, number

_PCK_NAMES = [f"PCK@{fraction:g}".replace("0.", ".") for fraction in PCK_FRACTIONS]


def tables(result: EvalResult, truth: str) -> Iterator[Table]:
    """One table of classes, then one of keypoints for each class that has some."""
    yield _precision_table(result, truth)
    for part in result.classes:
        if part.keypoints:
            yield _keypoint_table(part)


def _precision_table(result: EvalResult, truth: str) -> Table:
    table = Table(
        title=escape(f"{result.images} images of {truth}"),
        caption=f"AP over thresholds .50:.05:.95; OKS with sigma {result.sigma_text}, area {result.area}",
    )
    table.add_column("class")
    for name in ("objects", "box AP", "AP50", "AP75", "OKS AP", "AP50", "AP75"):
        table.add_column(name, justify="right")
    for part in result.classes:
        table.add_row(escape(part.name), str(part.objects), *_precision(part.box), *_precision(part.oks))
    if len(result.classes) > 1:
        objects = str(sum(part.objects for part in result.classes))
        table.add_section()
        table.add_row("mean", objects, *_precision(result.box), *_precision(result.oks))
    return table


def _keypoint_table(part: ClassResult) -> Table:
    table = Table(title=escape(f"Keypoints of {part.name}"), caption=_caption(part))
    table.add_column("keypoint", no_wrap=True)
    for name in ("n", *_PCK_NAMES, "median px", "95 % px", "sigma"):
        table.add_column(name, justify="right")
    for keypoint in part.keypoints:
        table.add_row(escape(keypoint.name), *_errors(keypoint.errors), f"{keypoint.sigma:g}")
    if part.errors:
        table.add_section()
        table.add_row("all", *_errors(part.errors), "")
    return table


def _caption(part: ClassResult) -> str:
    found = f"n labelled points of the {part.matched} of {part.objects} objects found with a box IoU >= 0.5"
    score = f" (median score {part.median_score:.2f})" if part.median_score is not None else ""
    swaps = f"{number(part.swap_rate)} ({part.swapped} of {part.swap_pairs} pairs)" if part.swap_pairs else "n/a"
    return f"{found}{score}; PCK of the box's larger side; left/right swap rate {swaps}"


def _precision(part: AveragePrecision | None) -> list[str]:
    return [number(value) for value in ((part.ap, part.ap50, part.ap75) if part else (None, None, None))]


def _errors(errors: KeypointErrors) -> list[str]:
    shares = [number(share) for share in errors.pck]
    return [str(errors.labelled), *shares, number(errors.median_px, 1), number(errors.p95_px, 1)]
