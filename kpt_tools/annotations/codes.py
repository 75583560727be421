"""Every finding about annotations and images: its stable code, how bad it is, what it means, what to do.

"error": an object, a point, a class or an image is lost. "warning": something is changed, or is probably
a mistake. "info": worth knowing, nothing is changed that a training would see.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from kpt_tools.annotations.code_texts_annotations import ANNOTATION_TEXTS
from kpt_tools.annotations.code_texts_exchange import EXCHANGE_TEXTS
from kpt_tools.annotations.code_texts_images import IMAGE_TEXTS
from kpt_tools.entities import Finding, Report, Severity

RepairKind = Literal["", "safe", "choice"]
SEVERITY_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


NEEDS_IMAGES = frozenset({"image-missing", "image-size-missing"})
"""Repairs that have to look at the image folder."""


@dataclass(frozen=True, slots=True)
class FindingCode:
    """What a code stands for.

    Attributes:
        severity: how bad it is.
        meaning: what was found.
        consequence: what becomes of it if nothing is done.
        advice: what a person can do.
        repair: what `kpt-tools repair` can do: "safe" loses nothing, "choice" decides or removes something and has
            to be asked for, "" nothing.
    """

    severity: Severity
    meaning: str
    consequence: str
    advice: str
    repair: RepairKind = ""


CODES: dict[str, FindingCode] = {
    code: FindingCode(severity, *texts)  # type: ignore[arg-type]
    for severity in SEVERITY_RANK
    for table in (ANNOTATION_TEXTS, IMAGE_TEXTS, EXCHANGE_TEXTS)
    for code, texts in table[severity].items()
}


def finding(code: str, message: str, *, image: str = "", annotation_id: int | None = None) -> Finding:
    """A finding of a known code, with the code's severity."""
    return Finding(code, CODES[code].severity, message, image, annotation_id)


def ranked_codes(report: Report) -> list[str]:
    """The codes of a report, the worst and most frequent first."""
    counts = report.counts()
    return sorted(counts, key=lambda code: (SEVERITY_RANK[CODES[code].severity], -counts[code], code))


def repair_command(code: str, source: str = "ANNOTATIONS.json", images: str = "IMAGES") -> str:
    """The command line that repairs `code` in the file `source`, or "" if only a person can."""
    if not CODES[code].repair:
        return ""
    named = [shlex.quote(source), *([shlex.quote(images)] if code in NEEDS_IMAGES else [])]
    out = shlex.quote(f"{source.removesuffix('.json')}_repaired.json")
    return f"kpt-tools repair {' '.join(named)} --codes {code} --out {out}"
