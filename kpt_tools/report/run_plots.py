"""Plots of a training and its evaluation, for one run or for several on top of one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kpt_tools.lazy import require
from kpt_tools.metrics.oks import OKS_BINS
from kpt_tools.metrics.pck import CURVE_FRACTIONS, PCK_FRACTIONS
from kpt_tools.metrics.result import ClassResult, KeypointResult
from kpt_tools.report.draw import Rgb, point_colour
from kpt_tools.report.learning_curve import LEARNING_RATE, SPEED, TOTAL_LOSS, LearningCurve, smoothed
from kpt_tools.report.svg import BAR, INK, Plot, plain_figure, short, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAINT = "#9cc4f0"
_MISSED = "#d9534f"
_SERIES = ("#2f7ed8", "#e4842c", "#2e9e6b", "#9b5fd0", "#d9534f", "#7d8794", "#c2a01c", "#2aa7b8")
_MOST_POINTS = 600
_LEGEND_INSIDE = 6


def curve_plots(curve: LearningCurve) -> list[Plot]:
    """Total loss, its parts, learning rate and speed; none without at least two steps.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", purpose="the plots of the page")
    if len(curve.steps) < 2:
        return []
    plots = [loss_plot({"": curve})] if TOTAL_LOSS in curve.columns else []
    plots += [_parts(curve)] if len(curve.losses()) > 1 else []
    lines = ((LEARNING_RATE, "Learning rate", "As it was used."), (SPEED, "Speed", "Images per second, running mean."))
    return plots + [_line(curve, name, title, note) for name, title, note in lines if name in curve.columns]


def loss_plot(curves: Mapping[str, LearningCurve]) -> Plot:
    """The total loss over steps: single values faint, their running mean bold."""
    figure, axes = plain_figure(2.7)
    values: list[float] = []
    resumed = sorted({step for curve in curves.values() for step in curve.resumed_at})
    for colour, (name, curve) in zip(_cycle(len(curves)), curves.items(), strict=True):
        loss = curve.columns.get(TOTAL_LOSS, ())
        if len(curves) == 1:
            axes.plot(*_thinned(curve.steps, loss), color=_FAINT, linewidth=0.8)
        axes.plot(*_thinned(curve.steps, smoothed(loss)), color=colour, linewidth=1.6, label=short(name) or None)
        values += [value for value in loss if math.isfinite(value)]
    for step in resumed if len(curves) == 1 else ():
        axes.axvline(step, color=INK, linestyle=":", linewidth=1)
    _log_scale(axes, values)
    axes.set_xlabel("step")
    axes.set_ylabel("total loss")
    if len(curves) > 1:
        axes.legend(frameon=False, labelcolor=INK)
    note = "Single values and their running mean." if len(curves) == 1 else "Running means."
    if resumed and len(curves) == 1:
        note += f" Dotted: resumed at step {', '.join(map(str, resumed))}."
    return Plot("Loss", note, svg_text(figure))


def _parts(curve: LearningCurve) -> Plot:
    names = curve.losses()
    figure, axes = plain_figure(2.7)
    for colour, name in zip(_cycle(len(names)), names, strict=True):
        label = short(name.removeprefix("Loss/").replace("/keypoint/", " "))
        axes.plot(*_thinned(curve.steps, smoothed(curve.columns[name])), color=colour, linewidth=1.3, label=label)
    _log_scale(axes, [value for name in names for value in curve.columns[name]])
    axes.set_xlabel("step")
    axes.legend(frameon=False, labelcolor=INK, fontsize=7.5, ncols=2)
    return Plot("Parts of the loss", "Running means; their weighted sum is the total.", svg_text(figure))


def validation_plot(curve: LearningCurve, best_step: int | None, note: str) -> Plot:
    """What was measured while training; a dotted line at the best checkpoint.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", purpose="the plots of the page")
    figure, axes = plain_figure(2.7)
    names = [name for name in curve.columns if not name.endswith("ap50")]
    for colour, name in zip(_cycle(len(names)), names, strict=True):
        axes.plot(
            curve.steps, curve.columns[name], ".-", color=colour, linewidth=1.4, label=short(name.replace("_", " "))
        )
    if best_step is not None:
        axes.axvline(best_step, color=INK, linestyle=":", linewidth=1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("step")
    axes.legend(frameon=False, labelcolor=INK, fontsize=7.5)
    return Plot("Measured while training", note, svg_text(figure))


def _line(curve: LearningCurve, name: str, title: str, note: str) -> Plot:
    figure, axes = plain_figure(2.3)
    values = curve.columns[name] if name == LEARNING_RATE else smoothed(curve.columns[name])
    axes.plot(*_thinned(curve.steps, values), color=BAR, linewidth=1.6)
    axes.set_xlabel("step")
    axes.set_ylim(bottom=0)
    return Plot(title, note, svg_text(figure))


def _log_scale(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis where the values span more than a factor of 5; ordinary numbers on it."""
    from matplotlib.ticker import LogLocator, NullFormatter

    known = [value for value in values if math.isfinite(value) and value > 0]
    if known and max(known) > 5 * min(known):
        axes.set_yscale("log")
        axis = axes.yaxis
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())


