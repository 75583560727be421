"""Several evaluations side by side: the table, and its HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kpt_tools.report.compare_page_template import TEMPLATE
from kpt_tools.report.page import render
from kpt_tools.report.svg import Plot

NOT_AVAILABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of every run.

    Attributes:
        group: heading that the row stands under.
        name: of the quantity.
        values: numbers, texts, or None where a run has none.
        digits: after the decimal point, of numbers.
        better: 1 if more is better, -1 if less is, 0 if neither.
        field: of the pipeline.config, in full, where `name` is its end; else "".
    """

    group: str
    name: str
    values: tuple[float | int | str | None, ...]
    digits: int = 3
    better: int = 0
    field: str = ""

    def texts(self) -> list[str]:
        """The values for people."""
        return [self._text(value) for value in self.values]

    def best(self) -> list[bool]:
        """Which values are the best, as they are shown; none where all are equal or one is missing."""
        texts = self.texts()
        if not self.better or len(set(texts)) == 1 or any(not isinstance(v, int | float) for v in self.values):
            return [False] * len(texts)
        ranked = [self.better * float(text) for text in texts]
        return [value == max(ranked) for value in ranked]

    def _text(self, value: float | int | str | None) -> str:
        if value is None:
            return NOT_AVAILABLE
        return f"{value:.{self.digits}f}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Comparison:
    """The whole table.

    Attributes:
        names: short names of the runs, all different.
        sources: the eval.json of each.
        rows: in the order to be shown, rows of a group together.
        warnings: why the numbers cannot be compared, and what else to know; each one line.
        comparable: all were measured in the same way on the same truth.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    comparable: bool

    def groups(self) -> list[tuple[str, list[Row]]]:
        """The rows under their headings."""
        headings = dict.fromkeys(row.group for row in self.rows)
        return [(heading, [row for row in self.rows if row.group == heading]) for heading in headings]

    def marks(self, row: Row) -> list[bool]:
        """Which values of a row to emphasise: the best ones, if the runs can be compared."""
        return row.best() if self.comparable else [False] * len(row.values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "runs": [{"name": name, "source": source} for name, source in zip(self.names, self.sources, strict=True)],
            "comparable": self.comparable,
            "warnings": list(self.warnings),
            "rows": [
                {"group": row.group, "name": row.field or row.name, "values": list(row.values), "better": row.better}
                for row in self.rows
            ],
        }


@dataclass(frozen=True)
class ComparePage:
    """All that the page shows."""

    made_by: str
    comparison: Comparison
    plots: Sequence[Plot] = ()


def compare_page(page: ComparePage) -> str:
    """The page as HTML.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    return render(TEMPLATE, page)
