"""Estimate the batch-normalisation statistics of a checkpoint that was saved in a hurry.

On Ctrl-C a training saves at once, with the moving averages that it has. Early in a schedule those are poor.
"""

from __future__ import annotations

import glob
from pathlib import Path

from kpt_tools.odapi import batch_norm, events, pipeline_config
from kpt_tools.odapi.box_neighbours import is_marked, mark
from kpt_tools.odapi.train_state import STATISTICS

_KEY = f"{STATISTICS}/.ATTRIBUTES/VARIABLE_VALUE"


def needs_statistics(checkpoint: Path) -> bool:
    """Whether a checkpoint says of itself that its statistics are moving averages."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(checkpoint))
    return bool(reader.has_tensor(_KEY)) and int(reader.get_tensor(_KEY)) == 0


def refreshed(config: Path, checkpoint: Path, folder: Path) -> Path:
    """A checkpoint of the same weights whose statistics were estimated from training images.

    Emits the event ``statistics`` with the number of batches: 0 if the records are gone, and nothing was done.

    Args:
        config: the pipeline.config.
        checkpoint: path without suffix.
        folder: where to write the new one.

    Returns:
        Path without suffix; `checkpoint` itself if it needs nothing.
    """
    if not needs_statistics(checkpoint):
        return checkpoint
    reader = pipeline_config.read(config).train_input_reader.tf_record_input_reader
    if not all(glob.glob(pattern) for pattern in reader.input_path):
        events.emit("statistics", batches=0, records=list(reader.input_path))
        return checkpoint
    return _refreshed(config, checkpoint, folder)


def _refreshed(config: Path, checkpoint: Path, folder: Path) -> Path:
    import tensorflow as tf

    from kpt_tools.odapi.train_loop import statistics_batches
    from kpt_tools.odapi.train_parts import build, forward_in_training_mode

    events.emit("phase", name="estimating batch-normalisation statistics")
    parts = build(str(config), None, False, False)
    images, shapes = parts.model.preprocess(tf.zeros([1, 64, 64, 3]))
    parts.model.predict(images, shapes)  # only now all variables exist
    tf.train.Checkpoint(model=parts.model).read(str(checkpoint)).expect_partial().assert_existing_objects_matched()
    if is_marked(checkpoint):
        mark(parts.model)
    statistics = batch_norm.Statistics(parts.model, forward_in_training_mode(parts))
    step = int(tf.train.load_checkpoint(str(checkpoint)).get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE"))
    used = statistics.reestimate(iter(parts.dataset), statistics_batches(parts.batch_size, step))
    events.emit("statistics", batches=used, records=[])
    return Path(tf.train.Checkpoint(model=parts.model).write(str(folder / checkpoint.name)))
