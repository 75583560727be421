"""What coco-annotator's REST interface offers, as far as data sets go in and out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.annotator.transport import Refused, Transport, Unreachable
from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError, EngineError

PAGE_SIZE = 100
SLOW = 10
"""The server builds an export while we wait, picture by picture: so many times the usual patience."""

_LOG_LINE = re.compile(r"(?:\[[^\]]*\]\s*)?\[(WARNING|ERROR)\]\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RemoteDataset:
    """A data set that the user can see."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """A picture of a data set; `annotations` is the number of objects, as far as the server knows."""

    id: int
    file_name: str
    annotations: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """All pictures of a data set, also those without objects, and the names of its categories."""

    images: tuple[RemoteImage, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """How far the server is with an upload; the log holds its warnings and errors."""

    completed: bool
    warnings: int = 0
    errors: int = 0
    log: tuple[str, ...] = ()


class Client:
    """A session with one coco-annotator."""

    def __init__(self, transport: Transport) -> None:
        """Take what speaks with the server."""
        self._transport = transport
        self._user = ""

    def login(self, user: str, password: str) -> None:
        """Log in; the session keeps the cookie.

        Raises:
            ConfigError: name or password is wrong.
            EngineError: the server failed or cannot be reached.
        """
        credentials = {"username": user, "password": password}
        try:
            answer = self._transport.ask("POST", "/user/login", json=credentials)
        except Refused as exc:
            if exc.status == 400:
                raise self._wrong_login(user) from exc
            raise
        if not isinstance(answer, dict) or answer.get("success") is not True:
            raise self._wrong_login(user)
        self._user = user

    def dataset(self, name: str) -> RemoteDataset:
        """The data set of that name.

        Raises:
            ConfigError: there is none, or the login does not hold.
            EngineError: the server failed or cannot be reached.
        """
        rows = _rows(self._transport.ask("GET", "/dataset/"), "data sets", self._transport.base)
        known = {str(row["name"]): RemoteDataset(int(row["id"]), str(row["name"])) for row in rows if "name" in row}
        if name in known:
            return known[name]
        who = f"that '{self._user}' can see" if self._user else "that can be seen without a login"
        if not known:
            raise ConfigError(f"{self._transport.base}: no data set {who}; expected '{name}'. Check --user.")
        raise ConfigError(f"{self._transport.base}: no data set '{name}' {who}{did_you_mean(name, known)}")

    def listing(self, dataset: RemoteDataset) -> Listing:
        """All pictures, page by page.

        Raises:
            EngineError: the server failed, cannot be reached, or its pages do not add up.
        """
        found, total, names = self._pages(dataset, {})
        if len(found) != total:  # pictures of one name may change places from page to page
            found, total, names = self._pages(dataset, {"order": "id"})
        if len(found) != total:
            raise EngineError(
                f"{self._transport.base}: data set '{dataset.name}' has {total} pictures, its pages list {len(found)}. "
                "Run again when nobody adds pictures."
            )
        return Listing(tuple(found.values()), names)

    def coco(self, dataset: RemoteDataset) -> tuple[bytes, Any]:
        """The direct COCO export: as the server sent it, and parsed.

        Raises:
            ConfigError: the user is not its owner.
            EngineError: the server failed or cannot be reached.
        """
        read_s = self._transport.patience.read_s * SLOW
        response = self._transport.response("GET", f"/dataset/{dataset.id}/coco", read_s=read_s)
        return response.content, self._transport.value_of(response)

    def image_size(self, image: RemoteImage) -> int | None:
        """Bytes of the original file; None if the server does not tell."""
        response = self._transport.response("HEAD", f"/image/{image.id}", params={"original": "true"})
        length = response.headers.get("Content-Length", "")
        response.close()
        return int(length) if length.isdecimal() and "Content-Encoding" not in response.headers else None

    def download(self, image: RemoteImage, target: Path, *, original: bool = True) -> int:
        """Write the picture to `target` and return its bytes; not original: re-encoded by the server as JPEG.

        Raises:
            ConfigError: the server does not hand it out; or `target` cannot be written.
            EngineError: the server failed.
            Unreachable: it cannot be reached.
        """
        params = {"original": "true"} if original else {}
        return self._transport.download(f"/image/{image.id}", params, target)

    def upload(self, dataset: RemoteDataset, name: str, content: bytes) -> int | None:
        """Hand over a COCO file; the server takes it in later, as a task, whose id is returned if it tells.

        Raises:
            EngineError: the server failed, cannot be reached, or does not take the file.
        """
        files = {"coco": (name, content, "application/json")}
        try:
            answer = self._transport.ask("POST", f"/dataset/{dataset.id}/coco", again=False, files=files)
        except Unreachable as exc:
            raise Unreachable(
                f"{exc} It may have taken the file all the same: look under Tasks before you push again."
            ) from exc
        task = answer.get("id") if isinstance(answer, dict) else None
        return task if isinstance(task, int) else None

    def progress(self, task: int) -> Import | None:
        """How far an upload is; None if the server does not tell (other versions have no such list)."""
        try:
            rows = _rows(self._transport.ask("GET", "/tasks/"), "tasks", self._transport.base)
        except (ConfigError, EngineError):
            return None
        row = next((row for row in rows if row.get("id") == task), None)
        if row is None:
            return None
        warnings, errors = int(row.get("warnings") or 0), int(row.get("errors") or 0)
        done = bool(row.get("completed"))
        return Import(done, warnings, errors, self._log(task) if done and warnings + errors else ())

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _log(self, task: int) -> tuple[str, ...]:
        try:
            answer = self._transport.ask("GET", f"/tasks/{task}/logs")
        except (ConfigError, EngineError):
            return ()
        lines = answer.get("logs") if isinstance(answer, dict) else None
        found = [_LOG_LINE.match(str(line)) for line in lines or []]
        return tuple(f"{match[1].lower()}: {' '.join(match[2].split())}" for match in found if match)

    def _pages(
        self, dataset: RemoteDataset, params: Mapping[str, str]
    ) -> tuple[dict[int, RemoteImage], int, tuple[str, ...]]:
        found: dict[int, RemoteImage] = {}
        page, pages = 1, 1
        total = 0
        names: tuple[str, ...] = ()
        while page <= pages:
            query = {**params, "page": str(page), "limit": str(PAGE_SIZE)}
            answer = self._transport.ask("GET", f"/dataset/{dataset.id}/data", params=query)
            total, pages = self._counts(answer)
            names = tuple(str(row.get("name", "")) for row in _rows(answer.get("categories"), "categories", "data"))
            rows = _rows(answer.get("images"), "pictures", self._transport.base)
            for row in rows:
                image = RemoteImage(int(row["id"]), str(row["file_name"]), int(row.get("num_annotations") or 0))
                found[image.id] = image
            if not rows:
                break
            page += 1
        return found, total, names

    def _counts(self, answer: Any) -> tuple[int, int]:
        total = answer.get("total") if isinstance(answer, dict) else None
        pages = answer.get("pages") if isinstance(answer, dict) else None
        if not isinstance(total, int) or not isinstance(pages, int):
            raise EngineError(
                f"{self._transport.base}: a page of the data set has no 'total' and 'pages'; expected coco-annotator's "
                "list of pictures. Check --url and the version of the server."
            )
        return total, pages

    def _wrong_login(self, user: str) -> ConfigError:
        return ConfigError(
            f"{self._transport.base}: the login of '{user}' was refused. Check --user and the password "
            "(KPT_TOOLS_PASSWORD, or the prompt)."
        )


def _rows(value: Any, what: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise EngineError(f"{where}: no list of {what} came; expected that of coco-annotator. Check --url.")
    return value
