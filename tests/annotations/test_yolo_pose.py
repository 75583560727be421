from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from exchange_factories import BOLT, MOUSE, content, image, mice, mouse, workshop

from kpt_tools.annotations.formats.base import ReadOptions, WriteOptions, Written
from kpt_tools.annotations.formats.yolo_files import label_path, read, read_yaml
from kpt_tools.annotations.formats.yolo_pose import YoloImage, parse, write
from kpt_tools.annotations.geometry import BoxPolicy
from kpt_tools.entities import Category, Dataset
from kpt_tools.errors import ConfigError, DataError

# Head of coco8-pose.yaml as Ultralytics documents it, with three of its 17 points.
GENUINE: dict[str, Any] = {
    "path": "../datasets/coco8-pose",
    "train": "images/train",
    "val": "images/val",
    "test": None,
    "kpt_shape": [3, 3],
    "flip_idx": [0, 2, 1],
    "names": {0: "person"},
}
LINE = "0 0.5 0.5 0.25 0.5 0.25 0.5 2 0.75 0.125 1 0 0 0"
IDENTITY = {MOUSE.id: (0, 2, 1, 3), BOLT.id: (0, 1), 12: ()}


def parsed(data: dict[str, Any], *texts: str | None, **options: Any) -> tuple[Dataset, dict[str, int]]:
    images = [YoloImage(f"{n}.jpg", 640, 480, text) for n, text in enumerate(texts)]
    dataset, report = parse(data, images, ReadOptions(**options), "data.yaml")
    return dataset, report.counts()


def test_genuine_line() -> None:
    dataset, counts = parsed(GENUINE, LINE + "\n")
    (row,) = dataset.instances
    assert row.box_xywh_px == (240.0, 120.0, 160.0, 240.0)
    assert row.area_px == 160 * 240
    assert row.keypoints_xyv == ((160.0, 240.0, 2), (480.0, 60.0, 1), (0.0, 0.0, 0))
    assert dataset.categories == (Category(1, "person", ("keypoint_1", "keypoint_2", "keypoint_3")),)
    assert counts == {"keypoint-order-assumed": 1}


def test_two_values_per_point_tell_no_visibility() -> None:
    dataset, _ = parsed({**GENUINE, "kpt_shape": [3, 2]}, "0 0.5 0.5 0.25 0.5 0.25 0.5 0 0 -1 0.5")
    assert dataset.instances[0].keypoints_xyv == ((160.0, 240.0, 2), (0.0, 0.0, 0), (0.0, 0.0, 0))


def test_names_of_points_from_the_yaml_or_from_classes() -> None:
    named = {**GENUINE, "kpt_names": {0: ["nose", "left_eye", "right_eye"]}}
    dataset, counts = parsed(named, LINE)
    assert dataset.categories[0].keypoints == ("nose", "left_eye", "right_eye")
    assert counts == {}
    given = Category(5, "person", ("right_eye", "nose", "left_eye"), ((0, 1),))
    dataset, _ = parsed(named, LINE, classes=(given,))
    assert dataset.categories == (replace(given, id=1),)
    assert dataset.instances[0].keypoints_xyv == ((0.0, 0.0, 0), (160.0, 240.0, 2), (480.0, 60.0, 1))


