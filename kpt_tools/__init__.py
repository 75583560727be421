"""kpt-tools: from labelled images to a working keypoint detector."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kpt_tools.entities import Detection, Prediction
    from kpt_tools.stages.detector import Detector

__version__ = "0.1.0"
__all__ = ["Detection", "Detector", "Prediction", "__version__"]

_WHERE = {
    "Detection": "kpt_tools.entities",
    "Detector": "kpt_tools.stages.detector",
    "Prediction": "kpt_tools.entities",
}


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is asked for, so that ``import kpt_tools`` takes no time."""
    if name not in _WHERE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)
