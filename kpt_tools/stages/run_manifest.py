"""run.json: what was run, with which settings, versions and inputs, and how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kpt_tools
from kpt_tools.fsio import make_folder, read_json, sha256_of, write_json

FILE_NAME = "run.json"

_PACKAGES = (
    "tensorflow",
    "tf_keras",
    "tf-models-official",
    "tf-models-research-object-detection",
    "onnxruntime",
    "openvino",
    "ai-edge-litert",
    "numpy",
    "protobuf",
    "pycocotools",
    "pillow",
    "opencv-python-headless",
)


def versions() -> dict[str, str]:
    """Versions of kpt-tools, Python, the platform, and of the packages that matter (those installed)."""
    result = {"kpt-tools": kpt_tools.__version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            result[package] = importlib.metadata.version(package)
    return result


def jsonable(value: Any) -> Any:
    """Dataclasses, paths and tuples as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@contextlib.contextmanager
def run_manifest(
    folder: Path, command: str, config: object, inputs: dict[str, Path], more: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Keep ``folder/run.json`` while the block runs; what the block puts into the yielded dict is stored too.

    The status is "running" until the block ends, then "ok", "failed" or "interrupted" (if the block put that
    there, or Ctrl-C ended it).

    Args:
        folder: the run folder; made if it is missing.
        command: name of the command.
        config: its settings.
        inputs: files whose checksums are stored, by name.
        more: stored from the beginning on, beside these.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    make_folder(folder)
    path = folder / FILE_NAME
    content: dict[str, Any] = {
        "command": command,
        "status": "running",
        "started": _now(),
        "config": jsonable(config),
        "inputs": {name: {"path": str(file), "sha256": sha256_of(file)} for name, file in inputs.items()},
        "versions": versions(),
        **(more or {}),
    }
    write_json(path, content)
    begin = time.monotonic()
    try:
        yield content
    except BaseException as exc:
        content["status"] = "interrupted" if isinstance(exc, KeyboardInterrupt) else "failed"
        content["error"] = str(exc)
        raise
    else:
        if content["status"] == "running":
            content["status"] = "ok"
    finally:
        content["ended"] = _now()
        content["seconds"] = round(time.monotonic() - begin, 1)
        write_json(path, content)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of ``folder/run.json``.

    Raises:
        ConfigError: there is none.
        DataError: it is not JSON.
    """
    content = read_json(folder / FILE_NAME, what="run.json of a training run")
    return content if isinstance(content, dict) else {}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