def result_plots(part: ClassResult, first_slot: int = 0) -> list[Plot]:
    """Error bars, PCK curve and OKS distribution of one class; none for a class without measured points.

    Args:
        part: the class.
        first_slot: the slot of its first keypoint, for the colours that the points have in pictures.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", purpose="the plots of the page")
    plots = []
    if part.errors is not None and part.errors.labelled:
        plots += [_error_bars(part, relative=True), _error_bars(part, relative=False), _pck(part, first_slot)]
    if part.oks_spread is not None and sum(part.oks_spread.counts) + part.oks_spread.missed:
        plots.append(_oks(part))
    return plots


def _error_bars(part: ClassResult, *, relative: bool) -> Plot:
    rows = [keypoint for keypoint in part.keypoints if keypoint.errors.labelled][::-1]
    figure, axes = plain_figure(0.95 + 0.27 * len(rows))
    names = [short(row.name) for row in rows]
    ends = [_errors(row, relative=relative) for row in rows]
    axes.barh(range(len(rows)), [high for _, high in ends], color=_FAINT, height=0.34, label="90 % of the points")
    axes.barh(range(len(rows)), [middle for middle, _ in ends], color=BAR, height=0.62, label="half of them (median)")
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("error, % of the larger side of the box" if relative else "error, px of the image")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, frameon=False, labelcolor=INK)
    worst = max(zip(ends, rows, strict=True), key=lambda entry: entry[0][1])[1]
    title = "relative to the size of the object" if relative else "in pixels"
    return Plot(f"Errors of {part.name}, {title}", f"Least exact: {worst.name}.", svg_text(figure))


def _errors(keypoint: KeypointResult, *, relative: bool) -> tuple[float, float]:
    errors = keypoint.errors
    both = (errors.median_relative, errors.p90_relative) if relative else (errors.median_px, errors.p90_px)
    return (100 if relative else 1) * (both[0] or 0.0), (100 if relative else 1) * (both[1] or 0.0)


def _pck(part: ClassResult, first_slot: int) -> Plot:
    rows = [(slot, row) for slot, row in enumerate(part.keypoints, start=first_slot) if row.errors.curve]
    crowded = len(rows) > _LEGEND_INSIDE
    figure, axes = plain_figure(3.0 + (0.2 * (1 + len(rows) // 4) if crowded else 0))
    xs = [100 * fraction for fraction in CURVE_FRACTIONS]
    for slot, row in rows:
        style = ("-", "--", ":")[slot // 12 % 3]
        colour = _hex(point_colour(slot))
        axes.plot(xs, row.errors.curve, color=colour, linestyle=style, linewidth=1.2, label=short(row.name))
    if part.errors is not None:
        axes.plot(xs, part.errors.curve, color=INK, linewidth=2.2, label="all")
    _pck_axes(axes)
    if crowded:
        figure.legend(loc="outside lower center", frameon=False, labelcolor=INK, fontsize=7.5, ncols=4)
    else:
        axes.legend(loc="lower right", frameon=False, labelcolor=INK, fontsize=7.5)
    note = "Share of points within a distance. Grey: PCK@.05, .1, .2."
    return Plot(f"PCK curve of {part.name}", note, svg_text(figure))


def pck_overlay(curves: Mapping[str, Sequence[float]], class_name: str) -> Plot:
    """PCK curves over all keypoints of a class, one per run."""
    figure, axes = plain_figure(3.0)
    xs = [100 * fraction for fraction in CURVE_FRACTIONS]
    for colour, (name, shares) in zip(_cycle(len(curves)), curves.items(), strict=True):
        axes.plot(xs, shares, color=colour, linewidth=1.6, label=short(name))
    _pck_axes(axes)
    axes.legend(frameon=False, labelcolor=INK)
    note = "Share of points within a distance, over all keypoints."
    return Plot(f"PCK curves of {class_name}", note, svg_text(figure))


def _pck_axes(axes: Axes) -> None:
    for fraction in PCK_FRACTIONS:
        axes.axvline(100 * fraction, color="#9aa3ad", linewidth=0.6, zorder=0)
    axes.set(xlim=(0, 30), ylim=(0, 1.02))
    axes.set_xlabel("distance, % of the larger side of the box")
    axes.set_ylabel("share of the points")


def _oks(part: ClassResult) -> Plot:
    from matplotlib.ticker import MaxNLocator

    spread = part.oks_spread
    assert spread is not None
    figure, axes = plain_figure(2.5)
    width = 1 / OKS_BINS
    axes.bar([(i + 0.5) * width for i in range(OKS_BINS)], spread.counts, width=width * 0.88, color=BAR)
    if spread.missed:
        axes.bar([-1.5 * width], [spread.missed], width=width * 0.88, color=_MISSED, label="missed")
        axes.legend(frameon=False, labelcolor=INK)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(-0.11 if spread.missed else -0.02, 1.02)
    axes.set_xlabel("OKS")
    axes.set_ylabel("objects")
    median = f"Half of the found objects are above {spread.median:.2f}." if spread.median is not None else ""
    return Plot(f"OKS of {part.name}", f"{median} {spread.missed} missed.".strip(), svg_text(figure))


def _thinned(steps: Sequence[int], values: Sequence[float]) -> tuple[Sequence[int], Sequence[float]]:
    """So few points that the page stays small; the last is kept."""
    stride = max(1, math.ceil(len(steps) / _MOST_POINTS))
    offset = (len(steps) - 1) % stride if steps else 0
    return steps[offset::stride], values[offset::stride]


def _cycle(count: int) -> list[str]:
    return [_SERIES[index % len(_SERIES)] for index in range(count)]


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
