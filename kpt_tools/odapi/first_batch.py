"""The first training batch, as augmentation made it, for the parent process to look at and draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.fsio import atomic_open
from kpt_tools.odapi import events

FILE_NAME = "first_batch.npz"


def tell(batch: Any, folder: Path) -> None:
    """Write the batch to ``folder/first_batch.npz`` and emit the event ``first_batch``.

    The file has images [B, H, W, 3] uint8, boxes [B, N, 4] y1, x1, y2, x2 and keypoints [B, N, S, 2] y, x from 0 to 1,
    visibilities [B, N, S], classes [B, N] from 0, and counts [B], the number of objects that are no padding.
    """
    import numpy as np
    from object_detection.core import standard_fields

    fields = standard_fields.InputDataFields
    features, labels = _local(batch[0]), _local(batch[1])
    arrays = {
        "images": as_pictures(features[fields.image].numpy()),
        "boxes": labels[fields.groundtruth_boxes].numpy(),
        "classes": np.argmax(labels[fields.groundtruth_classes].numpy(), axis=-1),
        "counts": labels[fields.num_groundtruth_boxes].numpy(),
    }
    if fields.groundtruth_keypoints in labels:
        arrays["keypoints"] = labels[fields.groundtruth_keypoints].numpy()
        arrays["visibilities"] = labels[fields.groundtruth_keypoint_visibilities].numpy()
    path = folder / FILE_NAME
    with atomic_open(path) as handle:
        np.savez(handle, **arrays)
    objects = int(arrays["counts"].sum())
    labelled = _labelled(arrays) if "keypoints" in arrays else 0
    events.emit("first_batch", path=str(path), images=len(arrays["images"]), objects=objects, keypoints=labelled)


def as_pictures(images: Any) -> Any:
    """Normalised images [B, H, W, 3] stretched to uint8: good enough to look at, whatever the normalisation was."""
    import numpy as np

    low, high = float(images.min()), float(images.max())
    return np.round((images - low) * (255.0 / max(high - low, 1e-6))).astype(np.uint8)


def _labelled(arrays: dict[str, Any]) -> int:
    """Keypoints that training learns from: visible in the OD API's sense and inside the image."""
    import numpy as np

    points, visible = arrays["keypoints"], arrays["visibilities"].astype(bool)
    real = np.arange(points.shape[1])[None, :, None] < arrays["counts"][:, None, None]
    return int((visible & real & np.isfinite(points).all(axis=-1)).sum())


def _local(values: Any) -> Any:
    """The part of a distributed batch that lies on this replica."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    return {name: strategy.experimental_local_results(value)[0] for name, value in values.items()}
