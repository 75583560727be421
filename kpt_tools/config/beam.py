"""Where a command that can run on Apache Beam runs."""

from __future__ import annotations

from dataclasses import dataclass

from kpt_tools.errors import ConfigError

RUNNERS = ("DirectRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")
"""Those that kpt-tools tells about; any other of Beam's can be named, too."""


@dataclass(frozen=True)
class BeamConfig:
    """How to run a pipeline.

    Attributes:
        runner: one of Beam's runners; None: no pipeline, but this process.
        options: of the runner and of Beam, as on its command line: ``--name=value`` or ``--flag``.
        beam_temp: folder that all machines reach, for what the steps hand over; None: one beside the output.
    """

    runner: str | None = None
    options: tuple[str, ...] = ()
    beam_temp: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        if self.runner is None and (self.options or self.beam_temp):
            raise ConfigError("Options of a Beam pipeline need --runner. Name one, or leave them out.")
        for option in self.options:
            if not option.startswith("--"):
                raise ConfigError(f"'{option}' is no option of Beam; expected --name=value or --flag.")

    @property
    def pipeline_options(self) -> list[str]:
        """What Beam's `PipelineOptions` takes."""
        return [f"--runner={self.runner}", *self.options]


HERE = BeamConfig()
"""No pipeline."""
