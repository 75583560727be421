"""Restore a checkpoint; write it as a SavedModel; run it as the OD API does on the pictures of the standard input."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from kpt_tools.odapi import compat, events, image_stream, pipeline_config


def main() -> None:
    """Do what the flags say: ``--out`` writes the model, ``--reference`` what it finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="pipeline.config")
    parser.add_argument("--checkpoint", type=Path, required=True, help="path without suffix")
    parser.add_argument("--out", type=Path, help="folder for saved_model/, checkpoint/ and pipeline.config")
    parser.add_argument("--reference", type=Path, help="npz for what the checkpoint finds in each picture")
    flags = parser.parse_args()
    compat.activate()
    events.emit("phase", name="importing TensorFlow")
    import tensorflow as tf

    from kpt_tools.odapi import serving, statistics_refresh

    tf.config.experimental.enable_tensor_float_32_execution(False)
    events.emit("phase", name="restoring the checkpoint")
    with tempfile.TemporaryDirectory(dir=flags.config.parent) as folder:
        checkpoint = statistics_refresh.refreshed(flags.config, flags.checkpoint, Path(folder))
        model = serving.restored_model(pipeline_config.read(flags.config), checkpoint)
    if flags.out:
        events.emit("phase", name="writing the SavedModel")
        serving.save(model, flags.out)
        shutil.copyfile(flags.config, flags.out / "pipeline.config")
    if flags.reference:
        events.emit("phase", name="running the original")
        _run(serving.original(model), flags.reference)


def _run(detect: Any, path: Path) -> None:
    """Detect in each picture of the standard input; the arrays of the first are called ``0/detection_boxes`` ..."""
    import numpy as np

    arrays = {}
    for number, image in enumerate(image_stream.unpacked(sys.stdin.buffer)):
        arrays.update({f"{number}/{name}": value for name, value in detect(image).items()})
        events.emit("image", done=number + 1, total=None)
    np.savez(path, **arrays)


if __name__ == "__main__":
    main()
