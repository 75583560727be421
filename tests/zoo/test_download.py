"""Downloads from a server on this machine, in good and in bad moments."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from zoo_factories import Heard, Moment, cut, etag_of, good, noise, odd_range, serve, stalled, status, without_length

from kpt_tools.errors import ConfigError, KptToolsError
from kpt_tools.zoo.download import Policy, _seconds, download
from kpt_tools.zoo.part_file import Origin, open_part, origin_of, part_of, read_origin

DATA = noise(200_000)
QUICK = Policy(timeout_s=5.0, attempts=3, backoff_s=0.01, progress_bytes=1000)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "models" / "x.tar.gz"


def left(archive: Path) -> list[str]:
    return sorted(path.name for path in archive.parent.iterdir())


def begin(archive: Path, size: int, url: str, *, total: int | None = len(DATA), data: bytes = DATA) -> None:
    """A part as an earlier run left it."""
    with open_part(archive) as part:
        part.append(data[:size])
        part.belongs_to(Origin(url, total, etag_of(DATA)))


def test_good(archive: Path) -> None:
    heard = Heard()
    with serve(DATA) as server:
        done = download(f"{server.url}/x.tar.gz?token=secret", archive, policy=QUICK, listener=heard)
    assert archive.read_bytes() == DATA
    assert (done.path, done.total, done.resumed_from) == (archive, len(DATA), 0)
    assert [request.range for request in server.requests] == [None]
    assert left(archive) == ["x.tar.gz", "x.tar.gz.part.json"]
    assert heard.done[0] == (0, len(DATA))
    assert heard.done[-1] == (len(DATA), len(DATA))
    assert heard.done == sorted(heard.done)
    assert heard.notes == []
    origin = read_origin(archive)
    assert origin is not None
    assert origin.url == f"{server.url}/x.tar.gz"
    assert (origin.total, origin.validator) == (len(DATA), etag_of(DATA))


def test_a_cut_connection_goes_on_where_it_ended(archive: Path) -> None:
    heard = Heard()
    with serve(DATA, cut(70_000), cut(50_000), good()) as server:
        download(f"{server.url}/x", archive, policy=QUICK, listener=heard)
    assert archive.read_bytes() == DATA
    assert [request.start for request in server.requests] == [0, 70_000, 120_000]
    assert [request.if_range for request in server.requests] == [None, etag_of(DATA), etag_of(DATA)]
    assert heard.notes == [
        "the connection ended after 70000 bytes of 0.2 MB; trying again in 0 s",
        "the connection ended after 0.1 MB of 0.2 MB; trying again in 0 s",
    ]


def test_many_cuts_are_no_reason_to_give_up_while_bytes_come(archive: Path) -> None:
    with serve(DATA, *[cut(20_000)] * 9, good()) as server:
        download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA
    assert len(server.requests) == 10


def test_a_later_run_goes_on(archive: Path) -> None:
    with serve(DATA, cut(90_000), cut(0), cut(0), good()) as server:
        with pytest.raises(
            KptToolsError, match=r"after 3 tries in a row\. 90000 bytes are kept; the same command goes"
        ):
            download(f"{server.url}/x", archive, policy=QUICK)
        assert left(archive) == ["x.tar.gz.part", "x.tar.gz.part.json"]
        done = download(f"{server.url}/x", archive, policy=QUICK)
    assert done.resumed_from == 90_000
    assert archive.read_bytes() == DATA
    assert server.requests[-1].start == 90_000


def test_a_server_that_cannot_resume_sends_everything_again(archive: Path) -> None:
    heard = Heard()
    with serve(DATA, cut(70_000, ranges=False), good(ranges=False)) as server:
        done = download(f"{server.url}/x", archive, policy=QUICK, listener=heard)
    assert archive.read_bytes() == DATA
    assert done.resumed_from == 0
    assert heard.notes[-1].startswith("the server sends the whole file, not the rest of it")


def test_a_file_that_changed_on_the_server_is_taken_anew(archive: Path) -> None:
    with serve(noise(150_000, seed=2)) as server:
        begin(archive, 60_000, f"{server.url}/x")
        done = download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == server.data
    assert server.requests[0].start == 60_000
    assert done.resumed_from == 0


def test_a_part_from_elsewhere_is_not_added_to(archive: Path) -> None:
    heard = Heard()
    with serve(DATA) as server:
        begin(archive, 60_000, "http://elsewhere/x", data=noise(len(DATA), seed=3))
        download(f"{server.url}/x", archive, policy=QUICK, listener=heard)
    assert archive.read_bytes() == DATA
    assert server.requests[0].range is None
    assert "comes from http://elsewhere/x: starting anew" in heard.notes[0]


@pytest.mark.parametrize(
    "known",
    [
        pytest.param("", id="empty"),
        pytest.param("not json", id="no-json"),
        pytest.param("[]", id="list"),
        pytest.param('{"url": "u"}', id="lacking"),
        pytest.param('{"url": 1, "total": 2, "validator": ""}', id="type-of-url"),
        pytest.param('{"url": "u", "total": "2", "validator": ""}', id="type-of-total"),
    ],
)
def test_a_part_of_unknown_origin_is_not_added_to(archive: Path, known: str) -> None:
    archive.parent.mkdir()
    part_of(archive).write_bytes(b"something")
    origin_of(archive).write_text(known)
    with serve(DATA) as server:
        download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA
    assert server.requests[0].range is None


def test_a_complete_part_needs_no_network(archive: Path) -> None:
    begin(archive, len(DATA), "http://127.0.0.1:9/x")
    done = download("http://127.0.0.1:9/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA
    assert done.resumed_from == len(DATA)


def test_416_for_a_part_that_is_complete(archive: Path) -> None:
    with serve(DATA) as server:
        begin(archive, len(DATA), f"{server.url}/x", total=None)
        download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA
    assert [request.start for request in server.requests] == [len(DATA)]


def test_416_for_a_part_that_is_too_long(archive: Path) -> None:
    with serve(DATA) as server:
        begin(archive, len(DATA) + 5, f"{server.url}/x", total=None, data=DATA + b"12345")
        download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA
    assert [request.range is None for request in server.requests] == [False, True]


@pytest.mark.parametrize(
    "header",
    ["bytes 0-3/200000", "bytes 60000-60003/77", "nonsense", ""],
    ids=["start", "total", "text", "none"],
)
def test_a_range_that_does_not_fit_starts_anew(archive: Path, header: str) -> None:
    with serve(DATA, odd_range(header)) as server:
        begin(archive, 60_000, f"{server.url}/x")
        download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_error(archive: Path, code: int) -> None:
    heard = Heard()
    with serve(DATA, status(code), good()) as server:
        download(f"{server.url}/x", archive, policy=QUICK, listener=heard)
    assert archive.read_bytes() == DATA
    assert len(heard.notes) == 1
    assert heard.notes[0].startswith(f"the server answered {code} ")


def test_a_lasting_error_ends_after_the_tries_that_were_allowed(archive: Path) -> None:
    with (
        serve(DATA, status(503)) as server,
        pytest.raises(
            KptToolsError, match=r"answered 503 .*, after 3 tries in a row\. Try again later, or use .* --url"
        ),
    ):
        download(f"{server.url}/x", archive, policy=QUICK)
    assert len(server.requests) == 3
    assert left(archive) == []


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_refusal_is_not_tried_again(archive: Path, code: int) -> None:
    with (
        serve(DATA, status(code)) as server,
        pytest.raises(KptToolsError, match=rf"{server.url}/x: the server answered {code} .* expected the archive"),
    ):
        download(f"{server.url}/x?token=secret", archive, policy=QUICK)
    assert len(server.requests) == 1
    assert left(archive) == []


def test_a_refusal_leaves_the_part(archive: Path) -> None:
    with serve(DATA, status(404)) as server:
        begin(archive, 60_000, f"{server.url}/x")
        with pytest.raises(KptToolsError, match="answered 404"):
            download(f"{server.url}/x", archive, policy=QUICK)
    assert part_of(archive).stat().st_size == 60_000


def test_an_answer_without_content(archive: Path) -> None:
    with serve(DATA, status(204)) as server, pytest.raises(KptToolsError, match="answered 204; expected 200"):
        download(f"{server.url}/x", archive, policy=QUICK)
    assert left(archive) == []


def test_a_redirection_is_followed_with_the_range(archive: Path) -> None:
    with serve(DATA) as real, serve(b"", status(302, Location=f"{real.url}/y")) as server:
        begin(archive, 60_000, f"{server.url}/x")
        download(f"{server.url}/x", archive, policy=QUICK)
    assert archive.read_bytes() == DATA
    assert [(request.path, request.start) for request in real.requests] == [("/y", 60_000)]


def test_a_silent_server(archive: Path) -> None:
    heard = Heard()
    impatient = dataclasses.replace(QUICK, timeout_s=0.2)
    with serve(DATA, stalled(50_000), good()) as server:
        download(f"{server.url}/x", archive, policy=impatient, listener=heard)
    assert archive.read_bytes() == DATA
    assert heard.notes == ["the server was silent for 0.2 s; trying again in 0 s"]
    assert server.requests[-1].start == 50_000


def test_a_server_that_stays_silent(archive: Path) -> None:
    impatient = dataclasses.replace(QUICK, timeout_s=0.1, attempts=2)
    with (
        serve(DATA, stalled(0)) as server,
        pytest.raises(KptToolsError, match=r"was silent for 0\.1 s, after 2 tries"),
    ):
        download(f"{server.url}/x", archive, policy=impatient)
    assert left(archive) == []


def test_no_server(archive: Path) -> None:
    with serve(DATA) as server:
        url = server.url
    with pytest.raises(KptToolsError, match=r"the connection failed \(Connection refused\), after 3 tries in a row"):
        download(f"{url}/x", archive, policy=QUICK)
    assert left(archive) == []


def test_a_length_that_nobody_tells(archive: Path) -> None:
    heard = Heard()
    with serve(DATA, without_length()) as server:
        download(f"{server.url}/x", archive, policy=QUICK, listener=heard)
    assert archive.read_bytes() == DATA
    assert heard.done[-1] == (len(DATA), None)


@pytest.mark.parametrize("moment", [good(), without_length()], ids=["told", "untold"])
def test_too_large(archive: Path, moment: Moment) -> None:
    small = dataclasses.replace(QUICK, max_bytes=100_000)
    with (
        serve(DATA, moment) as server,
        pytest.raises(KptToolsError, match=r"no model of the zoo has more than 0\.1 MB"),
    ):
        download(f"{server.url}/x", archive, policy=small)
    assert not archive.exists()


def test_a_disk_that_is_too_small_is_told_before(archive: Path) -> None:
    def moment(handler) -> None:
        handler.head(200, {"Content-Length": str(1 << 60)})

    huge = dataclasses.replace(QUICK, max_bytes=1 << 62)
    with serve(DATA, moment) as server, pytest.raises(KptToolsError, match=r"are free; the rest of x\.tar\.gz has"):
        download(f"{server.url}/x", archive, policy=huge)
    assert left(archive) == []


def test_a_full_disk(archive: Path) -> None:
    """The system refuses to let the file grow beyond 64 KiB: a real OSError in the middle of the download."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "from pathlib import Path\n"
        "from kpt_tools.zoo.download import download\n"
        "download(sys.argv[1], Path(sys.argv[2]))\n"
    )
    with serve(DATA) as server:
        arguments = [sys.executable, "-c", program, f"{server.url}/x", str(archive)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
        message = done.stderr.splitlines()[-1]
        assert re.search(
            r"\.part: writing failed after 65536 bytes \(File too large\)\. Make room and run the", message
        )
        assert download(f"{server.url}/x", archive, policy=QUICK).resumed_from == 65_536
    assert archive.read_bytes() == DATA


def test_two_at_once(archive: Path) -> None:
    archive.parent.mkdir()
    with open_part(archive) as part:
        part.append(b"x")
        with pytest.raises(ConfigError, match="another kpt-tools fetch is downloading it"):
            download("http://127.0.0.1:9/x", archive, policy=QUICK)


def test_a_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        download("http://127.0.0.1:9/x", tmp_path / "models" / "x.tar.gz", policy=QUICK)


@pytest.mark.parametrize(
    ("failures", "asked", "pause"),
    [(1, 0, 1), (2, 0, 2), (4, 0, 8), (7, 0, 60), (9_999, 0, 60), (1, 5, 5), (4, 5, 8), (1, 3600, 60)],
)
def test_each_pause_is_twice_the_last_within_bounds(failures: int, asked: float, pause: float) -> None:
    assert Policy().pause_s(failures, asked) == pause


def test_the_server_may_ask_for_a_pause(archive: Path) -> None:
    heard = Heard()
    policy = dataclasses.replace(QUICK, max_backoff_s=0.6)
    with serve(DATA, status(503, Retry_After="3600"), good()) as server:
        download(f"{server.url}/x", archive, policy=policy, listener=heard)
    assert heard.notes == ["the server answered 503 Service Unavailable; trying again in 1 s"]


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (None, 0, 0),
        ("7", 7, 7),
        ("soon", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 1e6, 1e10),
    ],
    ids=["none", "seconds", "words", "past", "future"],
)
def test_retry_after(value: str | None, low: float, high: float) -> None:
    assert low <= _seconds(value) <= high
