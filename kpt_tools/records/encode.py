"""One image with its objects -> the ``tf.train.Example`` that the OD API's `TfExampleDecoder` reads.

Every object carries all sum(K) keypoint slots of the label map, those of other classes as 0, 0 with visibility 0
(the decoder turns unlabelled ones into NaN). Coordinates are shares of the image's width and height.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from kpt_tools.entities import ImageRecord, Instance, KeypointXyv, LabelMap, LabelMapItem
from kpt_tools.errors import DataError
from kpt_tools.records.example_builder import ExampleBuilder, Parts, joined

_UNLABELLED: KeypointXyv = (0.0, 0.0, 0)


def encode_example(
    image: ImageRecord, encoded: bytes, image_format: str, instances: Sequence[Instance], label_map: LabelMap
) -> bytes:
    """Serialize one sample; see `Encoder.parts`."""
    digest = hashlib.sha256(encoded).hexdigest()
    return b"".join(Encoder(label_map).parts(image, encoded, digest, image_format, instances))


class Encoder:
    """Serializes the samples of one label map."""

    def __init__(self, label_map: LabelMap) -> None:
        """Take classes and slots."""
        self._items = {item.id: item for item in label_map.items}
        labels = [keypoint.label for item in label_map.items for keypoint in item.keypoints]
        self._num_slots, self._labels = len(labels), joined(labels)

    def parts(
        self, image: ImageRecord, encoded: bytes, sha256: str, image_format: str, instances: Sequence[Instance]
    ) -> Parts:
        """Serialize one sample.

        Args:
            image: upright size, file name and id.
            encoded: JPEG or PNG bytes.
            sha256: of `encoded`, in hex.
            image_format: "jpeg" or "png".
            instances: with boxes inside the image; `category_id` is the label-map id.

        Returns:
            The record in three pieces; the second is `encoded`.

        Raises:
            DataError: an object has no box, a class that the label map lacks, or another number of keypoints than it.
        """
        builder = ExampleBuilder()
        builder.add_ints("image/height", [image.height])
        builder.add_ints("image/width", [image.width])
        builder.add_bytes("image/filename", [image.file_name])
        builder.add_bytes("image/source_id", [str(image.id)])
        builder.add_bytes("image/key/sha256", [sha256])
        builder.add_bytes("image/format", [image_format])
        items = [self._item_of(instance, image) for instance in instances]
        _add_boxes(builder, image, instances)
        _add_classes(builder, instances, items)
        if self._num_slots:
            self._add_keypoints(builder, image, instances)
        return builder.serialize_around(encoded)

    def _item_of(self, instance: Instance, image: ImageRecord) -> LabelMapItem:
        item = self._items.get(instance.category_id)
        where = f"{image.file_name}: annotation {instance.id}"
        if item is None:
            raise DataError(f"{where}: image/object/class/label: class {instance.category_id} is not in the label map.")
        if instance.box_xywh_px is None:
            raise DataError(f"{where}: image/object/bbox: no box; expected one. Draw it.")
        if len(instance.keypoints_xyv) not in (0, len(item.keypoints)):
            raise DataError(
                f"{where}: image/object/keypoint: {len(instance.keypoints_xyv)} points; "
                f"'{item.name}' has {len(item.keypoints)} in the label map."
            )
        return item

    def _add_keypoints(self, builder: ExampleBuilder, image: ImageRecord, instances: Sequence[Instance]) -> None:
        slots = [slot for instance in instances for slot in self._all_slots(instance)]
        builder.add_floats("image/object/keypoint/x", [x / image.width for x, _, _ in slots])
        builder.add_floats("image/object/keypoint/y", [y / image.height for _, y, _ in slots])
        builder.add_ints("image/object/keypoint/visibility", [v for _, _, v in slots])
        builder.add_ints("image/object/keypoint/num", [instance.num_labelled for instance in instances])
        builder.add_joined("image/object/keypoint/text", self._labels * len(instances))

    def _all_slots(self, instance: Instance) -> list[KeypointXyv]:
        slots = [_UNLABELLED] * self._num_slots
        own = self._items[instance.category_id].keypoints
        for keypoint, (x, y, v) in zip(own, instance.keypoints_xyv, strict=False):
            slots[keypoint.id] = (x, y, v) if v > 0 else _UNLABELLED
        return slots


def _add_boxes(builder: ExampleBuilder, image: ImageRecord, instances: Sequence[Instance]) -> None:
    boxes = [instance.box_xywh_px for instance in instances if instance.box_xywh_px is not None]
    builder.add_floats("image/object/bbox/xmin", [_share(x, image.width) for x, _, _, _ in boxes])
    builder.add_floats("image/object/bbox/xmax", [_share(x + w, image.width) for x, _, w, _ in boxes])
    builder.add_floats("image/object/bbox/ymin", [_share(y, image.height) for _, y, _, _ in boxes])
    builder.add_floats("image/object/bbox/ymax", [_share(y + h, image.height) for _, y, _, h in boxes])


def _share(pixels: float, size: int) -> float:
    """Pixels as a share; rounding may not lead out of the image."""
    return min(max(pixels / size, 0.0), 1.0)


def _add_classes(builder: ExampleBuilder, instances: Sequence[Instance], items: Sequence[LabelMapItem]) -> None:
    count = len(instances)
    builder.add_ints("image/object/class/label", [item.id for item in items])
    builder.add_bytes("image/object/class/text", [item.name for item in items])
    builder.add_floats("image/object/area", [instance.area_px for instance in instances])
    builder.add_ints("image/object/is_crowd", [instance.iscrowd for instance in instances])
    builder.add_ints("image/object/difficult", [0] * count)
    builder.add_ints("image/object/group_of", [0] * count)
    # The OD API's training does not look at is_crowd; weight 0 keeps crowds out of its loss.
    builder.add_floats("image/object/weight", [0.0 if instance.iscrowd else 1.0 for instance in instances])
