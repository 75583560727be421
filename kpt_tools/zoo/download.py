"""A download over http that goes on where it was cut off.

Python's own urllib is enough: pooch, the usual library for this, does not resume, and is made for files whose
checksums are known, which the zoo's are not.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import kpt_tools
from kpt_tools.errors import KptToolsError
from kpt_tools.zoo.listener import SILENT, Listener, megabytes
from kpt_tools.zoo.part_file import Origin, PartFile, finish, open_part
from kpt_tools.zoo.source import public

_BLOCK = 1 << 16
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")


@dataclass(frozen=True)
class Policy:
    """How patient a download is.

    Attributes:
        timeout_s: the longest silence of the server.
        attempts: tries in a row that bring less than `progress_bytes` before giving up.
        backoff_s: pause after the first failure; it doubles with each.
        max_backoff_s: longest pause.
        progress_bytes: a try that brought so much was no failure, even if it was cut off.
        max_bytes: a larger file is refused.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    backoff_s: float = 1.0
    max_backoff_s: float = 60.0
    progress_bytes: int = 1 << 20
    max_bytes: int = 8 << 30

    def pause_s(self, failures: int, asked_s: float = 0.0) -> float:
        """The pause after so many failures in a row, or as long as the server asks for, within bounds."""
        return min(max(self.backoff_s * 2.0 ** min(failures - 1, 60), asked_s), self.max_backoff_s)


@dataclass(frozen=True)
class Download:
    """A file that is complete.

    Attributes:
        path: the file.
        total: its bytes.
        resumed_from: bytes that were there before this run.
    """

    path: Path
    total: int
    resumed_from: int


class _TryAgain(Exception):
    """This try failed; another may not.

    Attributes:
        reason: what happened, for people.
        wait_s: how long the server asks to wait.
    """

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


def download(url: str, archive: Path, *, policy: Policy | None = None, listener: Listener = SILENT) -> Download:
    """Download `url` to `archive`, going on with ``<archive>.part`` if that is a part of the same file.

    The archive appears only when it is complete. Whatever ends the download, the part stays for the next time.

    Raises:
        ConfigError: the folder cannot be written to, or another process is downloading the same.
        KptToolsError: the server does not have the file or cannot be reached, or the disk is full.
    """
    with open_part(archive) as part:
        resumed_from = _Transfer(url, archive, part, policy or Policy(), listener).run()
    finish(archive)
    return Download(archive, archive.stat().st_size, resumed_from)