def test_no_label_file_and_an_empty_one_mean_nothing_there() -> None:
    dataset, counts = parsed(GENUINE, None, "", "\n\n")
    assert (len(dataset.images), dataset.instances) == (3, ())
    assert counts == {"keypoint-order-assumed": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.25", "4 values; expected 14"),
        (LINE + " 0.5", "15 values; expected 14"),
        (LINE.replace("0.75", "abc"), "is not all numbers"),
        ("1" + LINE[1:], "class 1; expected 0 to 0"),
        ("-1" + LINE[1:], "class -1"),
        ("0.5" + LINE[1:], "class 0.5"),
        (LINE.replace("0.75", "nan"), "no finite number"),
        (LINE.replace("0.25 0.5 0.25", "0 0.5 0.25"), "a box of 0 x 0.5"),
    ],
    ids=["short", "long", "text", "class", "negative", "half", "nan", "box"],
)
def test_a_bad_line_is_told_and_the_others_stay(line: str, message: str) -> None:
    images = [YoloImage("a.jpg", 640, 480, f"{LINE}\n{line}\n{LINE}\n")]
    dataset, report = parse(GENUINE, images, ReadOptions(), "data.yaml")
    assert len(dataset.instances) == 2
    (told,) = [row for row in report.findings if row.code == "label-invalid"]
    assert told.message.startswith("a.jpg: line 2 of its label file: ")
    assert message in told.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kpt_shape": None}, "kpt_shape is None; expected .* Is this a data set for detection only"),
        ({"kpt_shape": [3]}, "kpt_shape is .3."),
        ({"kpt_shape": [3, 4]}, "kpt_shape is"),
        ({"names": None}, "names is None"),
        ({"names": {1: "a"}}, "names is"),
        ({"names": ["a", "a"]}, "names is"),
    ],
)
def test_no_yaml_of_a_pose_data_set(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parsed({**GENUINE, **changes}, LINE)


@pytest.mark.parametrize(
    ("category", "message"),
    [
        (Category(1, "dog", ("a", "b", "c")), "class 'person' is none of those of --classes .dog."),
        (Category(1, "person", ("a", "b", "c", "d")), "has 3 points without names; --classes says a, b, c, d"),
    ],
)
def test_classes_of_another_data_set(category: Category, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parsed(GENUINE, LINE, classes=(category,))


def lines(written: Written, label: str) -> list[list[float]]:
    return [[float(cell) for cell in line.split()] for line in str(written.files[label]).splitlines()]


def trainer_accepts(written: Written) -> int:
    """The checks of Ultralytics' `verify_image_label`, which passes over a whole file otherwise; number of lines."""
    data = yaml.safe_load(str(written.files["data.yaml"]))
    num, dims = data["kpt_shape"]
    assert sorted(data["flip_idx"]) == list(range(num))
    count = 0
    for name in written.files:
        if name.endswith(".txt") and (rows := lines(written, name)):
            table = np.array(rows, dtype=np.float32)
            assert table.shape[1] == 5 + num * dims
            assert table[:, 5:].reshape(-1, dims)[:, :2].max() <= 1
            assert table[:, 1:5].max() <= 1
            assert table.min() >= 0
            assert table[:, 0].max() < len(data["names"])
            count += len(rows)
    return count


def test_yaml_and_lines() -> None:
    written = write(mice(), WriteOptions(flips=IDENTITY, val_ids=frozenset({2})))
    assert yaml.safe_load(str(written.files["data.yaml"])) == {
        "train": "images/train",
        "val": "images/val",
        "kpt_shape": [4, 3],
        "flip_idx": [0, 2, 1, 3],
        "names": {0: "mouse"},
        "kpt_names": {0: ["snout", "left_ear", "right_ear", "tail"]},
    }
    assert lines(written, "labels/train/img1.txt") == [
        [0, 0.390625, 0.4166667, 0.46875, 0.5, 0.1953125, 0.2135417, 2, 0.3125, 0.2916667, 1, 0, 0, 0,
         0.5742188, 0.59375, 2]
    ]  # fmt: skip
    assert written.files["labels/train/img3.txt"] == ""
    assert "labels/val/img2.txt" in written.files
    assert written.images == {1: "images/train/img1.jpg", 2: "images/val/img2.jpg", 3: "images/train/img3.jpg"}
    assert trainer_accepts(written) == 2


def test_boxes_and_points_outside_are_cut_so_that_the_trainer_takes_the_file() -> None:
    wide = mouse(box_xywh_px=(-5.0, 8.0, 90.0, 24.0), keypoints_xyv=((70.0, 1.0, 2), *mouse().keypoints_xyv[1:]))
    written = write(Dataset((image(),), (MOUSE,), (wide,), ""), WriteOptions(flips=IDENTITY))
    assert trainer_accepts(written) == 1
    assert {row.code for row in written.findings} >= {"box-clipped", "keypoint-outside"}


def test_classes_with_different_keypoints_share_slots_if_their_mirror_images_agree(tmp_path: Path) -> None:
    flips = {MOUSE.id: (0, 1, 3, 2), BOLT.id: (0, 1), 12: ()}
    written = write(workshop(), WriteOptions(flips=flips))
    data = yaml.safe_load(str(written.files["data.yaml"]))
    assert (data["kpt_shape"], data["flip_idx"]) == ([4, 3], [0, 1, 3, 2])
    assert data["kpt_names"][1] == ["head", "tip", "unused_2", "unused_3"]
    (told,) = [row.message for row in written.findings if row.code == "keypoints-padded"]
    assert "('mouse' 4, 'bolt' 2, 'nut' 0); every line has 4 points, they share the slots" in told
    assert trainer_accepts(written) == 4


@pytest.mark.parametrize("flips", [{MOUSE.id: (0, 2, 1, 3), BOLT.id: (0, 1), 12: ()}, {MOUSE.id: (1, 0, 2, 3)}])
def test_different_mirror_images_get_slots_of_their_own_and_come_back(
    flips: dict[int, tuple[int, ...]], tmp_path: Path
) -> None:
    written = write(workshop(), WriteOptions(flips=flips))
    data = yaml.safe_load(str(written.files["data.yaml"]))
    assert trainer_accepts(written) == 4
    if flips[MOUSE.id] == (1, 0, 2, 3):
        assert data["kpt_shape"] == [6, 3]
        assert data["flip_idx"] == [1, 0, 2, 3, 4, 5]
        assert data["kpt_names"][1] == [*(f"unused_{n}" for n in range(4)), "head", "tip"]
    texts = {row.file_name: f"labels/train/{row.file_name.rsplit('.')[0]}.txt" for row in workshop().images}
    images = [
        YoloImage(row.file_name, row.width, row.height, str(written.files[texts[row.file_name]]))
        for row in workshop().images
    ]
    found, report = parse(data, images, ReadOptions(), "data.yaml")
    assert content(found) == content(workshop())
    assert report.counts() == {}


def test_boxes_from_keypoints_when_asked() -> None:
    bare = Dataset((image(),), (MOUSE,), (mouse(box_xywh_px=None),), "")
    assert write(bare, WriteOptions(flips=IDENTITY)).files["labels/train/img1.txt"] == ""
    written = write(bare, WriteOptions(flips=IDENTITY, boxes=BoxPolicy(True, 0.0)))
    assert trainer_accepts(written) == 1


def test_an_image_without_a_size_is_left_out() -> None:
    dataset = Dataset((image(width=0, height=0), image(2)), (MOUSE,), (mouse(), mouse(12, 2)), "")
    written = write(dataset, WriteOptions(flips=IDENTITY))
    assert [name for name in written.files if name.endswith(".txt")] == ["labels/train/img2.txt"]
    assert [row.image for row in written.findings if row.code == "image-size-unknown"] == ["img1.jpg"]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Dataset((image(),), (Category(1, "nut"),), (), "nuts.json"), "nuts.json: no class has keypoints"),
        (
            Dataset((image(1, "a.jpg"), image(2, "a.png")), (MOUSE,), (), ""),
            "a.png: another image would have the label",
        ),
    ],
)
def test_what_cannot_be_written(dataset: Dataset, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write(dataset, WriteOptions())


@pytest.mark.parametrize(
    ("image_path", "expected"),
    [
        ("/d/images/train/a.jpg", "/d/labels/train/a.txt"),
        ("/images/x/images/a.b.jpg", "/images/x/labels/a.b.txt"),
        ("/d/train/a.jpg", "/d/train/a.txt"),
        ("/d/images.jpg", "/d/images.txt"),
    ],
)
def test_label_path(image_path: str, expected: str) -> None:
    assert label_path(Path(image_path)).as_posix() == expected


def project(folder: Path, text: str, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{LINE}\n" if name.endswith(".txt") else "")
    (folder / "data.yaml").write_text(text)
    return folder


ROBOFLOW = "train: ../train/images\nval: ../valid/images\nkpt_shape: [3, 3]\nnames: ['person']\n"


def size_of(path: Path) -> tuple[int, int]:
    return 640, 480


def test_roboflow_layout(tmp_path: Path) -> None:
    files = ("train/images/a.jpg", "train/labels/a.txt", "valid/images/a.jpg", "valid/images/b.jpg")
    dataset, report = read(project(tmp_path, ROBOFLOW, *files), ReadOptions(size_of=size_of))
    assert [row.file_name for row in dataset.images] == ["train/a.jpg", "val/a.jpg", "b.jpg"]
    assert len(dataset.instances) == 1
    assert report.counts() == {"image-renamed": 2, "keypoint-order-assumed": 1}


def test_labels_without_image_and_absent_folders_are_told(tmp_path: Path) -> None:
    text = "path: .\ntrain: images/train\nval: images/val\nkpt_shape: [3, 3]\nnames: [person]\n"
    files = ("images/train/a.jpg", "labels/train/a.txt", "labels/train/lonely.txt")
    dataset, report = read(project(tmp_path, text, *files), ReadOptions(size_of=size_of))
    assert len(dataset.images) == 1
    told = [row.message for row in report.findings if row.code == "label-without-image"]
    assert len(told) == 2
    assert "lonely.txt: no image of this name" in told[0]
    assert "val: 'images/val' is not there" in told[1]


def test_list_files(tmp_path: Path) -> None:
    text = "train: train.txt\nkpt_shape: [3, 3]\nnames: [person]\n"
    folder = project(tmp_path, text, "images/a.jpg", "labels/a.txt")
    (folder / "train.txt").write_text("./images/a.jpg\n")
    dataset, _ = read(folder / "data.yaml", ReadOptions(size_of=size_of))
    assert [row.file_name for row in dataset.images] == ["images/a.jpg"]
    assert len(dataset.instances) == 1


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a: [", DataError, "not valid YAML"),
        ("- a", DataError, "holds no table"),
        (ROBOFLOW, ConfigError, "none of its images was found"),
    ],
)
def test_yaml_files_that_are_none(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read(project(tmp_path, text), ReadOptions(size_of=size_of))
    with pytest.raises(ConfigError, match="no such file; expected"):
        read_yaml(tmp_path / "none.yaml")
