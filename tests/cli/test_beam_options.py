from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from coco_factories import many_dict, write_project

from kpt_tools.cli.main import run
from kpt_tools.cli.options import BeamCommand, beam_options, with_beam
from kpt_tools.config.beam import HERE, BeamConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.errors import ConfigError
from kpt_tools.stages.make_tfrecord import make_tfrecord


@click.command(cls=BeamCommand)
@click.argument("name")
@click.option("--size", type=int, default=1)
@beam_options
def example(**settings: object) -> None:
    """A command."""
    values, beam = with_beam(settings)
    click.echo(repr((dict(sorted(values.items())), beam)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a"], ({"name": "a", "size": 1}, HERE)),
        (["a", "--runner", "DirectRunner"], ({"name": "a", "size": 1}, BeamConfig("DirectRunner"))),
        (
            ["--region=eu", "a", "--runner=DataflowRunner", "--size", "3", "--streaming", "--beam-temp", "gs://t"],
            ({"name": "a", "size": 3}, BeamConfig("DataflowRunner", ("--region=eu", "--streaming"), "gs://t")),
        ),
    ],
    ids=["none", "runner", "options"],
)
def test_unknown_options_are_beams_if_there_is_a_runner(arguments: list[str], expected: object) -> None:
    result = CliRunner().invoke(example, arguments)
    assert (result.exit_code, result.output) == (0, f"{expected!r}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--region=eu"], "No such option"),
        (["a", "--runner", "DirectRunner", "--region", "eu"], "unexpected extra argument"),
    ],
    ids=["no runner", "value apart"],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(example, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_beam_options_need_a_runner() -> None:
    with pytest.raises(ConfigError, match="Options of a Beam pipeline need --runner"):
        BeamConfig(options=("--region=eu",))
    with pytest.raises(ConfigError, match="'region' is no option of Beam"):
        BeamConfig("DirectRunner", ("region",))


def test_other_filesystems_need_a_runner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotations, _ = write_project(tmp_path, many_dict(2))
    with pytest.raises(ConfigError, match=r"gs://lab/images: is not on this machine; .* --runner DirectRunner"):
        make_tfrecord(MakeTfrecordConfig(annotations, Path("gs://lab/images"), tmp_path / "out"))
    assert run(["check", "gs://lab/a.json"]) == 2
    assert "gs://lab/a.json: is not on this machine" in capsys.readouterr().err
