"""Put evaluations side by side."""

from __future__ import annotations

from collections.abc import Sequence

from kpt_tools import __version__
from kpt_tools.config.compare import CompareConfig
from kpt_tools.fsio import write_json, write_text
from kpt_tools.lazy import require
from kpt_tools.metrics.pck import CURVE_FRACTIONS
from kpt_tools.report.comparison import ComparePage, Comparison, compare_page
from kpt_tools.report.learning_curve import TOTAL_LOSS
from kpt_tools.report.run_plots import loss_plot, pck_overlay
from kpt_tools.report.svg import Plot
from kpt_tools.stages.compare_rows import comparison_of
from kpt_tools.stages.compare_source import Contender, contenders_of


def compare(config: CompareConfig) -> Comparison:
    """Compare evaluations; write the page and the JSON that were asked for.

    Raises:
        ConfigError: one of the runs has not been measured, or is named twice.
        DataError: an eval.json is damaged.
        MissingDependencyError: matplotlib or Jinja2 is needed for the page and not installed.
    """
    contenders = contenders_of(config.runs)
    found = comparison_of(contenders)
    if config.json is not None:
        write_json(config.json, found.to_dict())
    if config.out is not None:
        page = ComparePage(f"kpt-tools {__version__}", found, _plots(contenders))
        write_text(config.out, compare_page(page))
    return found


def _plots(contenders: Sequence[Contender]) -> list[Plot]:
    """Losses and PCK curves on top of one another, of the runs that have them."""
    require("matplotlib", purpose="the plots of the page")
    stories = {each.name: each.story for each in contenders}
    losses = {
        name: story.curve
        for name, story in stories.items()
        if story and story.curve and len(story.curve.steps) > 1 and TOTAL_LOSS in story.curve.columns
    }
    plots = [loss_plot(losses)] if len(losses) > 1 else []
    for number in range(max(len(each.result["classes"]) for each in contenders)):
        plots += _pck_plot(contenders, number)
    return plots


def _pck_plot(contenders: Sequence[Contender], number: int) -> list[Plot]:
    """PCK curves of one class, where all runs have that class in that place."""
    parts = [each.result["classes"][number] for each in contenders if number < len(each.result["classes"])]
    names = {part["name"] for part in parts}
    curves = {
        each.name: (part.get("errors") or {}).get("pck_curve", ())
        for each, part in zip(contenders, parts, strict=False)
    }
    known = {name: curve for name, curve in curves.items() if len(curve) == len(CURVE_FRACTIONS)}
    return [pck_overlay(known, names.pop())] if len(names) == 1 and len(known) > 1 else []
