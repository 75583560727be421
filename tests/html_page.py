"""Reads the pages that kpt-tools writes: are they well-formed, and do they fetch anything?"""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags that are left open or closed twice, and all that would be fetched."""

    VOID = ("meta", "img", "br", "link", "path", "use", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.addresses: list[str] = []
        self.images = 0
        self.feed(text)
        assert (self.open, self.faults) == ([], [])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def fetches_nothing(self) -> bool:
        """Whether every address is inside the page."""
        assert self.addresses
        inside = ("data:image/jpeg;base64,", "#", "data:image/png;base64,")
        return all(address.startswith(inside) for address in self.addresses)
