from __future__ import annotations

from pathlib import Path

import pytest
from coco_factories import coco_dict, encoded, image_dict, many_dict, object_dict, pixels, write_project
from PIL import Image

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.prepare import PreparePolicy, prepare_dataset


def codes(findings: list) -> list[str]:
    return [found.code for found in findings]


def test_sound_project_has_no_findings(tmp_path: Path) -> None:
    raw = many_dict(3)
    _, images = write_project(tmp_path, raw)
    dataset, _ = parse_coco(raw, "a.json")
    samples, findings = prepare_dataset(dataset, ImageFolder(images), PreparePolicy())
    assert findings == []
    assert [sample.image for sample in samples] == list(dataset.images)
    assert [sample.instances for sample in samples] == [(instance,) for instance in dataset.instances]


def test_raw_coordinates_move_with_a_rotated_picture(tmp_path: Path) -> None:
    raw = coco_dict()
    _, images = write_project(tmp_path, raw)
    exif = Image.Exif()
    exif[0x0112] = 6
    (images / "img1.jpg").write_bytes(encoded(Image.fromarray(pixels()), exif=exif))
    dataset, _ = parse_coco(raw, "a.json")
    (sample,), findings = prepare_dataset(dataset, ImageFolder(images), PreparePolicy())
    assert codes(findings) == ["image-exif-rotated"]
    assert (sample.image.width, sample.image.height) == (48, 64)
    assert sample.instances[0].box_xywh_px == (20.0, 10.0, 20.0, 30.0)
    assert sample.instances[0].keypoints_xyv == ((38.0, 12.0, 2), (28.0, 30.0, 1))


@pytest.mark.parametrize(
    ("annotations", "keep_empty", "expected", "count"),
    [
        ([], False, ["image-without-objects"], 0),
        ([], True, ["image-kept-empty"], 1),
        ([object_dict(bbox=None)], True, ["box-missing", "image-all-objects-lost"], 0),
    ],
    ids=["left out", "kept", "objects lost"],
)
def test_images_without_objects(
    tmp_path: Path, annotations: list, keep_empty: bool, expected: list[str], count: int
) -> None:
    raw = coco_dict(annotations=annotations)
    _, images = write_project(tmp_path, raw)
    dataset, _ = parse_coco(raw, "a.json")
    samples, findings = prepare_dataset(dataset, ImageFolder(images), PreparePolicy(keep_empty=keep_empty))
    assert codes(findings) == expected
    assert len(samples) == count


def test_two_images_of_one_file_are_both_left_out(tmp_path: Path) -> None:
    raw = coco_dict(images=[image_dict(1), image_dict(2, file_name="img1.jpg")])
    _, images = write_project(tmp_path, raw)
    dataset, _ = parse_coco(raw, "a.json")
    samples, findings = prepare_dataset(dataset, ImageFolder(images), PreparePolicy())
    assert (samples, codes(findings)) == ([], ["image-file-shared"] * 2)


def test_base_names_shared_between_sub_folders_are_told_apart_by_path(tmp_path: Path) -> None:
    raw = coco_dict(images=[image_dict(n, file_name="a.jpg", path=f"/datasets/d/{n}/a.jpg") for n in (1, 2)])
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.jpg").write_bytes(encoded())
    dataset, _ = parse_coco(raw, "a.json")
    samples, _ = prepare_dataset(dataset, ImageFolder(tmp_path), PreparePolicy(keep_empty=True))
    assert [sample.image.file_name for sample in samples] == ["1/a.jpg", "2/a.jpg"]
