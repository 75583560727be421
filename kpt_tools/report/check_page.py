"""The result of `kpt-tools check` as one HTML page that fetches nothing: pictures and plots are inside it."""

from __future__ import annotations

from dataclasses import dataclass

from kpt_tools.annotations.statistics import DatasetStatistics
from kpt_tools.entities import Severity
from kpt_tools.report.check_page_template import TEMPLATE
from kpt_tools.report.draw import Rgb
from kpt_tools.report.page import Picture, render
from kpt_tools.report.svg import Plot


@dataclass(frozen=True, slots=True)
class PageFinding:
    """All findings of one code.

    Attributes:
        code: the code.
        severity: how bad it is.
        count: number of findings.
        meaning: what was found.
        consequence: what becomes of it.
        advice: what a person can do.
        command: the command line that repairs it, or "".
        messages: examples.
        pictures: examples.
        paired: pictures come in twos that belong together.
    """

    code: str
    severity: Severity
    count: int
    meaning: str
    consequence: str
    advice: str
    command: str
    messages: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()
    paired: bool = False


@dataclass(frozen=True, slots=True)
class FlipExample:
    """What a mirror image does to the keypoints of a class.

    Attributes:
        class_name: the class.
        pairs: names that exchange.
        unpaired: names that stay.
        pictures: an object as it is and mirrored; empty without images.
    """

    class_name: str
    pairs: tuple[tuple[str, str], ...]
    unpaired: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class CheckPage:
    """All that the page shows.

    Attributes:
        title: name of the data set.
        made_by: program and version.
        usable_images: number of images that can be trained on.
        usable_objects: number of objects that can be trained on.
        statistics: the data set in numbers.
        findings: the worst first.
        samples: some pictures with their annotations.
        legend: keypoint names with their colours.
        flips: per class with keypoints.
        poses: the most unusual poses, with their scores.
        plots: drawings.
    """

    title: str
    made_by: str
    usable_images: int
    usable_objects: int
    statistics: DatasetStatistics
    findings: tuple[PageFinding, ...] = ()
    samples: tuple[Picture, ...] = ()
    legend: tuple[tuple[str, Rgb], ...] = ()
    flips: tuple[FlipExample, ...] = ()
    poses: tuple[Picture, ...] = ()
    plots: tuple[Plot, ...] = ()

    def count_of(self, severity: Severity) -> int:
        """Number of findings of one severity."""
        return sum(found.count for found in self.findings if found.severity == severity)

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        errors, warnings = self.count_of("error"), self.count_of("warning")
        if errors:
            return f"{_number(errors, 'error')}: something would be lost in training."
        if warnings:
            return f"Ready to train. {_number(warnings, 'warning')} worth a look."
        return "Ready to train. Nothing to complain of."

    @property
    def tone(self) -> Severity:
        """The worst severity that occurs; "info" if all is well."""
        return "error" if self.count_of("error") else "warning" if self.count_of("warning") else "info"


def check_page(page: CheckPage) -> str:
    """The page as HTML.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    return render(TEMPLATE, page)


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
