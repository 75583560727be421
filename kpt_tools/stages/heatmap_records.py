"""Patches as records: written by `heatmap prepare`, read by `heatmap train` and `eval`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kpt_tools.entities import Instance
from kpt_tools.errors import DataError
from kpt_tools.heatmap.examples import Patch
from kpt_tools.heatmap.geometry import Affine, Image, apply, invert
from kpt_tools.heatmap.patches import cut_of, is_whole, known_points, patch_image
from kpt_tools.inference.images import decode_image
from kpt_tools.records.example_builder import ExampleBuilder
from kpt_tools.records.example_proto import parse_example
from kpt_tools.records.prepare import Sample
from kpt_tools.records.shards import Record
from kpt_tools.records.tfrecord import framed, read_tfrecord

_JPEG_QUALITY = 95
_VISIBILITY = "image/object/keypoint/visibility"
_LABEL = "image/object/class/label"


def encode_sample(sample: Sample, whole: str, patch_px: int, num_keypoints: int) -> Iterator[Record]:
    """One record per object of a picture.

    A picture that is stored whole and unscaled keeps its own bytes; else the patch is a JPEG of quality 95.

    Args:
        sample: picture and objects, upright.
        whole: "picture" or "box".
        patch_px: larger side of a patch at most.
        num_keypoints: K.

    Raises:
        DataError: the picture changed since it was looked at, and cannot be read any more.
    """
    loaded = sample.load()
    if not loaded.usable:
        raise DataError(f"{sample.source.file_name}: cannot be read any more; it changed. Run prepare again.")
    size = loaded.width, loaded.height
    image: Image | None = None
    for instance in sample.instances:
        cut = cut_of(size, instance.box_xywh_px if whole == "box" else None, patch_px)
        if is_whole(cut, size):
            encoded = loaded.encoded
        else:
            image = decode_image(loaded.encoded, sample.source.file_name, upright=False) if image is None else image
            encoded = _jpeg(patch_image(image, cut))
        yield _record(sample, instance, encoded, cut.to_picture, num_keypoints)


def decode_patch(record: bytes, where: str = "a patch") -> Patch:
    """The patch of a record.

    Raises:
        DataError: it is no patch; `where` names it.
    """
    features = parse_example(record, where)
    try:
        name = features["image/filename"][0].decode()
        to_picture = np.array(features["patch/to_picture"], np.float64).reshape(2, 3)
        flat = features["image/object/keypoint/xy"]
        visible = np.array(features[_VISIBILITY])
        box = np.array(features["image/object/bbox"], np.float64)
        points = np.array(flat, np.float64).reshape(-1, 2)
        points[visible == 0] = np.nan
        image = decode_image(features["image/encoded"][0], name, upright=False)
        size = features["image/width"][0], features["image/height"][0]
        object_id = int(features["image/object/id"][0])
    except (KeyError, IndexError, ValueError) as exc:
        raise DataError(f"{where}: not a record of heatmap prepare ({exc!r}). Run it again.") from exc
    back = invert(to_picture)
    patch_box = None
    if box.size == 4:
        (left, top), (right, bottom) = apply(back, np.array([box[:2], box[:2] + box[2:]]))
        patch_box = float(left), float(top), float(right - left), float(bottom - top)
    return Patch(name, object_id, image, apply(back, points), patch_box, to_picture, size)


def read_patches(files: Sequence[Path]) -> Iterator[Patch]:
    """The patches of shards, one at a time.

    Raises:
        ConfigError: a shard cannot be read.
        DataError: a shard is damaged.
    """
    for path in files:
        for index, record in enumerate(read_tfrecord(path)):
            yield decode_patch(record, f"{path}: record {index}")


def _record(sample: Sample, instance: Instance, encoded: bytes, to_picture: Affine, num_keypoints: int) -> Record:
    points = known_points(instance.keypoints_xyv, num_keypoints)
    labelled = ~np.isnan(points[:, 0])
    builder = ExampleBuilder()
    builder.add_bytes("image/encoded", [encoded])
    builder.add_bytes("image/filename", [sample.source.file_name])
    builder.add_ints("image/width", [sample.image.width])
    builder.add_ints("image/height", [sample.image.height])
    builder.add_floats("patch/to_picture", to_picture.ravel().tolist())
    builder.add_ints("image/object/id", [instance.id])
    builder.add_ints(_LABEL, [1])
    builder.add_floats("image/object/bbox", instance.box_xywh_px or ())
    builder.add_floats("image/object/keypoint/xy", np.nan_to_num(points).ravel().tolist())
    builder.add_ints(_VISIBILITY, (2 * labelled).tolist())
    return Record(framed([builder.serialize()]), 1, int(labelled.sum()))


def _jpeg(image: Image) -> bytes:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()
