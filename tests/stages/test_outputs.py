from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.stages.outputs import refuse_overwriting

A, B = Path("a.json"), Path("b.json")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"--out": A}, "--out a.json: is an input, which is never changed; expected another file"),
        ({"--out": Path("x/../a.json")}, "is an input"),
        ({"--out": B, "--log": B}, "b.json: is both --out and --log; expected two files"),
    ],
)
def test_refused(outputs: dict[str, Path | None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        refuse_overwriting([A, None], outputs)


def test_a_link_to_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("x")
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    with pytest.raises(ConfigError, match="is an input"):
        refuse_overwriting([tmp_path / "a.json"], {"--out": tmp_path / "link.json"})


def test_accepted() -> None:
    refuse_overwriting([A, None], {"--out": B, "--log": None, "--html": None})
