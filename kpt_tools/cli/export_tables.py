"""The tables of `kpt-tools export`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from kpt_tools.metrics.result import number

if TYPE_CHECKING:
    from kpt_tools.stages.export import ExportResult


def signature_table(result: ExportResult) -> Table:
    """What the SavedModel takes and gives."""
    done = "Up to date:" if result.reused else "Exported"
    table = Table(title=escape(f"{done} {result.origin.text}, in {result.folder}"))
    for column in ("", "name", "type and shape"):
        table.add_column(column)
    for kind, specs in (("takes", result.signatures), ("gives", result.outputs)):
        for name, spec in specs.items():
            table.add_row(kind, name, escape(spec))
    return table


def parity_tables(checks: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """How each model differs from the checkpoint: a row per model, a table for all that saw the same pictures."""
    groups: list[list[Mapping[str, Any]]] = []
    for check in checks:
        if groups and groups[-1][0]["pictures"] == check["pictures"]:
            groups[-1].append(check)
        else:
            groups.append([check])
    for group in groups:
        table = Table(title=escape(_title(group[0]["pictures"])), caption=_CAPTION)
        table.add_column("model", no_wrap=True)
        for name in _COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        for check in group:
            style = None if check["good"] else "red"
            table.add_row(escape(_name(check)), *(value(check) for value in _COLUMNS.values()), style=style)
        yield table


def _title(pictures: Mapping[str, Any]) -> str:
    kind = "" if pictures["real"] else "made-up "
    compared = f"Compared with the checkpoint on {pictures['compared']} {kind}pictures; "
    if not pictures["annotated"]:
        return f"{compared}AP not measured"
    precisions = pictures["average_precision"]
    found = ", ".join(f"{name} {value:.3f}" for name, value in precisions.items()) or "no AP: no annotated objects"
    return f"{compared}its {found} on {pictures['annotated']}"


_CAPTION = (
    "Largest differences of boxes, keypoints (pt) and scores of the detections that the checkpoint scores 0.2 or more, "
    "each with the best overlapping one of its class (where there are none: of all scores by rank); alone: without "
    "such a partner; change of AP; ms per picture; ✗ refused"
)


def _name(check: Mapping[str, Any]) -> str:
    """Format and precision; what was refused is marked."""
    folder, _, file = check["model"].partition("/")
    return f"{'' if check['good'] else '✗ '}{folder}{' ' + check['precision'] if file else ''}"


def _largest(name: str, digits: int) -> Callable[[Mapping[str, Any]], str]:
    return lambda check: number(check["comparison"][name]["largest"], digits)


def _score(check: Mapping[str, Any]) -> str:
    return _largest("score" if check["comparison"]["score"]["count"] else "ranked_score", 4)(check)


def _alone(check: Mapping[str, Any]) -> str:
    return str(len(check["comparison"]["lost"]) + len(check["comparison"]["gained"]))


def _change(name: str) -> Callable[[Mapping[str, Any]], str]:
    def text(check: Mapping[str, Any]) -> str:
        found = [change for change in check["average_precision"] if change["name"] == name]
        return f"{found[0]['exported'] - found[0]['original']:+.3f}" if found else number(None)

    return text


_COLUMNS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "box px": _largest("box_px", 3),
    "pt px": _largest("keypoint_px", 3),
    "score": _score,
    "alone": _alone,
    "box AP": _change("box AP"),
    "OKS AP": _change("OKS AP"),
    "ms": lambda check: f"{1000 * check['seconds_per_picture']:.0f}",
}
