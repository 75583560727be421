"""Import of heavy or optional packages at the moment they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from kpt_tools.errors import MissingDependencyError

_EXTRA_OF = {
    "tensorflow": "train",
    "tf_keras": "train",
    "object_detection": "train",
    "pycocotools": "train",
    "pandas": "formats",
    "tables": "formats",
    "requests": "annotator",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
}


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
        top = module.partition(".")[0]
        extra = _EXTRA_OF.get(top)
        what = f"kpt-tools[{extra}]" if extra else top
        raise MissingDependencyError(
            f"{purpose} needs the package '{top}', which does not import here ({exc}). Run: pip install '{what}'"
        ) from exc
