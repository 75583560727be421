"""Detections on the validation records by the model that is in training.

Nothing is measured here: the arrays go to a file, the parent process compares them with the truth and answers with a
second file, which has the scores and says whether to stop.
"""

from __future__ import annotations

import glob
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kpt_tools.fsio import atomic_open, read_json
from kpt_tools.odapi import decoding, events
from kpt_tools.odapi.train_parts import Parts

BOX_KEYS = ("detection_boxes", "detection_classes", "detection_scores")
POINT_KEYS = ("detection_keypoints", "detection_keypoint_scores")
FOLDER = ".validation"
ANSWER_TIMEOUT_S = 600.0


class Detector:
    """The model in inference mode: its own preprocessing, prediction and decoding.

    Args:
        model: the detection model, also while it is being trained.
        batch_size: pictures that go through the network at once; the graph is made for just as many.
    """

    def __init__(self, model: Any, batch_size: int) -> None:
        import tensorflow as tf

        picture = tf.TensorSpec([1, None, None, 3], tf.float32)
        decoding.refine(model)  # Training itself does not decode.
        self._model = model
        self._batch_size = batch_size
        self._resize = tf.function(model.preprocess, input_signature=[picture], autograph=False)
        self._detect = tf.function(self._forward_on_replicas, autograph=False)

    def _forward_on_replicas(self, images: Any, shapes: Any) -> Any:
        """Here every worker reads its own values of the variables; it need not wait for others."""
        import tensorflow as tf

        return tf.distribute.get_strategy().run(self._forward, args=(images, shapes))

    def _forward(self, images: Any, shapes: Any) -> Any:
        import tensorflow as tf
        from object_detection.utils import ops

        # Both are looked at while the graph is traced; training has its own graph already.
        self._model._is_training = False
        tf.keras.backend.set_learning_phase(False)
        heads = ops.bfloat16_to_float32_nested(self._model.predict(images, shapes))
        raw = self._model.postprocess(heads, shapes)
        return {key: raw[key] for key in (*BOX_KEYS, *POINT_KEYS) if key in raw}

    def __call__(self, pictures: Sequence[Any]) -> dict[str, Any]:
        """Detect in pictures, float32 [H, W, 3] of 0..255, at most a batch of them.

        Returns:
            Arrays as of a SavedModel, with the pictures as first axis.
        """
        import tensorflow as tf

        prepared = [self._resize(picture[tf.newaxis]) for picture in pictures]
        prepared += prepared[-1:] * (self._batch_size - len(pictures))
        images = tf.concat([image for image, _ in prepared], axis=0)
        shapes = tf.concat([shape for _, shape in prepared], axis=0)
        found = self._detect(images, shapes)
        local = tf.distribute.get_strategy().experimental_local_results
        raw = {key: local(value)[0].numpy()[: len(pictures)] for key, value in found.items()}
        raw["detection_classes"] = raw["detection_classes"] + 1
        return raw


class Validation:
    """Detections on the validation records, now and then.

    Args:
        parts: of the run.
        model_dir: the run folder.
        every: of the records, each so-many-th is looked at.
    """

    def __init__(self, parts: Parts, model_dir: str, every: int) -> None:
        self._detector = Detector(parts.model, parts.batch_size)
        self._batch_size = parts.batch_size
        self._shards = [path for pattern in parts.eval_records for path in sorted(glob.glob(pattern))]
        self._folder = Path(model_dir) / FOLDER
        self._every = every
        self._open: dict[int, Path] = {}

    def run(self, step: int, stop: Callable[[], bool]) -> None:
        """Detect in all pictures and tell the parent where the arrays lie; nothing if `stop` says so meanwhile."""
        import numpy as np

        begin = time.monotonic()
        found: dict[str, list[Any]] = {}
        pictures = _pictures(self._shards, self._every)
        while chunk := list(itertools.islice(pictures, self._batch_size)):
            if stop():
                return
            raw = self._detector([picture for _, picture in chunk])
            for key, value in raw.items():
                found.setdefault(key, []).append(value)
            found.setdefault("names", []).append(np.array([name for name, _ in chunk]))
        if not found:
            return
        path = self._folder / f"step-{step}.npz"
        arrays: dict[str, Any] = {key: np.concatenate(values) for key, values in found.items()}
        with atomic_open(path) as handle:
            np.savez(handle, **arrays)
        self._open[step] = path
        events.emit("detections", step=step, path=str(path), seconds=round(time.monotonic() - begin, 2))

    def answers(self, *, wait: bool = False, stop: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Any]]:
        """What the parent has answered since the last call: ``step``, ``scores`` and ``stop``.

        With `wait`, until all is answered, or `stop` says so.
        """
        deadline = time.monotonic() + (ANSWER_TIMEOUT_S if wait else 0.0)
        while self._open:
            for step, path in list(self._open.items()):
                answer = answer_path(path)
                if answer.is_file():
                    yield {"step": step, **read_json(answer, what="answer of the parent process")}
                    del self._open[step]
                    answer.unlink()
            if time.monotonic() >= deadline or stop():
                return
            time.sleep(0.05)


def answer_path(detections: Path) -> Path:
    """Where the parent answers to a file of detections."""
    return detections.with_suffix(".json")


def _pictures(shards: Sequence[str], every: int) -> Iterator[tuple[str, Any]]:
    """File name and float32 [H, W, 3] of each `every`-th record; one that cannot be decoded is passed over.

    The parent tells of those: it decodes all of them before.
    """
    import tensorflow as tf

    features = {name: tf.io.FixedLenFeature([], tf.string) for name in ("image/encoded", "image/filename")}
    for number, data in enumerate(tf.data.TFRecordDataset(list(shards))):
        if number % every:
            continue
        example = tf.io.parse_single_example(data, features)
        try:
            picture = tf.io.decode_image(example["image/encoded"], channels=3, expand_animations=False)
        except tf.errors.InvalidArgumentError:
            events.emit("undecodable", image=os.fsdecode(example["image/filename"].numpy()))
            continue
        yield example["image/filename"].numpy().decode("utf-8", "replace"), tf.cast(picture, tf.float32)
