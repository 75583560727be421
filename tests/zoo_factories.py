"""Archives in the zoo's layout, and a server on this machine that has good and bad moments."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from kpt_tools.zoo.catalogue import ZooModel, find_model

HOURGLASS = "centernet_hg104_512x512_kpts_coco17_tpu-32"
MOBILE = "centernet_mobilenetv2fpn_512x512_coco17_kpts"

Member = tuple[tarfile.TarInfo, bytes]


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that gzip cannot make smaller."""
    return random.Random(seed).randbytes(size)


def zoo_files(model: ZooModel, *, number: int = 0, weights: bytes = b"") -> dict[str, bytes]:
    """The files of a model, relative to its folder."""
    config = f'model {{ center_net {{ num_classes: 90 feature_extractor {{ type: "{model.extractor}" }} }} }}\n'
    return {
        "pipeline.config": config.encode(),
        "checkpoint/checkpoint": f'model_checkpoint_path: "ckpt-{number}"\n'.encode(),
        f"checkpoint/ckpt-{number}.index": b"index",
        f"checkpoint/ckpt-{number}.data-00000-of-00001": weights or noise(300_000),
        "saved_model/saved_model.pb": b"saved model",
        "saved_model/variables/variables.index": b"index",
        "saved_model/variables/variables.data-00000-of-00001": b"data",
    }


def file_member(name: str, data: bytes = b"data") -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def odd_member(name: str, kind: bytes, target: str = "") -> Member:
    """A link, a device, a folder or a pipe."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar_gz(*members: Member, tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tar_format, compresslevel=1) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zoo_archive(
    name: str = HOURGLASS, *extra: Member, top: str | None = None, drop: str = "", **files: object
) -> bytes:
    """The archive of a model; `top` is its top folder, `drop` a file that it lacks."""
    model = find_model(name)
    number = 301 if "mobilenet" in name else 0
    top = f"{model.folder}/" if top is None else top
    contents: Mapping[str, bytes] = zoo_files(model, number=number, **files)  # type: ignore[arg-type]
    folders = [odd_member(top.rstrip("/"), tarfile.DIRTYPE)] if top.strip("./") else []
    members = [file_member(f"{top}{path}", data) for path, data in contents.items() if path != drop]
    return tar_gz(*folders, *members, *extra)


def zoo_folder(parent: Path, name: str = HOURGLASS) -> Path:
    """A model's folder as it is after unpacking."""
    model = find_model(name)
    for path, data in zoo_files(model).items():
        (parent / model.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (parent / model.folder / path).write_bytes(data)
    return parent / model.folder


class Handler(BaseHTTPRequestHandler):
    """Does for each request what is next on the server's list; the last entry repeats."""

    server: ZooServer

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(Request(self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        moment = server.moments.pop(0) if len(server.moments) > 1 else server.moments[0]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            moment(self)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


Moment = Callable[[Handler], None]


@dataclass(frozen=True)
class Request:
    path: str
    range: str | None
    if_range: str | None

    @property
    def start(self) -> int:
        return int(self.range.removeprefix("bytes=").removesuffix("-")) if self.range else 0


class ZooServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, data: bytes, moments: list[Moment]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = data
        self.moments = moments
        self.requests: list[Request] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def serve(data: bytes, *moments: Moment) -> Iterator[ZooServer]:
    """A server of `data` under every path."""
    server = ZooServer(data, list(moments) or [good()])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"}):
            yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


def _answer(handler: Handler, *, ranges: bool, etag: bool) -> bytes:
    """Send the head of a good answer; return the body."""
    data = handler.server.data
    wanted = handler.headers.get("Range")
    current = handler.headers.get("If-Range") in (None, etag_of(data))
    headers = {"ETag": etag_of(data)} if etag else {}
    if not (ranges and wanted and current):
        handler.head(200, {**headers, "Content-Length": str(len(data))})
        return data
    start = handler.server.requests[-1].start
    if start >= len(data):
        handler.head(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
        return b""
    body = data[start:]
    span = f"bytes {start}-{len(data) - 1}/{len(data)}"
    handler.head(206, {**headers, "Content-Length": str(len(body)), "Content-Range": span})
    return body


def good(*, ranges: bool = True, etag: bool = True) -> Moment:
    """The file, or the rest of it that is asked for."""
    return lambda handler: _write(handler, _answer(handler, ranges=ranges, etag=etag))


def cut(after: int, *, ranges: bool = True, etag: bool = True) -> Moment:
    """The connection ends after so many bytes of the body."""
    return lambda handler: _write(handler, _answer(handler, ranges=ranges, etag=etag)[:after])


def stalled(after: int) -> Moment:
    """After so many bytes of the body, nothing more comes."""

    def moment(handler: Handler) -> None:
        _write(handler, _answer(handler, ranges=True, etag=True)[:after])
        handler.wfile.flush()
        handler.server.ended.wait(30)

    return moment


def status(code: int, **headers: str) -> Moment:
    """An error, or a redirection."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.head(code, {"Content-Length": "0", **fields})


def without_length() -> Moment:
    """The file, its end marked by the end of the connection alone."""

    def moment(handler: Handler) -> None:
        handler.head(200, {})
        _write(handler, handler.server.data)

    return moment


def odd_range(header: str) -> Moment:
    """An answer to a request for a range that does not fit it; to others a good one."""

    def moment(handler: Handler) -> None:
        if handler.headers.get("Range"):
            handler.head(206, {"Content-Range": header, "Content-Length": "4"})
            _write(handler, b"oops")
        else:
            good()(handler)

    return moment


def _write(handler: Handler, body: bytes) -> None:
    handler.wfile.write(body)


@dataclass
class Heard:
    """A listener that remembers."""

    phases: list[str] = field(default_factory=list)
    done: list[tuple[int, int | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def progress(self, done: int, total: int | None) -> None:
        self.done.append((done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)
