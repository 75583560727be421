"""Names of classes and keypoints that a pipeline.config tells without a label map: COCO's, as in the zoo's models."""

from __future__ import annotations

from kpt_tools.entities import LabelMap, LabelMapItem
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.pipeline.coco_classes import PERSON, person_label_map, plain_class_name, zoo_label_map


def known_label_map(config: Message) -> LabelMap | None:
    """The label map of a CenterNet with COCO's 90 class numbers, or with people alone; None for any other.

    People have their 17 keypoints if the model has a keypoint task with just these.
    """
    center_net = config.model.center_net
    classes, tasks = center_net.num_classes, center_net.keypoint_estimation_task
    coco, person = zoo_label_map(), person_label_map()
    labels = {keypoint.label for keypoint in person.items[0].keypoints}
    people = [task for task in tasks if plain_class_name(task.keypoint_class_name) == PERSON]
    if len(people) != len(tasks) or len(tasks) > 1:
        return None
    if any(set(task.keypoint_label_to_std) != labels for task in people):
        return None
    if classes == len(coco.items):
        return coco if tasks else LabelMap(tuple(LabelMapItem(item.id, item.name) for item in coco.items))
    return person if classes == 1 and tasks else None
