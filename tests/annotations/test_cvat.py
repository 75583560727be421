from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from exchange_factories import content, mice, mouse, workshop

from kpt_tools.annotations.formats.cvat import format_cvat, parse
from kpt_tools.entities import Dataset
from kpt_tools.errors import DataError


def export(**changes: Any) -> dict[str, Any]:
    """As CVAT's "COCO Keypoints 1.0" writes one skeleton, whose right point is outside and whose left is occluded."""
    annotation = {
        "id": 1, "image_id": 1, "category_id": 1, "segmentation": [], "area": 600.0, "bbox": [10.0, 20.0, 30.0, 20.0],
        "iscrowd": 0, "attributes": {"occluded": False, "keyframe": False, "age": "old"},
        "keypoints": [10.0, 20.0, 2, 40.0, 40.0, 1, 33.5, 18.25, 0], "num_keypoints": 2,
    }  # fmt: skip
    return {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""},
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "", "keypoints": ["nose", "l", "r"], "skeleton": [[1, 2], [1, 3]]}
        ],
        "images": [
            {"id": 1, "width": 200, "height": 100, "file_name": "sub/a.jpg", "license": 0, "flickr_url": "",
             "coco_url": "", "date_captured": 0}
        ],
        "annotations": [annotation],
        **changes,
    }  # fmt: skip


def test_genuine_export() -> None:
    dataset, report = parse(export(), "person_keypoints_default.json")
    (cat,) = dataset.instances
    assert cat.keypoints_xyv == ((10.0, 20.0, 2), (40.0, 40.0, 1), (33.5, 18.25, 0))
    assert report.counts() == {"attribute-lost": 1, "box-is-extent": 1}


def test_a_drawn_box_and_own_attributes_only() -> None:
    raw = export()
    raw["annotations"][0] |= {"bbox": [8.0, 16.0, 40.0, 30.0], "attributes": {"occluded": True}}
    assert parse(raw, "a.json")[1].counts() == {}


def test_written_layout_is_that_of_an_export() -> None:
    written, _ = format_cvat(mice())
    genuine = export()
    assert set(written) == set(genuine)
    for key in ("categories", "images", "annotations"):
        assert set(written[key][0]) == set(genuine[key][0]), key
    assert [row["id"] for row in written["categories"]] == [1], "CVAT counts classes from 1"
    found, _ = parse(written, "a.json")
    assert content(found) == content(mice())


def test_skeletons_only() -> None:
    written, findings = format_cvat(workshop())
    assert len(written["annotations"]) == 3
    assert [row.code for row in findings] == ["object-inexpressible"]
    assert "'nut'" in findings[0].message


def test_without_a_box_the_extent_of_the_points_as_cvat_does() -> None:
    bare = Dataset(mice().images, mice().categories, (replace(mouse(), box_xywh_px=None, area_px=0.0),), "")
    (row,) = format_cvat(bare)[0]["annotations"]
    assert row["bbox"] == [12.5, 10.25, 24.25, 18.25]
    assert row["area"] == 24.25 * 18.25


def test_no_coco() -> None:
    with pytest.raises(DataError, match="found a list at the top"):
        parse([], "a.json")
