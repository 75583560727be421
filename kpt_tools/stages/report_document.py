"""Findings as a JSON document, for the commands that leave a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kpt_tools.annotations.codes import CODES, ranked_codes, repair_command
from kpt_tools.entities import Report


def report_dict(report: Report, source: str = "ANNOTATIONS.json") -> dict[str, Any]:
    """The report as JSON, with the meaning of each code that occurs, the worst first."""
    meanings: Mapping[str, Any] = {
        code: {
            "severity": CODES[code].severity,
            "meaning": CODES[code].meaning,
            "consequence": CODES[code].consequence,
            "advice": CODES[code].advice,
            "repair": repair_command(code, source),
        }
        for code in ranked_codes(report)
    }
    return {**report.to_dict(), "codes": meanings}
