from __future__ import annotations

import re
from typing import Any

import pytest
from coco_factories import category_dict, coco_dict, image_dict, object_dict

from kpt_tools.annotator.client import Listing, RemoteImage
from kpt_tools.annotator.upload_check import Remote, check_upload
from kpt_tools.errors import DataError


def remote(*names: str, categories: tuple[str, ...] = ("plier",), **more: Any) -> Remote:
    images = tuple(RemoteImage(number, name) for number, name in enumerate(names or ("img1.jpg",), start=252))
    return Remote(Listing(images, categories), **more)


def codes(raw: object, there: Remote) -> list[tuple[str, str]]:
    return [(finding.severity, finding.code) for finding in check_upload(raw, "p.json", there).findings]


def test_a_sound_file_goes_as_it_is() -> None:
    raw = coco_dict()
    upload = check_upload(raw, "p.json", remote())
    assert upload.coco == raw
    assert (upload.lost, upload.findings) == (0, ())


def test_pictures_without_objects_are_not_sent() -> None:
    raw = coco_dict(images=[image_dict(1), image_dict(2)])
    upload = check_upload(raw, "p.json", remote("img1.jpg", "img2.jpg"))
    assert [row["id"] for row in upload.coco["images"]] == [1]


def test_categories_go_by_name_whatever_the_case() -> None:
    assert codes(coco_dict(), remote(categories=("bolt", "PLIER"))) == []


@pytest.mark.parametrize(
    ("there", "expected", "message"),
    [
        (("other.jpg",), "upload-image-unknown", "no picture of the data set is named 'img1.jpg'"),
        (("IMG1.JPG",), "upload-image-unknown", "the importer wants the exact name"),
        (("img1.jpg", "img1.jpg"), "upload-image-ambiguous", "2 pictures of the data set are named 'img1.jpg'"),
    ],
)
def test_pictures_that_the_importer_does_not_find(there: tuple[str, ...], expected: str, message: str) -> None:
    upload = check_upload(coco_dict(), "p.json", remote(*there))
    assert [(finding.severity, finding.code) for finding in upload.findings] == [("error", expected)]
    assert message in upload.findings[0].message
    assert (upload.lost, upload.coco["annotations"], upload.coco["images"]) == (1, [], [])


def test_a_sub_folder_is_cut_off_where_that_is_clear() -> None:
    raw = coco_dict(images=[image_dict(file_name="cam1/img1.jpg")])
    upload = check_upload(raw, "p.json", remote())
    assert upload.coco["images"][0]["file_name"] == "img1.jpg"
    assert raw["images"][0]["file_name"] == "cam1/img1.jpg", "the input is left as it is"
    assert [finding.code for finding in upload.findings] == ["upload-image-renamed"]
    assert codes(raw, remote("img1.jpg", "img1.jpg")) == [("error", "upload-image-ambiguous")]


def test_an_unknown_category() -> None:
    upload = check_upload(coco_dict(), "p.json", remote(categories=("pliers",)))
    assert upload.lost == 1
    assert "'plier' is not a category of the data set; did you mean 'pliers'? Add it" in upload.findings[0].message
    assert codes(coco_dict(), remote(categories=())) == [("error", "upload-category-unknown")]


def test_new_categories_on_request() -> None:
    upload = check_upload(coco_dict(), "p.json", remote(categories=(), new_categories=True))
    assert [(finding.severity, finding.code) for finding in upload.findings] == [("info", "upload-category-new")]
    assert upload.lost == 0


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (("tip", "heel"), []),
        (("heel", "tip"), [("error", "upload-keypoints-differ")]),
        (("tip", "heel", "middle"), [("error", "upload-keypoints-differ")]),
        ((), [("error", "upload-keypoints-differ")]),
    ],
)
def test_keypoints_must_have_the_same_order(theirs: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert codes(coco_dict(), remote(keypoints={"plier": theirs})) == expected


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"segmentation": []}, "upload-box-lost", "has a bbox and no segmentation; the importer drops the box"),
        (
            {"segmentation": [], "keypoints": [], "bbox": []},
            "upload-object-empty",
            "neither segmentation nor keypoints",
        ),
        ({"segmentation": {"counts": "x"}}, "upload-segmentation-invalid", "expected a list of polygons"),
        ({"segmentation": [1, 2, 3, 4, 5, 6]}, "upload-segmentation-invalid", "expected a list of polygons"),
        ({"segmentation": [[1, 2, 3, 4]]}, "upload-segmentation-invalid", "expected a list of polygons"),
        ({"segmentation": [[1, 2, 3, 4, 5, None]]}, "upload-segmentation-invalid", "expected a list of polygons"),
        ({"keypoints": [1, 2, 2]}, "upload-keypoints-length", "3 keypoint values; its class has 2 .*: expected 6"),
        ({"keypoints": [1, 2, 0.9, 1, 2, 0.8]}, "upload-keypoints-visibility", "visibility 0.9; expected 0, 1 or 2"),
        ({"keypoints": "tip"}, "upload-keypoints-invalid", "keypoints are 'tip'; expected a list of numbers"),
        ({"image_id": 99}, "upload-object-orphan", "image_id is 99; the file has no such entry"),
        ({"category_id": None}, "upload-object-orphan", "category_id is null; the file has no such entry"),
    ],
)
def test_objects_that_would_be_lost_or_spoilt(changes: dict[str, Any], code: str, message: str) -> None:
    good, bad = object_dict(11), object_dict(12, **changes)
    upload = check_upload(coco_dict(annotations=[good, bad]), "p.json", remote())
    assert [finding.code for finding in upload.findings] == [code]
    assert upload.findings[0].message.startswith("p.json: annotations[1]: ")
    assert upload.findings[0].annotation_id == 12
    assert upload.coco["annotations"] == [good]
    assert upload.lost == 1
    assert re.search(message, upload.findings[0].message)


def test_keypoints_alone_are_kept() -> None:
    row = object_dict(segmentation=[], bbox=[0, 0, 0, 0], area=0)
    assert check_upload(coco_dict(annotations=[row]), "p.json", remote()).lost == 0


def test_entries_that_are_none() -> None:
    raw = coco_dict(images=[7, image_dict()], categories=["x", category_dict()], annotations=[None, object_dict()])
    upload = check_upload(raw, "p.json", remote())
    assert [finding.code for finding in upload.findings] == [
        "upload-image-invalid",
        "upload-category-invalid",
        "upload-object-invalid",
    ]
    assert (len(upload.coco["annotations"]), upload.lost) == (1, 1)


def test_pictures_that_have_objects_already() -> None:
    images = (RemoteImage(252, "img1.jpg", 3), RemoteImage(253, "img2.jpg", 1))
    upload = check_upload(coco_dict(), "p.json", Remote(Listing(images, ("plier",))))
    assert [(finding.severity, finding.code) for finding in upload.findings] == [("warning", "upload-beside-others")]
    assert "1 picture(s) have objects already (img1.jpg)" in upload.findings[0].message


@pytest.mark.parametrize("raw", [[], {}, {"images": [], "categories": []}, "x", None])
def test_no_coco_at_all(raw: object) -> None:
    with pytest.raises(DataError, match=r"p.json: .*expected a COCO object"):
        check_upload(raw, "p.json", remote())
