"""From a folder of CAT, or COCO keypoints, to patches."""

import json

import numpy as np
import pytest
from PIL import Image

from kpt_tools.config.heatmap import HeatmapPrepareConfig
from kpt_tools.config.heatmap_manifest import read_data
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.heatmap.geometry import apply
from kpt_tools.stages.heatmap_prepare import PICTURE_NAME, heatmap_prepare
from kpt_tools.stages.heatmap_records import decode_patch, read_patches
from tests.heatmap_factories import cat_folder


def prepare(tmp_path, source, **changes):
    config = HeatmapPrepareConfig(**{"source": source, "out": tmp_path / "data", "workers": 1, **changes})
    return heatmap_prepare(config)


def patches(result, side: str = "train"):
    return list(read_patches(result.data.files(result.out, side)))


def test_a_folder_of_cat(tmp_path) -> None:
    result = prepare(tmp_path, cat_folder(tmp_path / "cats", 15))
    sides = {name: (side.pictures, side.objects, side.points) for name, side in result.data.sides.items()}
    assert sides == {"train": (9, 9, 27), "val": (3, 3, 9), "test": (3, 3, 9)}
    assert result.complete
    assert read_data(result.out) == result.data
    assert [k.name for k in read_metadata(result.out).label_map.items[0].keypoints] == [
        "left_eye",
        "right_eye",
        "mouth",
    ]
    assert result.flip_pairs == (("left_eye", "right_eye"),)
    with Image.open(result.out / PICTURE_NAME) as picture:
        assert picture.width > 5 * 256


def test_groups_stay_together(tmp_path) -> None:
    result = prepare(tmp_path, cat_folder(tmp_path / "cats", 15))
    groups = [{patch.name.split("_")[0] for patch in patches(result, side)} for side in ("train", "val", "test")]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 5


def test_in_order_is_60_20_20_as_the_files_stand(tmp_path) -> None:
    result = prepare(tmp_path, cat_folder(tmp_path / "cats", 10), split="in-order")
    names = [patch.name for side in ("train", "val", "test") for patch in patches(result, side)]
    assert names == sorted(names)
    assert [side.pictures for side in result.data.sides.values()] == [6, 2, 2]


def test_look_alikes_stay_together(tmp_path) -> None:
    """A picture of one group is copied into every other group, so all of them are one group."""
    folder = cat_folder(tmp_path / "cats", 9)
    for number in (3, 6):
        (folder / f"{number // 3:08d}_{number:03d}.jpg").write_bytes((folder / "00000000_000.jpg").read_bytes())
    with pytest.raises(ConfigError, match="puts all 9 images into one group"):
        prepare(tmp_path, folder)
    assert prepare(tmp_path, folder, look_alikes=False).look_alikes == 0


def test_patches_keep_points_boxes_and_pixels(tmp_path) -> None:
    folder = cat_folder(tmp_path / "cats", 9)
    for patch in patches(prepare(tmp_path, folder, patch_px=48)):
        values = [int(word) for word in (folder / f"{patch.name}.cat").read_text().split()][1:]
        truth = np.array(values, float).reshape(-1, 2)
        assert patch.image.shape == (36, 48, 3)
        assert apply(patch.to_picture, patch.points) == pytest.approx(truth[:3], abs=0.01)
        assert patch.box_xywh_px is not None
        x, y, w, h = patch.box_xywh_px
        corners = apply(patch.to_picture, np.array([[x, y], [x + w, y + h]]))
        assert corners == pytest.approx(np.array([truth.min(axis=0), truth.max(axis=0)]), abs=0.01)


def test_a_small_picture_keeps_its_own_bytes(tmp_path) -> None:
    folder = cat_folder(tmp_path / "cats", 9)
    result = prepare(tmp_path, folder)
    shard = result.data.files(result.out, "train")[0].read_bytes()
    patch = patches(result)[0]
    assert (folder / patch.name).read_bytes() in shard


