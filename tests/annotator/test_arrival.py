from __future__ import annotations

from typing import Any

import pytest

from kpt_tools.annotator.arrival import not_kept

SQUARE = [[1, 1, 9, 1, 9, 9, 1, 9]]


def coco(**changes: Any) -> dict[str, Any]:
    row = {"id": 5, "image_id": 2, "category_id": 3, "segmentation": SQUARE, "keypoints": [4, 4, 2], **changes}
    return {
        "images": [{"id": 2, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
        "categories": [{"id": 3, "name": "Mouse"}, {"id": 4, "name": "rat"}],
        "annotations": [row],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": 900, "metadata": {}, "isbbox": False},
        {"segmentation": [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 9.0]]},
        {"keypoints": [4.0, 4.0, 2]},
    ],
    ids=["the same", "other ids and notes", "decimals in polygons", "decimals in points"],
)
def test_kept(changes: dict[str, Any]) -> None:
    export = coco(**changes)
    export["categories"][0]["name"] = "mouse"
    assert not_kept(coco(), export) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"image_id": 7},
        {"image_id": 99},
        {"category_id": 4},
        {"category_id": 99},
        {"segmentation": [[1, 1, 9, 1, 9, 9]]},
        {"segmentation": []},
        {"keypoints": [5, 4, 2]},
        {"keypoints": []},
    ],
    ids=["other image", "no image", "other class", "unlisted class", "other polygon", "no polygon", "moved", "none"],
)
def test_not_kept(changes: dict[str, Any]) -> None:
    sent = coco()
    assert not_kept(sent, coco(**changes)) == sent["annotations"]


def test_an_object_without_points_has_none_in_the_export() -> None:
    export = coco()
    del export["annotations"][0]["keypoints"]
    assert not_kept(coco(keypoints=[]), export) == []


def test_of_two_objects_the_other() -> None:
    sent = coco()
    sent["annotations"].append({**sent["annotations"][0], "id": 6, "image_id": 7})
    assert [row["id"] for row in not_kept(sent, coco())] == [6]
