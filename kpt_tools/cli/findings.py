"""Findings as a table: the worst and most frequent first, with meaning, advice and a few examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpt_tools.annotations.codes import CODES, SEVERITY_RANK
from kpt_tools.entities import Report

if TYPE_CHECKING:
    from rich.console import Console

_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_EXAMPLES = 3


def print_findings(report: Report, examples: int = _EXAMPLES) -> None:
    """Print a table of counts per code, then up to `examples` messages of each error and warning."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console(highlight=False)
    counts = report.counts()
    if not counts:
        console.print("No findings.")
        return
    table = Table("severity", Column("finding", no_wrap=True), "count", "meaning")
    ranked = sorted(counts, key=lambda code: (SEVERITY_RANK[CODES[code].severity], -counts[code], code))
    for code in ranked:
        entry = CODES[code]
        severity = Text(entry.severity, style=_STYLE[entry.severity])
        table.add_row(severity, code, str(counts[code]), entry.meaning)
    console.print(table)
    for code in ranked:
        if CODES[code].severity != "info":
            _print_examples(console, code, [f.message for f in report.findings if f.code == code], examples)


def _print_examples(console: Console, code: str, messages: list[str], examples: int) -> None:
    from rich.text import Text

    console.print(Text(f"{code}: {CODES[code].advice}", style="bold"), soft_wrap=True)
    for message in messages[:examples]:
        console.print(Text(f"  {message}"), soft_wrap=True)
    if len(messages) > examples:
        console.print(Text(f"  ... and {len(messages) - examples} more"))


def severity_line(report: Report) -> str:
    """``"2 errors, 0 warnings, 5 notes"``."""
    numbers = [len(report.of_severity(severity)) for severity in ("error", "warning", "info")]
    words = ("error", "warning", "note")
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(numbers, words, strict=True))
