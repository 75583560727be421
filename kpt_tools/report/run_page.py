"""The result of a training and its evaluation as one HTML page that fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kpt_tools.entities import Severity
from kpt_tools.metrics.result import ClassResult, EvalResult, number, percent
from kpt_tools.report.draw import Rgb
from kpt_tools.report.page import Picture, render
from kpt_tools.report.run_page_template import TEMPLATE
from kpt_tools.report.svg import Plot


@dataclass(frozen=True, slots=True)
class Hint:
    """Something to do next; `command` is a command line or ""."""

    tone: Severity
    title: str
    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class ComparedObject:
    """An object as annotated and as found; `title` is its image, `note` how good or bad it is."""

    title: str
    note: str
    pictures: tuple[Picture, Picture]


@dataclass(frozen=True, slots=True)
class Album:
    """Objects to look at, and why."""

    title: str
    lead: str
    objects: tuple[ComparedObject, ...]


@dataclass(frozen=True, slots=True)
class FactGroup:
    """A named list of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunPage:
    """All that the page shows.

    Attributes:
        title: name of the run.
        subtitle: what was measured on.
        made_by: program and version.
        result: the numbers.
        hints: what to do next, the most important first.
        class_plots: per class, its drawings.
        curve_plots: of the training.
        albums: pictures.
        legend: keypoint names with their colours.
        facts: model, data, settings, versions, files.
        config: text of the pipeline.config, or "".
    """

    title: str
    subtitle: str
    made_by: str
    result: EvalResult
    hints: tuple[Hint, ...] = ()
    class_plots: tuple[tuple[ClassResult, tuple[Plot, ...]], ...] = ()
    curve_plots: tuple[Plot, ...] = ()
    albums: tuple[Album, ...] = ()
    legend: tuple[tuple[str, Rgb], ...] = ()
    facts: tuple[FactGroup, ...] = ()
    config: str = ""

    @property
    def objects(self) -> int:
        """Number of annotated objects."""
        return sum(part.objects for part in self.result.classes)

    @property
    def matched(self) -> int:
        """Number of objects that were found, at any score."""
        return sum(part.matched for part in self.result.classes)

    @property
    def tone(self) -> Severity:
        """How good it looks: by AP50 of the boxes, and of the keypoints where there are some."""
        known = [part.ap50 for part in (self.result.box, self.result.oks) if part.ap50 is not None]
        least = min(known, default=0.0)
        return "info" if least >= 0.9 else "warning" if least >= 0.5 else "error"

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        if not self.objects:
            return "Nothing to find in these images."
        found = f"{self.matched} of {self.objects} objects found"
        errors = [part.errors for part in self.result.classes if part.errors and part.errors.labelled]
        points = sum(part.labelled for part in errors)
        if not points:
            return f"{found}."
        near = sum((part.pck[1] or 0.0) * part.labelled for part in errors) / points
        return f"{found}; {percent(near)} of their points are within 10 % of the box."

    @property
    def swap_rate(self) -> float | None:
        """Share of left/right pairs that are exchanged, over all classes."""
        looked_at = sum(part.swap_pairs for part in self.result.classes)
        return sum(part.swapped for part in self.result.classes) / looked_at if looked_at else None

    @property
    def confusion_classes(self) -> list[int]:
        """Places of the classes that occur in the confusion matrix; all if none does."""
        matrix, count = self.result.confusion.matrix, len(self.result.confusion.names)
        used = [index for index in range(count) if sum(matrix[index]) or sum(row[index] for row in matrix)]
        return used or list(range(count))

    @property
    def confusion_rows(self) -> list[tuple[str, list[tuple[int, float]]]]:
        """Per row of the confusion matrix: its name, and each count with its share of the row."""
        found = self.result.confusion
        names = [*found.names, "nothing"]
        shown = [*self.confusion_classes, len(found.names)]
        rows = [(names[index], [found.matrix[index][column] for column in shown]) for index in shown]
        return [(name, [(count, count / max(sum(row), 1)) for count in row]) for name, row in rows]


def run_page(page: RunPage) -> str:
    """The page as HTML.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    return render(TEMPLATE, page, {"number": number, "percent": percent})


def rows_of(values: Sequence[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    """Names and values as text; those without a value are left out."""
    return tuple((name, str(value)) for name, value in values if value not in (None, ""))
