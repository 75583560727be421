"""COCO's classes and the 17 keypoints of its people, as the models of the TF2 detection zoo number and name them."""

from __future__ import annotations

from kpt_tools.entities import LabelMap
from kpt_tools.pipeline.label_map import parse_label_map
from kpt_tools.pipeline.resources import load_label_map_text

PERSON = "person"
ZOO_PERSON = "/m/01g317"
"""What the zoo's configs call a person: COCO's label map there has Freebase ids for names."""

PERSON_LABEL_MAP = "coco_person"
ZOO_LABEL_MAP = "coco_zoo"
ZOO_CLASSES = 90

# The evaluation of COCO keypoints, https://cocodataset.org/#keypoints-eval, in COCO's order of keypoints.
PERSON_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072,
    0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip

# The edges of the zoo's configs.
PERSON_SKELETON = (
    (0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (0, 6), (5, 7), (7, 9), (6, 8),
    (8, 10), (5, 6), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip


def person_label_map() -> LabelMap:
    """One class, person, with its 17 keypoints."""
    return parse_label_map(load_label_map_text(PERSON_LABEL_MAP), PERSON_LABEL_MAP)


def zoo_label_map() -> LabelMap:
    """The 90 classes of a zoo model; the ten numbers that COCO does not use are called "(unused 12)" and so on."""
    return parse_label_map(load_label_map_text(ZOO_LABEL_MAP), ZOO_LABEL_MAP)


def is_zoo(label_map: LabelMap) -> bool:
    """Whether the classes are those of a zoo model, of which a user's pictures show a few."""
    if len(label_map.items) != ZOO_CLASSES:
        return False
    return [item.name for item in label_map.items] == [item.name for item in zoo_label_map().items]


def plain_class_name(name: str) -> str:
    """The name that people use: "person" for the zoo's "/m/01g317"."""
    return PERSON if name == ZOO_PERSON else name
