"""What --url may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo_factories import HOURGLASS

from kpt_tools.errors import ConfigError
from kpt_tools.zoo.catalogue import find_model
from kpt_tools.zoo.source import locate, public

MODEL = find_model(HOURGLASS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(None, MODEL.url, id="the-zoo"),
        pytest.param("https://h/a", f"https://h/a/{MODEL.archive}", id="base"),
        pytest.param("http://h:81/a/", f"http://h:81/a/{MODEL.archive}", id="slash"),
        pytest.param("https://h", f"https://h/{MODEL.archive}", id="host"),
        pytest.param("https://h/a?k=1", f"https://h/a/{MODEL.archive}?k=1", id="query"),
        pytest.param("https://h/mine.tar.gz?k=1", "https://h/mine.tar.gz?k=1", id="archive"),
    ],
)
def test_remote(url: str | None, expected: str) -> None:
    assert locate(MODEL, url) == expected


def test_local(tmp_path: Path) -> None:
    file = tmp_path / "with space" / MODEL.archive
    file.parent.mkdir()
    file.touch()
    assert locate(MODEL, str(file)) == file
    assert locate(MODEL, str(file.parent)) == file
    assert locate(MODEL, file.as_uri()) == file


@pytest.mark.parametrize(
    ("url", "match"),
    [
        pytest.param("ftp://h/a", "'ftp' is not supported; expected http, https or a path", id="ftp"),
        pytest.param("http://", "expected a host", id="no-host"),
        pytest.param("https://me:secret@h/a", "host without user name", id="user"),
        pytest.param("nowhere", "no such file nowhere; expected the archive centernet_hg104", id="missing"),
    ],
)
def test_refused(url: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        locate(MODEL, url)
    assert "secret" not in str(caught.value)


def test_queries_are_not_told() -> None:
    assert public("https://h/a.tar.gz?token=secret#x") == "https://h/a.tar.gz"
