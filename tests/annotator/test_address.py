from __future__ import annotations

import pytest

from kpt_tools.annotator.address import base_address, in_the_clear
from kpt_tools.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("http://localhost:5000/api", "http://localhost:5000"),
        ("http://localhost:5000/api/", "http://localhost:5000"),
        ("http://localhost:5000/#/datasets", "http://localhost:5000"),
        ("https://host.example/labels/", "https://host.example/labels"),
        ("https://host.example/labels/api?x=1", "https://host.example/labels"),
        ("localhost:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_what_people_paste(given: str, base: str) -> None:
    assert base_address(given) == base


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ftp://host", "expected an http or https address"),
        ("", "expected an http or https address"),
        ("http://", "expected an http or https address"),
        ("http://host:port", "expected an address such as"),
        ("http://ann:s3cret@host:5000", "has a user name in it; expected none"),
    ],
)
def test_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        base_address(given)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "expected"),
    [("http://192.168.1.5", True), ("https://192.168.1.5", False), ("http://127.0.0.1:5000", False)],
)
def test_in_the_clear(base: str, expected: bool) -> None:
    assert in_the_clear(base) is expected
