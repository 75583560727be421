from __future__ import annotations

import pytest

from kpt_tools.web.guard import Access


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:5005", True),
        ("localhost:5005", True),
        ("localhost", True),
        ("[::1]:5005", True),
        ("host.docker.internal:5005", True),
        ("evil.example:5005", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.5:5005", False),
        ("", False),
        ("[", False),
    ],
)
def test_names_of_this_machine(host: str, expected: bool) -> None:
    assert Access(local_only=True).host_allowed(host) is expected
    assert Access(local_only=False).host_allowed(host)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:5000", True),
        ("http://127.0.0.1:5005", True),
        ("https://[::1]", True),
        ("http://192.168.1.5:5000", True),
        ("HTTP://192.168.1.5:5000/", True),
        ("http://192.168.1.5:5005", True),
        ("http://192.168.1.5", False),
        ("https://192.168.1.5:5000", False),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("file://localhost/x.html", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_pages(origin: str, expected: bool) -> None:
    access = Access(local_only=False, origins=("http://192.168.1.5:5000",))
    assert access.origin_allowed(origin, "192.168.1.5:5005") is expected
