"""HTML pages that fetch nothing: pictures and plots are inside them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kpt_tools.lazy import require
from kpt_tools.report.page_template import BASE, PARTS


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG with a caption, and a smaller second line."""

    jpeg: bytes
    caption: str
    note: str = ""

    @property
    def source(self) -> str:
        """The picture as the address of an ``img``."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


def render(template: str, page: object, filters: Mapping[str, Callable[..., str]] | None = None) -> str:
    """A page as HTML.

    Args:
        template: Jinja2; it extends "base" and may import from "parts". Every value is escaped.
        page: its only variable; `made_by` is needed by the frame.
        filters: more of them for this template, beside "twos" and "thousands".

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    jinja2 = require("jinja2", purpose="the HTML page")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"base": BASE, "parts": PARTS, "page": template}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["twos"] = _twos
    environment.filters["thousands"] = lambda number: f"{number:,}".replace(",", "\u202f")
    environment.filters.update(filters or {})
    html: str = environment.get_template("page").render(page=page)
    return html


def _twos(pictures: Sequence[Picture]) -> list[Sequence[Picture]]:
    return [pictures[start : start + 2] for start in range(0, len(pictures), 2)]
