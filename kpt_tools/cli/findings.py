"""Findings as a table: the worst and most frequent first, with meaning, advice and a few examples."""

from __future__ import annotations

from kpt_tools.annotations.codes import CODES, SEVERITY_RANK
from kpt_tools.entities import Report

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
    table = Table("severity", Column("finding", no_wrap=True), "count", "meaning", "what to do")
    ranked = sorted(counts, key=lambda code: (SEVERITY_RANK[CODES[code].severity], -counts[code], code))
    for code in ranked:
        entry = CODES[code]
        severity = Text(entry.severity, style=_STYLE[entry.severity])
        table.add_row(severity, code, str(counts[code]), entry.meaning, entry.advice)
    console.print(table)
    for code in ranked:
        if CODES[code].severity != "info":
            messages = [f.message for f in report.findings if f.code == code]
            for message in messages[:examples]:
                console.print(Text(message), soft_wrap=True)
            if len(messages) > examples:
                console.print(Text(f"... and {len(messages) - examples} more of {code}"))


def severity_line(report: Report) -> str:
    """``"2 errors, 0 warnings, 5 notes"``."""
    numbers = [len(report.of_severity(severity)) for severity in ("error", "warning", "info")]
    words = ("error", "warning", "note")
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(numbers, words, strict=True))
