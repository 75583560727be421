"""The first training batch as a picture: what augmentation made, and the same mirrored as training mirrors it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpt_tools.entities import Instance, LabelMapItem, ModelMetadata
from kpt_tools.report.contact_sheet import contact_sheet, save_picture
from kpt_tools.report.crops import mirrored
from kpt_tools.report.draw import draw_instances

if TYPE_CHECKING:
    from PIL import Image

FILE_NAME = "first_batch.jpg"
MAX_PICTURES = 8
_TILE_PX = 300

Arrays = Mapping[str, Any]


def draw_first_batch(batch: Path, metadata: ModelMetadata) -> Path:
    """Draw ``first_batch.npz`` of a run to ``first_batch.jpg`` beside it.

    Args:
        batch: as `kpt_tools.odapi.first_batch` writes it.
        metadata: classes, slots, skeleton and flip pairs.
    """
    import numpy as np
    from PIL import Image

    tiles = []
    with np.load(batch) as arrays:
        for row, pixels in enumerate(arrays["images"][:MAX_PICTURES]):
            picture = Image.fromarray(pixels)
            instances = [
                _instance(arrays, row, number, picture.size, metadata) for number in range(_count(arrays, row))
            ]
            tiles.append((draw_instances(picture, instances, metadata), f"{row + 1}: {len(instances)} object(s)"))
            tiles.append((_mirrored(picture, instances, metadata), f"{row + 1}, mirrored"))
    sheet = contact_sheet(tiles, columns=4, tile_px=_TILE_PX, legend=metadata.label_map)
    return save_picture(sheet, batch.with_name(FILE_NAME))


def _count(arrays: Arrays, row: int) -> int:
    return int(arrays["counts"][row])


def _instance(arrays: Arrays, row: int, number: int, size_wh: tuple[int, int], metadata: ModelMetadata) -> Instance:
    width, height = size_wh
    y1, x1, y2, x2 = (float(v) for v in arrays["boxes"][row, number])
    item = metadata.label_map.items[int(arrays["classes"][row, number])]
    return Instance(
        id=number,
        image_id=row,
        category_id=item.id,
        box_xywh_px=(x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height),
        keypoints_xyv=_points(arrays, row, number, size_wh, item),
    )


def _points(
    arrays: Arrays, row: int, number: int, size_wh: tuple[int, int], item: LabelMapItem
) -> tuple[tuple[float, float, int], ...]:
    if "keypoints" not in arrays:
        return ()
    width, height = size_wh
    points = []
    for slot in (keypoint.id for keypoint in item.keypoints):
        y, x = (float(v) for v in arrays["keypoints"][row, number, slot])
        seen = bool(arrays["visibilities"][row, number, slot]) and x == x and y == y
        points.append((x * width, y * height, 2) if seen else (0.0, 0.0, 0))
    return tuple(points)


def _mirrored(picture: Image.Image, instances: list[Instance], metadata: ModelMetadata) -> Image.Image:
    flipped = [mirrored(picture, instance, _pairs_of(instance, metadata)) for instance in instances]
    image = flipped[0][0] if flipped else picture
    return draw_instances(image, [instance for _, instance in flipped], metadata)


def _pairs_of(instance: Instance, metadata: ModelMetadata) -> list[tuple[int, int]]:
    """The flip pairs of the object's class, as indices into its own keypoints."""
    item = next(item for item in metadata.label_map.items if item.id == instance.category_id)
    index = {keypoint.id: k for k, keypoint in enumerate(item.keypoints)}
    return [(index[a], index[b]) for a, b in metadata.flip_pairs if a in index and b in index and a < b]
