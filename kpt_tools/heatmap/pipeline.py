"""Stored patches to batches, streamed by tf.data: never more than a buffer of them is in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.heatmap.augment import AugmentPolicy
from kpt_tools.heatmap.examples import Example, Patch, plain_example, training_example
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.lazy import quiet_tensorflow

SHUFFLE_BUFFER = 2048
"""Encoded patches that are held for shuffling."""

DecodePatch = Callable[[bytes], Patch]
"""From a stored record to a patch."""


@dataclass(frozen=True)
class Source:
    """Where patches come from, and what becomes of them.

    Attributes:
        files: TFRecord files, in order.
        decode: from a record to a patch.
        spec: of the model that is to see them.
        policy: how training views are changed.
        flip_pairs: places of keypoints that exchange in a mirror image.
        seed: of order and changes.
    """

    files: tuple[Path, ...]
    decode: DecodePatch
    spec: HeatmapSpec
    policy: AugmentPolicy
    flip_pairs: Sequence[tuple[int, int]]
    seed: int


def training_batches(source: Source, batch_size: int, epoch: int, skip: int = 0) -> Any:
    """The batches of one epoch: image uint8, target, points, weights. The same for the same seed and epoch.

    Args:
        source: the training patches.
        batch_size: the last batch may be smaller.
        epoch: from 0.
        skip: batches of this epoch that were used before.
    """
    tf = quiet_tensorflow(purpose="training a heatmap model")

    def make(index: int, record: bytes) -> tuple[Any, ...]:
        rng = np.random.default_rng((source.seed, epoch, int(index)))
        patch = source.decode(bytes(record))
        return _arrays(training_example(patch, source.spec, source.policy, source.flip_pairs, rng))

    order = int(np.random.default_rng((source.seed, epoch)).integers(2**31))
    data = tf.data.TFRecordDataset([str(path) for path in source.files]).enumerate()
    data = data.shuffle(SHUFFLE_BUFFER, seed=order, reshuffle_each_iteration=False).skip(skip * batch_size)
    return _batched(tf, data, make, source.spec, batch_size)


def plain_batches(source: Source, batch_size: int) -> Any:
    """The patches as they are, in their order."""
    tf = quiet_tensorflow(purpose="a heatmap model")

    def make(index: int, record: bytes) -> tuple[Any, ...]:
        return _arrays(plain_example(source.decode(bytes(record)), source.spec))

    data = tf.data.TFRecordDataset([str(path) for path in source.files]).enumerate()
    return _batched(tf, data, make, source.spec, batch_size)


def _arrays(example: Example) -> tuple[Any, ...]:
    return example.image, example.target, example.points, example.weights


def _batched(tf: Any, data: Any, make: Callable[..., tuple[Any, ...]], spec: HeatmapSpec, batch_size: int) -> Any:
    types = (tf.uint8, tf.float32, tf.float32, tf.float32)
    shapes = ((spec.input_px, spec.input_px, 3), target_shape(spec), (spec.num_keypoints, 2), (spec.num_keypoints,))

    def run(index: Any, record: Any) -> Any:
        values = tf.numpy_function(make, [index, record], types)
        return tuple(tf.ensure_shape(value, shape) for value, shape in zip(values, shapes, strict=True))

    return data.map(run, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size).prefetch(2)


def target_shape(spec: HeatmapSpec) -> tuple[int, ...]:
    """Shape of the target of one example."""
    if spec.target == "points":
        return (0,)
    if spec.target == "simcc":
        return (spec.num_keypoints, 2, spec.output_px)
    return (spec.output_px, spec.output_px, spec.num_keypoints)
