"""HTTP with coco-annotator: one session, bounded patience, and one line for whatever goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

import kpt_tools
from kpt_tools.config.hosts import is_loopback
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import atomic_open

_PASSING = frozenset({429, 502, 503, 504})
_BLOCK = 1 << 18
_SHOWN = 160


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to try.

    Attributes:
        connect_s: for a connection.
        read_s: for the next bytes of an answer.
        attempts: tries in all.
        backoff_s: pause after the first failure; it doubles with each.
        sleep: waits so many seconds.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    attempts: int = 3
    backoff_s: float = 0.5
    sleep: Callable[[float], None] = time.sleep


class Unreachable(EngineError):
    """The server did not answer, or not to the end, however often it was asked."""


class Refused(EngineError):
    """The server answered with an error.

    Attributes:
        status: its HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _CutOff(Exception):
    """A download ended too early."""


class Transport:
    """Asks coco-annotator at one address; cookies are kept, redirections are not followed."""

    def __init__(self, base: str, patience: Patience) -> None:
        """Take the address that ``/api`` is put behind."""
        self.base = base
        self.patience = patience
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"kpt-tools/{kpt_tools.__version__}"
        self._session.auth = _no_netrc
        if is_loopback(urlsplit(base).hostname or ""):
            self._session.trust_env = False  # no proxy between a machine and itself

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(self, method: str, path: str, *, again: bool = True, read_s: float = 0.0, **options: Any) -> Any:
        """The JSON that the server answers with.

        Args:
            method: "GET" or "POST".
            path: behind ``/api``.
            again: whether to ask again after a failure that may pass.
            read_s: longest silence of the server; 0: the usual.
            **options: of `requests.Session.request`.

        Raises:
            ConfigError: the server refuses, or is no coco-annotator.
            Refused: the server failed.
            Unreachable: no answer.
        """
        return self.value_of(self.response(method, path, again=again, read_s=read_s, **options))

    def response(
        self, method: str, path: str, *, again: bool = True, read_s: float = 0.0, **options: Any
    ) -> requests.Response:
        """The server's answer, checked for its status only; see `ask`."""
        timeout = (self.patience.connect_s, read_s or self.patience.read_s)
        for attempt in range(1, self.patience.attempts + 1):
            last = attempt == self.patience.attempts or not again
            try:
                response = self._session.request(
                    method, f"{self.base}/api{path}", timeout=timeout, allow_redirects=False, **options
                )
            except requests.RequestException as exc:
                if last or isinstance(exc, requests.exceptions.SSLError):
                    raise self._unreachable(exc, attempt) from exc
            else:
                if last or response.status_code not in _PASSING:
                    return self._checked(response)
                response.close()
            self._pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def download(self, path: str, params: dict[str, str], target: Path) -> int:
        """Write the file that the server sends to `target`, whole or not at all, and return its size.

        Raises:
            ConfigError: the server refuses, or sends something that is no image; or `target` cannot be written.
            Refused: the server failed.
            Unreachable: no answer, or always an incomplete one.
        """
        for attempt in range(1, self.patience.attempts + 1):
            response = self.response("GET", path, params=params, stream=True)
            try:
                self._refuse_text(response)
                return self._receive(response, target)
            except _CutOff as exc:
                if attempt == self.patience.attempts:
                    raise Unreachable(
                        f"{self.base}/api{path}: {exc}, {attempt} times in a row. Run the same command again: it "
                        "goes on with this file."
                    ) from exc
            finally:
                response.close()
            self._pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def value_of(self, response: requests.Response) -> Any:
        """The JSON of an answer.

        Raises:
            ConfigError: it is something else.
        """
        try:
            return response.json()
        except (ValueError, RecursionError) as exc:
            kind = "an HTML page" if _is_html(response) else f"something that is not JSON ({_excerpt(response)})"
            raise ConfigError(
                f"{response.url}: the server answered with {kind}; expected JSON. Is {self.base} the address of "
                "coco-annotator itself, without anything behind it?"
            ) from exc

    def _receive(self, response: requests.Response, target: Path) -> int:
        length = response.headers.get("Content-Length", "")
        size = 0
        with atomic_open(target) as handle:
            try:
                for block in response.iter_content(_BLOCK):
                    handle.write(block)
                    size += len(block)
            except requests.RequestException as exc:  # an OSError, which must not look like one of the disk
                raise _CutOff(f"the connection ended after {size} bytes of {length or 'an unknown number'}") from exc
            if length.isdecimal() and "Content-Encoding" not in response.headers and size != int(length):
                raise _CutOff(f"{size} bytes came; {length} were promised")
            if not size:
                raise _CutOff("the file is empty")
        return size

    def _refuse_text(self, response: requests.Response) -> None:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind.startswith("text/") or kind == "application/json":
            raise ConfigError(
                f"{response.url}: the server answered with {kind} ({_excerpt(response)}); expected an image. Is "
                f"{self.base} the address of coco-annotator itself?"
            )

    def _checked(self, response: requests.Response) -> requests.Response:
        status = response.status_code
        if status < 300:
            return response
        where, said = response.url, _message(response)
        response.close()
        if status < 400:
            target = response.headers.get("Location", "another address")
            raise ConfigError(f"{where}: the server sends us on to {target}. Give the address that it wants as --url.")
        if status == 401:
            raise ConfigError(f"{where}: not logged in ({said}). Give --user, and check name and password.")
        if status == 403:
            raise ConfigError(f"{where}: not allowed ({said}). Log in as the owner of the data set or as an admin.")
        if status == 413:
            raise ConfigError(f"{where}: the file is too large for the server ({said}). Raise the limit of its proxy.")
        if status == 404:
            raise ConfigError(f"{where}: the server knows no such address ({said}). Is {self.base} a coco-annotator?")
        raise Refused(f"{where}: the server answered {status} ({said}).", status)

    def _unreachable(self, exc: requests.RequestException, attempts: int) -> EngineError:
        if isinstance(exc, requests.exceptions.SSLError):
            return EngineError(
                f"{self.base}: no secure connection ({_reason(exc)}). If the certificate is your own, name it in the "
                "environment variable REQUESTS_CA_BUNDLE."
            )
        tries = f" ({attempts} tries)" if attempts > 1 else ""
        return Unreachable(
            f"{self.base}: {_reason(exc)}{tries}; expected coco-annotator there. Check that it runs and that --url is "
            "right."
        )

    def _pause(self, attempt: int) -> None:
        self.patience.sleep(self.patience.backoff_s * 2 ** (attempt - 1))


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication that adds nothing: without one, requests looks for a password in ~/.netrc."""
    return request


def _reason(exc: requests.RequestException) -> str:
    """What happened, without addresses of objects and the layers of three libraries."""
    text = str(exc)
    known = {
        requests.exceptions.ConnectTimeout: "no connection within the time limit",
        requests.exceptions.ReadTimeout: "the server was silent for too long",
        requests.exceptions.ChunkedEncodingError: "the connection ended in the middle of the answer",
        requests.exceptions.ProxyError: "the proxy of the environment does not let us through",
    }
    for kind, reason in known.items():
        if isinstance(exc, kind):
            return reason
    marks = {
        "Connection refused": "the connection was refused",
        "Name or service not known": "there is no such host",
        "nodename nor servname": "there is no such host",
        "getaddrinfo failed": "there is no such host",
        "Temporary failure in name resolution": "the host name cannot be looked up",
        "Failed to resolve": "there is no such host",
        "CERTIFICATE_VERIFY_FAILED": "its certificate is not valid",
        "WRONG_VERSION_NUMBER": "it does not speak https",
        "Connection aborted": "the connection was closed without an answer",
        "No route to host": "there is no way to that host",
    }
    return next((reason for mark, reason in marks.items() if mark in text), _short(text) or type(exc).__name__)


def _message(response: requests.Response) -> str:
    """What the server says about a refusal."""
    try:
        value = response.json()
    except (ValueError, requests.RequestException):
        return response.reason or "no reason given"
    said = value.get("message") if isinstance(value, dict) else None
    return _short(str(said)) if said else (response.reason or "no reason given")


def _excerpt(response: requests.Response) -> str:
    try:
        return _short(response.text) or "nothing"
    except requests.RequestException:
        return "cut off"


def _is_html(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "").lower()
    return "html" in kind or response.content[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
