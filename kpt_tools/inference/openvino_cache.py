"""What OpenVINO prepares of a model when it loads it, kept for the next start: that takes half the time then.

OpenVINO knows a model by path, size and time of change, so that another one copied over it might be taken for it. Here
each model and way of running it has a folder of its own, named by the contents of its files. What lies in it is small:
the graph, without weights. Damaged files are made anew by OpenVINO.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from kpt_tools.fsio import sha256_of

LARGEST = 128 << 20
"""In bytes of weights: for more, reading them for the name takes longer than is saved."""


def cache_hints(model: Path, hints: Mapping[str, str]) -> dict[str, str]:
    """What to tell OpenVINO beside `hints` so that it keeps what it prepares; nothing where that cannot be.

    Args:
        model: the .xml file, with its weights beside it.
        hints: how it will be run.
    """
    from platformdirs import user_cache_path

    weights = model.with_suffix(".bin")
    try:
        if weights.stat().st_size > LARGEST:
            return {}
        contents = [sha256_of(model), sha256_of(weights), json.dumps(hints, sort_keys=True)]
        name = hashlib.sha256("\n".join(contents).encode()).hexdigest()[:32]
        folder = user_cache_path("kpt-tools", appauthor=False) / "openvino" / name
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, a home that cannot be written to: every start prepares the model then
        return {}
    return {"CACHE_DIR": str(folder), "CACHE_MODE": "OPTIMIZE_SIZE"}
