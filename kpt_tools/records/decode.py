"""TFRecord shards -> images and objects in pixels; the way back from `encode`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kpt_tools.entities import Instance, KeypointXyv, LabelMap, LabelMapItem
from kpt_tools.errors import DataError
from kpt_tools.records.example_proto import parse_example
from kpt_tools.records.tfrecord import read_tfrecord


@dataclass(frozen=True)
class RecordSample:
    """One record.

    Attributes:
        file_name: of the image, as in the COCO JSON beside the records.
        image_id: its id there, as text (``image/source_id``).
        width: in pixels.
        height: in pixels.
        encoded: JPEG or PNG bytes.
        instances: objects with pixel coordinates; `category_id` is the label-map id, keypoints are those of the
            object's own class; `id` counts from 1 within the image, `image_id` is 0 where the
            record's is no number.
    """

    file_name: str
    image_id: str
    width: int
    height: int
    encoded: bytes
    instances: tuple[Instance, ...]


def read_records(paths: Iterable[Path], label_map: LabelMap) -> Iterator[RecordSample]:
    """Read shards one record at a time.

    Raises:
        ConfigError: a shard cannot be read.
        DataError: a shard is damaged, a feature is missing or does not fit the label map.
    """
    items = {item.id: item for item in label_map.items}
    for path in paths:
        for index, data in enumerate(read_tfrecord(path)):
            yield decode_example(data, label_map, f"{path}: record {index}", items)


def decode_example(
    data: bytes, label_map: LabelMap, where: str, items: dict[int, LabelMapItem] | None = None
) -> RecordSample:
    """Decode one serialized example; see `read_records`."""
    features = parse_example(data, where)
    items = {item.id: item for item in label_map.items} if items is None else items
    (width,) = _values(features, "image/width", 1, where)
    (height,) = _values(features, "image/height", 1, where)
    (encoded,) = _values(features, "image/encoded", 1, where)
    file_name, image_id = (
        b"".join(features.get(name, ())).decode("utf-8", "replace") for name in ("image/filename", "image/source_id")
    )
    if not encoded or width <= 0 or height <= 0:
        raise DataError(f"{where}: image/encoded or its size is empty; expected an image. Write the records again.")
    number = int(image_id) if image_id.lstrip("-").isdecimal() else 0
    found = _instances(features, width, height, items, label_map.num_keypoints, where)
    instances = tuple(replace(instance, image_id=number) for instance in found)
    return RecordSample(file_name, image_id, width, height, encoded, instances)


def _values(features: dict[str, list[Any]], name: str, count: int, where: str) -> list[Any]:
    values = features.get(name, [])
    if len(values) != count:
        raise DataError(
            f"{where}: {name} has {len(values)} values; expected {count}. "
            "Is it the label map of these records? If so, write the records again."
        )
    return values


def _instances(
    features: dict[str, list[Any]],
    width: int,
    height: int,
    items: dict[int, LabelMapItem],
    slots: int,
    where: str,
) -> tuple[Instance, ...]:
    labels = features.get("image/object/class/label", [])
    count = len(labels)

    def column(name: str) -> list[Any]:
        return _values(features, f"image/object/{name}", count, where)

    boxes = zip(*(column(f"bbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")), strict=True)
    areas, crowds = column("area"), column("is_crowd")
    points = _points(features, width, height, count * slots, where) if slots else []
    found = []
    for index, (xmin, ymin, xmax, ymax) in enumerate(boxes):
        item = items.get(labels[index])
        if item is None:
            raise DataError(
                f"{where}: image/object/class/label is {labels[index]}; the label map has {sorted(items)}. "
                "Use the label map of these records."
            )
        box = (xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height)
        own = tuple(points[index * slots + keypoint.id] for keypoint in item.keypoints)
        found.append(Instance(index + 1, 0, item.id, box, areas[index], own, bool(crowds[index])))
    return tuple(found)


def _points(features: dict[str, list[Any]], width: int, height: int, count: int, where: str) -> Sequence[KeypointXyv]:
    xs, ys, vs = (_values(features, f"image/object/keypoint/{name}", count, where) for name in ("x", "y", "visibility"))
    return [(x * width, y * height, int(v)) if v > 0 else (0.0, 0.0, 0) for x, y, v in zip(xs, ys, vs, strict=True)]
