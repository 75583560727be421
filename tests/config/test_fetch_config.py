"""What `kpt-tools fetch` refuses before it does anything."""

from __future__ import annotations

from typing import Any

import pytest

from kpt_tools.config.fetch import FetchConfig
from kpt_tools.errors import ConfigError


def test_defaults() -> None:
    config = FetchConfig("x")
    assert (str(config.pretrained_models), config.timeout, config.attempts) == ("pretrained_models", 30.0, 5)
    assert FetchConfig("x", sha256="aB" * 32).sha256 == "aB" * 32


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"sha256": "abc"}, "--sha256 has 3 characters; expected 64 hexadecimal digits"),
        ({"sha256": "g" * 64}, "expected 64 hexadecimal digits"),
        ({"timeout": 0.0}, r"--timeout is 0\.0; expected seconds above 0"),
        ({"timeout": float("inf")}, "--timeout is inf"),
        ({"attempts": 0}, "--attempts is 0; expected 1 or more"),
    ],
    ids=["short", "letters", "no-time", "endless", "no-attempt"],
)
def test_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        FetchConfig("x", **values)
