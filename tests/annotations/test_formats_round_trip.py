"""Each format there and back: what it can hold survives, what it cannot hold is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_factories import MOUSE, content, drawn, mice, workshop

from kpt_tools.annotations.formats.base import Format, ReadOptions, WriteOptions, Written
from kpt_tools.annotations.formats.registry import FORMATS, detect
from kpt_tools.config.convert import FORMATS as NAMES
from kpt_tools.entities import Dataset, Report

SIZES = {"img1.jpg": (64, 48), "b.png": (100, 80), "c.png": (10, 10)}
TEXT_FORMATS = [name for name in NAMES if name != "deeplabcut-h5"]


def size_of(path: Path) -> tuple[int, int]:
    return SIZES.get(path.name, (64, 48))


def put(written: Written, folder: Path) -> Path:
    """Write everything, with an empty file in the place of each image; returns what to read."""
    for name, text in {**written.files, **dict.fromkeys(written.images.values(), "")}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def there_and_back(
    target: Format, dataset: Dataset, folder: Path, options: ReadOptions | None = None, **write: Any
) -> tuple[Dataset, Report, Written]:
    flips = {row.id: tuple(range(len(row.keypoints))) for row in dataset.categories}
    written = target.write(dataset, WriteOptions(flips=flips, scorer="ann", folder="video", **write))
    path = put(written, folder)
    read = path / next(iter(written.files)) if target.is_file else path
    found, report = target.read(read, options or ReadOptions(size_of=size_of))
    return found, report, written


def codes(written: Written) -> list[str]:
    return [row.code for row in written.findings]


def test_the_command_line_knows_every_format() -> None:
    assert tuple(FORMATS) == NAMES


EXACT = ["coco", "coco-annotator", "label-studio", "cvat", "labelme", "yolo-pose"]


@pytest.mark.parametrize("name", EXACT)
def test_boxes_points_and_visibility_survive(name: str, tmp_path: Path) -> None:
    found, _, _ = there_and_back(FORMATS[name], mice(), tmp_path)
    assert content(found) == content(mice())
    assert len(content(found)) == 2
    assert [row.file_name for row in found.images] == ["img1.jpg", "img2.jpg", "img3.jpg"]
    assert {(row.width, row.height) for row in found.images} == {(64, 48)}


@pytest.mark.parametrize("name", ["coco", "coco-annotator", "label-studio", "labelme"])
def test_several_classes_survive(name: str, tmp_path: Path) -> None:
    found, _, _ = there_and_back(FORMATS[name], workshop(), tmp_path)
    name_of = (lambda text: text.rpartition("/")[2]) if name == "coco-annotator" else str
    assert content(found) == content(workshop(), name_of=name_of)
    assert len(content(found)) == 4


@pytest.mark.parametrize("name", EXACT)
def test_drawn_boxes_are_no_loss(name: str, tmp_path: Path) -> None:
    found, _, written = there_and_back(FORMATS[name], drawn(mice()), tmp_path)
    assert content(found) == content(mice())
    assert "segmentation-lost" not in codes(written)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coco", []),
        ("coco-annotator", ["crowd-flag-lost"]),
        ("yolo-pose", ["skeleton-lost", "segmentation-lost", "crowd-flag-lost", "val-is-train"]),
        ("label-studio", ["skeleton-lost", "segmentation-lost", "crowd-flag-lost"]),
        ("cvat", ["segmentation-lost", "crowd-flag-lost"]),
        ("deeplabcut", ["visibility-lost", "skeleton-lost", "segmentation-lost", "crowd-flag-lost", "box-lost"]),
        ("labelme", ["skeleton-lost", "crowd-flag-lost"]),
    ],
)
def test_losses_are_told(name: str, expected: list[str]) -> None:
    first, second = mice().instances
    outlined = replace(first, segmentation=((1.0, 1.0, 9.0, 1.0, 5.0, 9.0),), iscrowd=True)
    dataset = Dataset(mice().images, (MOUSE,), (outlined, second), "mice.json")
    flips = {MOUSE.id: (0, 2, 1, 3)}
    assert codes(FORMATS[name].write(dataset, WriteOptions(flips=flips, scorer="ann"))) == expected


@pytest.mark.parametrize("name", ["label-studio", "labelme", "yolo-pose"])
def test_classes_of_another_file_give_ids_order_and_skeleton(name: str, tmp_path: Path) -> None:
    turned = replace(MOUSE, id=77, keypoints=("tail", "snout", "right_ear", "left_ear"), skeleton=((0, 1),))
    found, report, _ = there_and_back(FORMATS[name], mice(), tmp_path, ReadOptions((turned,), size_of=size_of))
    assert content(found) == content(mice())
    assert found.categories[0].keypoints == turned.keypoints
    assert found.categories[0].skeleton == ((0, 1),)
    assert "keypoint-order-assumed" not in report.counts()


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_a_written_folder_is_recognised(name: str, tmp_path: Path) -> None:
    _, _, written = there_and_back(FORMATS[name], mice(), tmp_path)
    folder, _ = detect(tmp_path)
    assert folder.name == name
    if FORMATS[name].is_file:
        main, _ = detect(tmp_path / next(iter(written.files)))
        assert main.name == name


def test_deeplabcut_keeps_points_only(tmp_path: Path) -> None:
    found, report, written = there_and_back(FORMATS["deeplabcut"], mice(), tmp_path, ReadOptions(category="mouse"))
    assert content(found) == content(mice(), boxes=False, visibility=False)
    assert [row.file_name for row in found.images] == ["img1.jpg", "img2.jpg", "img3.jpg"]
    assert list(written.files) == ["labeled-data/video/CollectedData_ann.csv"]
    assert found.categories[0].keypoints == MOUSE.keypoints
    assert report.counts() == {}


def test_deeplabcut_with_several_animals(tmp_path: Path) -> None:
    found, _, written = there_and_back(
        FORMATS["deeplabcut"], workshop(), tmp_path, ReadOptions(category="mouse"), category="mouse"
    )
    expected = [row for row in content(workshop(), boxes=False, visibility=False) if row[1] == "mouse"]
    assert content(found) == expected
    assert len(expected) == 2
    assert codes(written).count("object-inexpressible") == 2, "bolt and nut"
    text = str(written.files["labeled-data/video/CollectedData_ann.csv"])
    assert text.splitlines()[1].startswith("individuals,,,mouse1,mouse1")
    assert set(written.files) == {f"labeled-data/{video}/CollectedData_ann.csv" for video in ("video", "sub")}


def test_deeplabcut_hdf5(tmp_path: Path) -> None:
    pytest.importorskip("tables", reason="HDF5 needs the extra 'formats'")
    target = FORMATS["deeplabcut-h5"]
    for dataset, category in ((mice(), None), (workshop(), "mouse")):
        folder = tmp_path / dataset.source
        written = target.write(dataset, WriteOptions(scorer="ann", folder="video", category=category))
        put(written, folder)
        tables = sorted(folder.rglob("*.h5"))
        assert len(tables) == len(written.files) / 2 >= 1
        for csv in folder.rglob("*.csv"):
            csv.unlink()
        found, _ = target.read(folder, ReadOptions(category="mouse"))
        expected = content(dataset, boxes=False, visibility=False)
        assert content(found) == [row for row in expected if row[1] == "mouse"]


def test_an_object_without_a_box() -> None:
    bare = Dataset(mice().images, (MOUSE,), (replace(mice().instances[0], box_xywh_px=None),), "mice.json")
    expected = {
        "coco": [],
        "coco-annotator": [],
        "yolo-pose": ["box-missing"],
        "label-studio": ["box-missing"],
        "cvat": [],
        "deeplabcut": [],
        "labelme": ["class-lost"],
    }
    for name, wanted in expected.items():
        written = FORMATS[name].write(bare, WriteOptions(flips={MOUSE.id: (0, 2, 1, 3)}, scorer="ann"))
        assert [code for code in codes(written) if code in ("box-missing", "class-lost")] == wanted, name
