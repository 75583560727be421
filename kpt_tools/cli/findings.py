"""Findings as a table (the worst and most frequent first, with meaning, advice and a few examples) or as lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kpt_tools.annotations.codes import CODES, ranked_codes, repair_command
from kpt_tools.entities import Finding, Report

if TYPE_CHECKING:
    from rich.console import Console

_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_EXAMPLES = 3
_LINES = 20


def print_findings(report: Report, examples: int = _EXAMPLES, source: Path | None = None) -> None:
    """Print a table of counts per code, then consequence, advice and some messages of each error and warning.

    Args:
        report: what was found.
        examples: number of messages of each code.
        source: the JSON; the commands that repair it are told, if given.
    """
    counts = report.counts()
    if not counts:
        click.echo("No findings.")
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table("severity", Column("finding", no_wrap=True), "count", "meaning")
    ranked = ranked_codes(report)
    for code in ranked:
        entry = CODES[code]
        severity = Text(entry.severity, style=_STYLE[entry.severity])
        table.add_row(severity, code, str(counts[code]), entry.meaning)
    console.print(table)
    for code in ranked:
        if CODES[code].severity != "info":
            console.print(Text(f"{code}: {CODES[code].consequence} {CODES[code].advice}", style="bold"), soft_wrap=True)
            if source is not None and CODES[code].repair:
                console.print(Text(f"  {repair_command(code, str(source))}", style="cyan"), soft_wrap=True)
            _print_examples(console, [f.message for f in report.findings if f.code == code], examples)


def _print_examples(console: Console, messages: list[str], examples: int) -> None:
    from rich.text import Text

    for message in messages[:examples]:
        console.print(Text(f"  {message}"), soft_wrap=True)
    if len(messages) > examples:
        console.print(Text(f"  ... and {len(messages) - examples} more"))


def severity_line(report: Report) -> str:
    """``"2 errors, 0 warnings, 5 notes"``."""
    numbers = [len(report.of_severity(severity)) for severity in ("error", "warning", "info")]
    words = ("error", "warning", "note")
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(numbers, words, strict=True))


def print_finding_lines(findings: Sequence[Finding], where: str) -> None:
    """Errors and warnings on stderr, a line each; after some, where the rest is to be found."""
    from rich.console import Console

    console = Console(stderr=True)
    told = [finding for severity in ("error", "warning") for finding in findings if finding.severity == severity]
    for finding in told[:_LINES]:
        console.print(f"{finding.severity}: {finding.message}", markup=False, highlight=False, soft_wrap=True)
    if len(told) > _LINES:
        console.print(f"... and {len(told) - _LINES} more in {where}", markup=False, highlight=False)


def print_notes(findings: Sequence[Finding], code: str) -> None:
    """The findings of one code on stderr, a line each: what is to be known though nothing is wrong."""
    from rich.console import Console

    for finding in findings:
        if finding.code == code:
            Console(stderr=True).print(finding.message, markup=False, highlight=False, soft_wrap=True)
