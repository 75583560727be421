"""Which class of the model is which category of a COCO JSON."""

from __future__ import annotations

from collections.abc import Mapping

from kpt_tools.config.base import did_you_mean
from kpt_tools.entities import Dataset, Instance, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.coco_classes import is_zoo


def match_classes(dataset: Dataset, label_map: LabelMap, where: str) -> dict[int, LabelMapItem]:
    """The model's class of each category, by category id; categories that the model does not know are left out.

    A model of the zoo knows all classes of COCO, of which a data set has a few: the others are passed over, and so
    are people's keypoints where the data set has only boxes.

    Raises:
        ConfigError: a class of the model has no category of exactly its name; of a zoo model, none has.
    """
    category_ids = {category.name: category.id for category in dataset.categories}
    found = _of_zoo(dataset, label_map, category_ids) if is_zoo(label_map) else {}
    if found:
        return found
    matched = {}
    for item in label_map.items:
        if item.name not in category_ids:
            other = next((name for name in category_ids if name.casefold() == item.name.casefold()), None)
            if other is not None:
                raise ConfigError(
                    f"{where}: has the class '{other}' where the model has '{item.name}'; case counts. "
                    "Rename the category, or train again with its name."
                )
            raise ConfigError(
                f"{where}: has no class '{item.name}', which the model detects{did_you_mean(item.name, category_ids)}"
            )
        matched[category_ids[item.name]] = item
    return matched


def _of_zoo(dataset: Dataset, label_map: LabelMap, category_ids: Mapping[str, int]) -> dict[int, LabelMapItem]:
    matched = {}
    for item in label_map.items:
        category = dataset.category_by_id[category_ids[item.name]] if item.name in category_ids else None
        if category is not None:
            matched[category.id] = item if category.keypoints else LabelMapItem(item.id, item.name)
    return matched


def keypoint_order(dataset: Dataset, classes: Mapping[int, LabelMapItem], where: str) -> dict[int, list[int]]:
    """Per category id: for each keypoint of the model's class, its index in the category.

    Raises:
        ConfigError: the category lacks a keypoint of the model.
    """
    order = {}
    for category_id, item in classes.items():
        names = dataset.category_by_id[category_id].keypoints
        for keypoint in item.keypoints:
            if keypoint.name not in names:
                known = did_you_mean(keypoint.name, names) if names else "; it has no keypoints."
                raise ConfigError(
                    f"{where}: class '{item.name}' has no keypoint '{keypoint.name}', which the model detects{known}"
                )
        order[category_id] = [names.index(keypoint.name) for keypoint in item.keypoints]
    return order


def as_label_map(instance: Instance, item: LabelMapItem, order: list[int]) -> Instance:
    """`instance` with the model's class id and the model's order of keypoints."""
    points = instance.keypoints_xyv
    return Instance(
        id=instance.id,
        image_id=instance.image_id,
        category_id=item.id,
        box_xywh_px=instance.box_xywh_px,
        area_px=instance.area_px,
        keypoints_xyv=tuple(points[index] for index in order) if points else (),
        iscrowd=instance.iscrowd,
        segmentation=instance.segmentation,
    )