class _Transfer:
    def __init__(self, url: str, archive: Path, part: PartFile, policy: Policy, listener: Listener) -> None:
        self._url, self._archive, self._part = url, archive, part
        self._policy, self._listener = policy, listener
        self._public = public(url)
        self._resumed_from = 0
        if part.origin is not None and part.origin.url != self._public:
            listener.note(f"the part in {archive.parent} comes from {part.origin.url}: starting anew")
            part.restart()

    def run(self) -> int:
        """Receive what is missing; return the number of bytes that were there before and still are."""
        self._resumed_from = self._part.size
        failures = 0
        while not self._complete():
            before = self._part.size
            try:
                self._try()
            except _TryAgain as trouble:
                moved = self._part.size - before >= self._policy.progress_bytes
                failures = 1 if moved else failures + 1
                if failures >= self._policy.attempts:
                    raise self._gave_up(trouble, failures) from trouble
                self._pause(trouble, failures)
            else:
                break
        self._part.sync()
        return self._resumed_from

    def _complete(self) -> bool:
        """Whether nothing is missing: the last run may have ended just before the file got its name."""
        origin = self._part.origin
        return origin is not None and origin.total is not None and self._part.size == origin.total > 0

    def _try(self) -> None:
        """Ask for what is missing, and take it.

        Raises:
            _TryAgain: it did not all come.
        """
        request = urllib.request.Request(self._url, headers=self._headers())
        try:
            with self._network():
                response = urllib.request.urlopen(request, timeout=self._policy.timeout_s)
        except urllib.error.HTTPError as exc:
            with exc:
                return self._refused(exc)
        with response:
            self._accept(response)
            self._receive(response)

    @contextlib.contextmanager
    def _network(self) -> Iterator[None]:
        """Translate the errors of the connection, and of nothing else."""
        try:
            yield
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as exc:
            raise self._broken(exc) from exc

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"kpt-tools/{kpt_tools.__version__}", "Accept-Encoding": "identity"}
        if self._part.size and self._part.origin is not None:
            headers["Range"] = f"bytes={self._part.size}-"
            if self._part.origin.validator:
                headers["If-Range"] = self._part.origin.validator
        return headers

    def _accept(self, response: http.client.HTTPResponse) -> None:
        """Compare the answer with the part, and start anew where they do not fit."""
        total: int | None
        if response.status == 206:
            total = self._rest(response)
        elif response.status == 200:
            if self._part.size:
                self._start_anew("the server sends the whole file, not the rest of it (it changed, or cannot resume)")
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        else:
            raise KptToolsError(f"{self._public}: the server answered {response.status}; expected 200 and the archive.")
        self._expect(total)
        self._part.belongs_to(Origin(self._public, total, _validator(response)))

    def _rest(self, response: http.client.HTTPResponse) -> int:
        """The size of the whole file, if the answer goes on where the part ends."""
        origin = self._part.origin
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if origin is None or not found or int(found[1]) != self._part.size:
            self._start_anew("the server sent another part than was asked for")
            raise _TryAgain("the server's answer does not fit")
        total = int(found[3])
        if origin.total not in (None, total) or origin.validator not in ("", _validator(response)):
            self._start_anew("the server's file is not the one that the part belongs to")
            raise _TryAgain("the server's file changed")
        return total

    def _start_anew(self, why: str) -> None:
        self._listener.note(f"{why}: starting anew")
        self._part.restart()
        self._resumed_from = 0

    def _expect(self, total: int | None) -> None:
        """Refuse a file that is too large, for us or for the disk."""
        if total is None:
            return
        if total > self._policy.max_bytes:
            raise self._too_large(total)
        needed, free = total - self._part.size, shutil.disk_usage(self._archive.parent).free
        if needed > free:
            raise KptToolsError(
                f"{self._archive.parent}: {megabytes(free)} are free; the rest of {self._archive.name} has "
                f"{megabytes(needed)}, and unpacking needs about as much again. Make room and run again."
            )

    def _receive(self, response: http.client.HTTPResponse) -> None:
        total = self._part.origin.total if self._part.origin else None
        self._listener.progress(self._part.size, total)
        while block := self._read(response):
            if self._part.size + len(block) > self._policy.max_bytes:
                raise self._too_large(self._part.size + len(block))
            self._part.append(block)
            self._listener.progress(self._part.size, total)
        if total is not None and self._part.size < total:
            raise _TryAgain(f"the connection ended after {megabytes(self._part.size)} of {megabytes(total)}")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        with self._network():
            return response.read1(_BLOCK)

    def _refused(self, exc: urllib.error.HTTPError) -> None:
        """Tell what an error status means.

        Raises:
            _TryAgain: it may pass.
            KptToolsError: it will not.
        """
        if exc.code == 416 and self._part.size:
            found = _UNSATISFIED.fullmatch(exc.headers.get("Content-Range", ""))
            if found and int(found[1]) == self._part.size:
                return  # nothing is missing
            self._start_anew("the part is longer than the server's file")
            raise _TryAgain("the server has no such part")
        if exc.code in _TEMPORARY:
            raise _TryAgain(f"the server answered {exc.code} {exc.reason}", _seconds(exc.headers.get("Retry-After")))
        raise KptToolsError(
            f"{self._public}: the server answered {exc.code} {exc.reason}; expected the archive. Check the address, or "
            "give another one with --url."
        ) from exc

    def _broken(self, exc: OSError | http.client.HTTPException) -> Exception:
        cause = exc.reason if isinstance(exc, urllib.error.URLError) else exc
        if isinstance(cause, ssl.SSLCertVerificationError):
            return KptToolsError(f"{self._public}: the server's certificate is not valid ({cause.verify_message}).")
        if isinstance(cause, TimeoutError):
            return _TryAgain(f"the server was silent for {self._policy.timeout_s:g} s")
        text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return _TryAgain(f"the connection failed ({' '.join(text.split())})")

    def _pause(self, trouble: _TryAgain, failures: int) -> None:
        pause = self._policy.pause_s(failures, trouble.wait_s)
        self._listener.note(f"{trouble.reason}; trying again in {pause:.0f} s")
        time.sleep(pause)

    def _gave_up(self, trouble: _TryAgain, failures: int) -> KptToolsError:
        have = self._part.size
        rest = f"{megabytes(have)} are kept; the same command goes on from there" if have else "Try again later"
        return KptToolsError(
            f"{self._public}: {trouble.reason}, after {failures} tries in a row. {rest}, or use another server or a "
            "file with --url."
        )

    def _too_large(self, size: int) -> KptToolsError:
        return KptToolsError(
            f"{self._public}: at least {megabytes(size)}; no model of the zoo has more than "
            f"{megabytes(self._policy.max_bytes)}. Check the address."
        )


def _validator(response: http.client.HTTPResponse) -> str:
    """What tells this version of the file from others: a weak ETag does not."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _seconds(retry_after: str | None) -> float:
    """The value of a Retry-After header: seconds or a date; 0 if it says nothing."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
