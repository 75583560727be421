"""pipeline.config as a protobuf message, without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.errors import ConfigError
from kpt_tools.fsio import read_text
from kpt_tools.odapi import compat

Message = Any
"""``object_detection.protos.pipeline_pb2.TrainEvalPipelineConfig``."""


def parse(text: str, source: str) -> Message:
    """Parse the text of a pipeline.config.

    Args:
        text: protobuf text format.
        source: name for messages.

    Raises:
        ConfigError: it does not parse; the message has line and column.
        MissingDependencyError: the OD API is not installed.
    """
    compat.activate_protos()
    from google.protobuf import text_format
    from object_detection.protos import pipeline_pb2

    message = pipeline_pb2.TrainEvalPipelineConfig()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as exc:
        raise ConfigError(f"{source}: not a pipeline.config ({exc}). Make one with kpt-tools make-config.") from exc
    return message


def read(path: Path) -> Message:
    """Read and parse a pipeline.config file.

    Raises:
        ConfigError: it is missing or does not parse.
    """
    return parse(read_text(path, what="pipeline.config"), str(path))


def format(message: Message) -> str:
    """Protobuf text format of a message; parses back to the same message."""
    from google.protobuf import text_format

    return str(text_format.MessageToString(message))
