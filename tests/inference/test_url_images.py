"""A real server on this machine that misbehaves on demand."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from kpt_tools.errors import DataError
from kpt_tools.inference.sources import Sources
from kpt_tools.inference.url_images import fetch, name_of_url


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (7, 5), (200, 10, 20)).save(buffer, "PNG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = self.path.partition("?")[0].rpartition("/")[2]
        if kind == "moved.png":
            self.send_response(302)
            self.send_header("Location", "/a.png")
            self.end_headers()
            return
        if kind == "to-file.png":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        if kind == "gone.png":
            self.send_error(404)
            return
        body = {"page.png": b"<!DOCTYPE html><html></html>", "huge.png": bytes(5000)}.get(kind, png())
        self.send_response(200)
        if kind != "endless.png":
            self.send_header("Content-Length", str(len(body) + (10 if kind == "short.png" else 0)))
        self.end_headers()
        if kind == "silent.png":
            time.sleep(1.0)
        if kind == "endless.png":
            body = bytes(200_000)
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["a.png", "moved.png"])
def test_fetched(server: str, path: str) -> None:
    assert fetch(f"{server}/{path}") == png()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone.png", r"/gone\.png: the server answers 404 Not Found; expected an image"),
        ("huge.png", r"/huge\.png: 0 MB; at most 0\.00195 MB are taken"),
        ("endless.png", r"/endless\.png: more than 0\.00195 MB, which is the most that is taken"),
        ("silent.png", r"/silent\.png: no answer within 0\.2 s; expected an image"),
        (
            "short.png",
            r"/short\.png: \d+ of \d+ bytes came; expected all|/short\.png: cannot be fetched \(IncompleteRead",
        ),
        ("to-file.png", r"/to-file\.png: .*not allowed"),
    ],
)
def test_refused(server: str, path: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        fetch(f"{server}/{path}?token=secret", timeout_s=0.2, max_bytes=2048)
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/a\.png: cannot be fetched \(.*refused"):
        fetch("http://127.0.0.1:9/a.png", timeout_s=2)


def test_too_slow_as_a_whole(server: str) -> None:
    with pytest.raises(DataError, match="not complete after 0 s"):
        fetch(f"{server}/endless.png", total_s=0)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/b.jpg", "example.org/a/b.jpg"),
        ("https://example.org/../../b%20c.jpg", "example.org/b c.jpg"),
        ("http://example.org", "example.org/index"),
        ("http://example.org/a%00b%0a.jpg", "example.org/a_b_.jpg"),
        ("https://example.org/%2e%2e/%2Fetc/x.png", "example.org/etc/x.png"),
    ],
)
def test_names(url: str, name: str) -> None:
    assert name_of_url(url) == name


def test_names_of_different_addresses_differ() -> None:
    urls = ["http://a/b", "http://a/b?x=1", "http://a/b?x=2", "http://a:81/b", "http://a:81/b?x=1"]
    names = {name_of_url(url) for url in urls}
    assert len(names) == 5
    assert all(name.startswith("a/b") for name in names)


def test_long_names_are_cut_and_stay_different() -> None:
    names = {name_of_url(f"http://a/{letter * 300}b.jpg") for letter in "xy"} | {
        name_of_url(f"http://a/{'x' * 301}b.jpg")
    }
    assert len(names) == 3
    assert all(len(name) < 130 for name in names)


def test_as_sources(server: str) -> None:
    sources = Sources([f"{server}/a.png", f"{server}/page.png", f"{server}/a.png"])
    assert sources.count == 2
    good, bad = sources
    assert re.fullmatch(r"127\.0\.0\.1/a-[0-9a-f]{8}\.png", good.name)
    assert np.array_equal(good.load(), np.full((5, 7, 3), (200, 10, 20), np.uint8))
    with pytest.raises(DataError, match=r"page\.png: not an image that can be read \(it holds HTML"):
        bad.load()
