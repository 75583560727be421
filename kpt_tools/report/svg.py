"""Plots as SVG that take colours and font from the page around them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#123456"
"""Stands for the text colour of the page until the SVG is written."""
BAR = "#2f7ed8"


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with what it shows."""

    title: str
    note: str
    svg: str


def plain_figure(height_in: float, width_in: float = 5.6) -> tuple[Figure, Axes]:
    """A figure without a ground, frame and colours of its own, in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
    axes.tick_params(colors=INK, length=3)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return figure, axes


def svg_text(figure: Figure) -> str:
    """The figure as an inline SVG: text as text, the stand-in for the text colour replaced."""
    import matplotlib

    buffer = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "kpt-tools", "font.size": 9}
    with matplotlib.rc_context(settings):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor").strip()


def short(name: str) -> str:
    """A name that fits, with no dollar that matplotlib would take for mathematics."""
    cut = name if len(name) <= 28 else f"{name[:25]}..."
    return cut.replace("$", r"\$")
