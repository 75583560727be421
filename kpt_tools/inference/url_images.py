"""Images from http(s) addresses, into memory, with limits."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kpt_tools import __version__
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from http.client import HTTPResponse

SCHEMES = ("http://", "https://")
TIMEOUT_S = 20.0
"""Without an answer, or without further bytes."""
TOTAL_S = 120.0
"""For the whole image."""
MAX_BYTES = 64 * 1024 * 1024

_BLOCK = 1 << 16
_LONGEST_STEP = 100


def is_url(text: str) -> bool:
    """Whether an input is an http(s) address."""
    return text.lower().startswith(SCHEMES)


def name_of_url(url: str) -> str:
    """A name for outputs: host and path as a path below some folder, and a mark of what is not in it (port, query)."""
    parts = urlsplit(url)
    path = "".join(letter if letter.isprintable() else "_" for letter in unquote(parts.path)).replace("\\", "/")
    steps = [step[-_LONGEST_STEP:] for step in path.split("/") if step not in ("", ".", "..")]
    long = parts.path if len(parts.path) > _LONGEST_STEP else ""
    rest = "?".join(filter(None, (parts.netloc.partition(":")[2], parts.query, long)))
    stem, suffix = os.path.splitext(steps[-1] if steps else "index")
    mark = f"-{hashlib.sha256(rest.encode()).hexdigest()[:8]}" if rest else ""
    return "/".join([parts.hostname or "", *steps[:-1], f"{stem}{mark}{suffix}"])


def fetch(url: str, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes behind an address; redirections are followed, to http(s) only.

    Args:
        url: http or https.
        timeout_s: give up after so long without an answer or without further bytes.
        total_s: give up if all of it takes longer.
        max_bytes: give up if there are more.

    Raises:
        DataError: it cannot be had within these limits; the message has the address without its query.
    """
    import http.client  # slow to import, and rarely needed
    import urllib.error
    import urllib.request

    where = url.partition("?")[0]
    request = urllib.request.Request(url, headers={"User-Agent": f"kpt-tools/{__version__}", "Accept": "image/*,*/*"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            if not is_url(response.geturl()):
                raise DataError(f"{where}: leads to {response.geturl()[:80]}; expected an http(s) address.")
            return _read(response, where, total_s, max_bytes)
    except urllib.error.HTTPError as exc:
        with exc:
            raise DataError(f"{where}: the server answers {exc.code} {exc.reason}; expected an image.") from exc
    except TimeoutError as exc:
        raise DataError(f"{where}: no answer within {timeout_s:g} s; expected an image. Try again later.") from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise DataError(f"{where}: cannot be fetched ({_reason(exc)}); expected an image. Check the address.") from exc


def _read(response: HTTPResponse, where: str, total_s: float, max_bytes: int) -> bytes:
    limit = f"{max_bytes / 1024 / 1024:.3g} MB"
    promised = response.headers.get("Content-Length", "")
    if promised.isdecimal() and int(promised) > max_bytes:
        raise DataError(f"{where}: {int(promised) / 1024 / 1024:.0f} MB; at most {limit} are taken.")
    end = time.monotonic() + total_s
    content = bytearray()
    while block := response.read1(_BLOCK):
        content += block
        if len(content) > max_bytes:
            raise DataError(f"{where}: more than {limit}, which is the most that is taken.")
        if time.monotonic() > end:
            raise DataError(f"{where}: not complete after {total_s:g} s; expected an image. Try again later.")
    if promised.isdecimal() and len(content) < int(promised):
        raise DataError(f"{where}: {len(content)} of {promised} bytes came; expected all. Try again.")
    return bytes(content)


def _reason(exc: BaseException) -> str:
    """What went wrong, in words; urllib puts the reason into another error."""
    inner = getattr(exc, "reason", None) or exc
    return " ".join(str(inner).split()) or type(inner).__name__
