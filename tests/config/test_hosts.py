from __future__ import annotations

import pytest

from kpt_tools.config.hosts import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("annotator.localhost", True),
        ("192.168.1.5", False),
        ("localhost.example", False),
        ("0.0.0.0", False),
        ("", False),
        ("[::1]", True),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
