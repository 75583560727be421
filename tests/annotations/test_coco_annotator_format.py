"""Pre-annotations survive coco-annotator's importer, as `annotator_server` has it from its source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from annotator_server import Annotator
from coco_factories import encoded
from exchange_factories import BOLT, MOUSE, NUT, image, mouse, workshop

from kpt_tools.annotations.coco import parse_coco, to_coco
from kpt_tools.annotations.formats.coco_annotator import annotation_dict, import_ready
from kpt_tools.annotations.predicted import PointPolicy, categories_of, dataset_of
from kpt_tools.entities import Dataset, Detection, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata


def annotator(*names: str) -> tuple[Annotator, int]:
    """A data set with pictures of these names, and the classes of the workshop, of which one is spelt otherwise."""
    server = Annotator()
    classes = tuple(
        server.add_category(name, points)
        for name, points in (("Mouse", MOUSE.keypoints), ("bolt", BOLT.keypoints), ("nut", ()))
    )
    dataset_id = server.add_dataset("mice", classes)
    for name in names:
        server.add_image(dataset_id, name, encoded())
    return server, dataset_id


def imported(content: dict[str, Any], *names: str) -> tuple[Annotator, list[str]]:
    server, dataset_id = annotator(*names)
    task: dict[str, Any] = {"logs": [], "warnings": 0, "errors": 0}
    server.take_in(task, dataset_id, content)
    return server, task["logs"]


def test_boxes_areas_and_points_survive_the_import() -> None:
    content, findings = import_ready(workshop())
    server, logs = imported(content, "img1.jpg", "sub/b.png", "c.png")
    assert (logs, findings) == ([], [])
    back, report = parse_coco(server.export(3), "export.json")
    assert "error" not in {row.severity for row in report.findings}
    assert len(back.instances) == 4
    boxes = {(row.box_xywh_px, row.area_px, row.keypoints_xyv) for row in workshop().instances}
    assert {(row.box_xywh_px, row.area_px, row.keypoints_xyv) for row in back.instances} == boxes
    assert all(row["isbbox"] is True for row in server.annotations)
    assert [row["category_id"] for row in server.annotations] == [15, 16, 15, 17], "'mouse' is found as 'Mouse'"
    assert len({row["color"] for row in server.annotations}) == 3, "a colour per class"


def test_plain_coco_would_not_survive() -> None:

    server, logs = imported(to_coco(workshop()), "img1.jpg", "b.png", "c.png")
    assert len(logs) == 2, "the nut has neither segmentation nor keypoints; its image is not found by 'sub/b.png'"
    assert [row["bbox"] for row in server.annotations] == [[0, 0, 0, 0]] * 3


def test_one_annotation_in_full() -> None:
    assert annotation_dict(mouse(), MOUSE) == {
        "id": 11,
        "image_id": 1,
        "category_id": 3,
        "segmentation": [[10.0, 8.0, 40.0, 8.0, 40.0, 32.0, 10.0, 32.0]],
        "area": 720,
        "bbox": [10.0, 8.0, 30.0, 24.0],
        "iscrowd": False,
        "isbbox": True,
        "color": annotation_dict(mouse(), MOUSE)["color"],
        "metadata": {},
        "keypoints": [12.5, 10.25, 2, 20.0, 14.0, 1, 0.0, 0.0, 0, 36.75, 28.5, 2],
        "num_keypoints": 3,
    }


@pytest.mark.parametrize(
    ("changes", "isbbox", "area", "polygons"),
    [
        ({"area_px": 0.0}, True, 720, 1),
        ({"area_px": 720.4}, True, 720, 1),
        ({"box_xywh_px": (1.0, 1.0, 0.5, 0.5), "area_px": 0.25}, True, 1, 1),
        ({"segmentation": ((1.0, 1.0, 9.0, 1.0, 5.0, 9.0),), "area_px": 32.0}, False, 32, 1),
        ({"box_xywh_px": None, "area_px": 0.0}, False, 0, 0),
    ],
    ids=["no area", "fraction", "tiny", "outline", "points only"],
)
def test_box_area_and_outline(changes: dict[str, Any], isbbox: bool, area: int, polygons: int) -> None:
    row = annotation_dict(mouse(**changes), MOUSE)
    assert (row["isbbox"], row["area"], len(row["segmentation"])) == (isbbox, area, polygons)
    assert isinstance(row["area"], int), "its data base has whole areas only"


def test_points_always_number_three_per_keypoint() -> None:
    assert annotation_dict(mouse(keypoints_xyv=()), MOUSE)["keypoints"] == [0.0, 0.0, 0] * 4
    odd = mouse(keypoints_xyv=((5.0, 5.0, 0),) * 4)
    assert annotation_dict(odd, MOUSE)["keypoints"] == [0.0, 0.0, 0] * 4
    assert "keypoints" not in annotation_dict(replace(mouse(), category_id=NUT.id), NUT)


def test_what_the_importer_would_lose_is_left_out_and_told() -> None:
    empty = mouse(12, box_xywh_px=None, keypoints_xyv=())
    images = (image(1), image(2, "a/x.jpg"), image(3, "b/x.jpg"))
    dataset = Dataset(images, (MOUSE,), (mouse(), empty, mouse(13, 2), mouse(14, 3)), "")
    content, findings = import_ready(dataset)
    assert [row["id"] for row in content["annotations"]] == [11]
    assert [row["file_name"] for row in content["images"]] == ["img1.jpg"]
    assert [row.code for row in findings] == [
        "pre-annotation-name-shared",
        "pre-annotation-name-shared",
        "object-inexpressible",
    ]


METADATA = ModelMetadata(
    LabelMap(
        (
            LabelMapItem(1, "nut"),
            LabelMapItem(2, "mouse", (KeypointLabel(0, "mouse_nose", "nose"), KeypointLabel(1, "tail", "tail"))),
        )
    ),
    skeleton=((0, 1),),
)


def test_predictions_become_annotations() -> None:
    points = ((10.004, 20.0, 0.9), (30.0, 40.0, 0.2))
    found = Detection(2, "mouse", 0.8, (1.234, 2.0, 30.0, 40.0), points)
    categories = categories_of(METADATA, {"mouse": "Mouse"})
    assert [(row.name, row.keypoints, row.skeleton) for row in categories] == [
        ("nut", (), ()),
        ("Mouse", ("nose", "tail"), ((0, 1),)),
    ]
    dataset = dataset_of([(image(), [found, replace(found, class_id=1, keypoints_xys=())])], categories, POLICY, "x")
    first, second = dataset.instances
    assert first.box_xywh_px == (1.23, 2.0, 30.0, 40.0)
    assert first.area_px == 1200.0
    assert first.keypoints_xyv == ((10.0, 20.0, 2), (30.0, 40.0, 1))
    assert (second.id, second.category_id, second.keypoints_xyv) == (2, 1, ())


POLICY = PointPolicy(confident=0.5, weak=0.1)


@pytest.mark.parametrize(("score", "v"), [(0.5, 2), (0.49, 1), (0.1, 1), (0.0999, 0), (0.0, 0)])
def test_scores_and_visibility(score: float, v: int) -> None:
    found = Detection(2, "mouse", 0.8, (1.0, 2.0, 3.0, 4.0), ((10.0, 20.0, score), (1.0, 1.0, 1.0)))
    (row,) = dataset_of([(image(), [found])], categories_of(METADATA), POLICY, "x").instances
    assert row.keypoints_xyv[0] == ((10.0, 20.0, v) if v else (0.0, 0.0, 0))