def test_what_cannot_be_used_is_told_and_left_out(tmp_path) -> None:
    folder = cat_folder(tmp_path / "cats", 15)
    (folder / "00000000_000.jpg.cat").write_text("7 1 2 3")
    (folder / "00000000_001.jpg").write_bytes(b"no picture")
    (folder / "00000000_002.jpg.cat").unlink()
    (folder / "lonely.jpg.cat").write_text("9 " + "1 1 " * 9)
    outside = "9 " + "-9 -9 " * 3 + "5 5 30 5 9 40 8 8 7 7 6 6 "
    (folder / "00000001_003.jpg.cat").write_text(outside)
    result = prepare(tmp_path, folder)
    assert not result.complete
    assert result.report.counts() == {
        "keypoint-outside": 3,
        "image-without-objects": 2,
        "label-invalid": 1,
        "label-without-image": 1,
        "image-undecodable": 1,
        "object-without-points": 1,
    }
    assert sum(side.objects for side in result.data.sides.values()) == 11
    told = json.loads((result.out / "report.json").read_text())
    assert told["counts"] == result.report.counts()


def coco(tmp_path, objects_per_image: int = 1):
    """Pictures of 100x80 with objects of two points, in boxes."""
    folder = tmp_path / "images"
    folder.mkdir()
    images, annotations = [], []
    for number in range(1, 11):
        noise = np.random.default_rng(number).integers(0, 255, (80, 100, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 100, "height": 80})
        for k in range(objects_per_image):
            x = 10 + 45 * k
            points = [x + 2, 22, 2, x + 18, 24, 1 if number % 2 else 0]
            if not number % 2:
                points[3:5] = [0, 0]
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                                "bbox": [x, 20, 20, 10], "area": 200, "keypoints": points})  # fmt: skip
    category = {"id": 1, "name": "fish", "keypoints": ["left_fin", "right_fin"], "skeleton": [[1, 2]]}
    path = tmp_path / "fish.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return path, folder


def test_coco_gives_one_patch_per_object(tmp_path) -> None:
    path, images = coco(tmp_path, 2)
    result = prepare(tmp_path, path, images=images, look_alikes=False)
    assert result.data.whole == "box"
    assert [side.objects for side in result.data.sides.values()] == [12, 4, 4]
    assert [side.points for side in result.data.sides.values()] == [18, 6, 6] or sum(
        side.points for side in result.data.sides.values()
    ) == 30
    patch = patches(result)[0]
    assert patch.image.shape == (30, 40, 3)  # the box with half of its larger side around it
    assert apply(patch.to_picture, patch.points)[0] == pytest.approx([12 if patch.object_id % 2 else 57, 22])


def test_whole_pictures_show_one_object(tmp_path) -> None:
    path, images = coco(tmp_path, 2)
    with pytest.raises(DataError, match=r"no usable object .*picture-with-several-objects: 10"):
        prepare(tmp_path, path, images=images, whole="picture", look_alikes=False)
    assert not (tmp_path / "data" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"points": "left_eye,tail"}, "has no keypoint 'tail'", id="unknown point"),
        pytest.param({"category": "dog"}, "no class 'dog' with keypoints", id="unknown class"),
        pytest.param({"split": "in-order", "group_by": "x"}, "leave --group-by out", id="order and groups"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path, changes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(tmp_path, cat_folder(tmp_path / "cats", 6), **changes)


def test_a_second_run_replaces_the_first_whole(tmp_path) -> None:
    prepare(tmp_path, cat_folder(tmp_path / "cats", 9))
    result = prepare(tmp_path, cat_folder(tmp_path / "others", 6, seed=5), test=0)
    assert sorted(path.name for path in result.out.glob("*.record-*")) == [
        "train.record-00000-of-00001",
        "val.record-00000-of-00001",
    ]
    assert sum(side.pictures for side in read_data(result.out).sides.values()) == 6


@pytest.mark.parametrize("record", [b"", b"garbage"], ids=["empty", "garbage"])
def test_other_records_are_no_patches(record: bytes) -> None:
    with pytest.raises(DataError, match="x: not a"):
        decode_patch(record, "x")
