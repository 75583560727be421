"""Import of heavy or optional packages at the moment they are needed, and what to install if they are missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from kpt_tools.errors import MissingDependencyError

# What is not here belongs to the core.
_EXTRA_OF = {
    "tensorflow": "train",
    "tf_keras": "train",
    "object_detection": "train",
    "pandas": "formats",
    "tables": "formats",
    "requests": "annotator",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "tf2onnx": "onnx",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "platformdirs": "openvino",
    "ai_edge_litert": "litert",
    "trackers": "video",
    "supervision": "video",
    "apache_beam": "beam",
}


_CHATTER = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog")
"""How the lines begin that TensorFlow's libraries write while they are loaded, whatever TF_CPP_MIN_LOG_LEVEL says."""


def require(module: str, *, purpose: str) -> ModuleType:
    """Import `module`, or say what to install.

    Args:
        module: dotted name, for example ``"pycocotools.cocoeval"``.
        purpose: what the caller wants it for, as a noun phrase for the message.

    Raises:
        MissingDependencyError: the package is not installed, or does not import.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise _missing(module, purpose, f"does not import here ({exc})") from exc


def check_installed(module: str, *, purpose: str) -> None:
    """Say what to install if a package is not there, without importing it.

    Args:
        module: name of the package.
        purpose: what the caller wants it for, as a noun phrase for the message.

    Raises:
        MissingDependencyError: it is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise _missing(module, purpose, "is not installed")


def how_to_install(extra: str = "") -> str:
    """The end of every message about a missing package.

    kpt-tools is on no package index, so it is always installed from its folder.

    Args:
        extra: the extra of setup.py that holds the package; empty: the core.
    """
    if extra == "train" and sys.version_info >= (3, 13):  # the OD API's own requirements do not resolve there
        command = "pip install --no-deps -r requirements/lean.txt"
    else:
        command = f"pip install '.[{extra}]'" if extra else "pip install ."
    return f"Run in the folder of kpt-tools: {command}"


def _missing(module: str, purpose: str, problem: str) -> MissingDependencyError:
    top = module.partition(".")[0]
    advice = how_to_install(_EXTRA_OF.get(top, ""))
    return MissingDependencyError(f"{purpose} needs the package '{top}', which {problem}. {advice}")


def quiet_tensorflow(*, purpose: str) -> Any:
    """TensorFlow without its start-up chatter (unless the user set TF_CPP_MIN_LOG_LEVEL), growing into GPU memory.

    Raises:
        MissingDependencyError: it is not installed, or does not import.
    """
    quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3" and "tensorflow" not in sys.modules
    with without_chatter() if quiet else contextlib.nullcontext():
        tensorflow = require("tensorflow", purpose=purpose)
    tensorflow.get_logger().setLevel("ERROR")
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)  # Hourglass-104 warns hundreds of times of lost gradients
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # already initialised: its memory is what it is
            tensorflow.config.experimental.set_memory_growth(gpu, True)
    return tensorflow


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Keep back what libraries write to the process's standard error, then pass on all but their log's INFO lines."""
    if sys.stderr is None:  # a process without a standard error
        yield
        return
    import tempfile

    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        shown = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            kept.seek(0)
            for line in kept:
                if not _CHATTER.match(line):
                    os.write(2, line)
