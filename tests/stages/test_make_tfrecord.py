from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from coco_factories import category_dict, coco_dict, encoded, image_dict, many_dict, object_dict, pixels, write_project
from PIL import Image

from kpt_tools.annotations.coco import read_coco
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import read_manifest
from kpt_tools.entities import KeypointXyv
from kpt_tools.errors import ConfigError, DataError, KptToolsError
from kpt_tools.fsio import sha256_of
from kpt_tools.pipeline.label_map import read_label_map
from kpt_tools.records.checksum import crc32c
from kpt_tools.records.decode import RecordSample, read_records
from kpt_tools.stages.make_tfrecord import MakeTfrecordResult, make_tfrecord


def run(folder: Path, **changes: Any) -> MakeTfrecordResult:
    values = {
        "annotations": folder / "annotations.json",
        "images": folder / "images",
        "out": folder / "out",
        "label_map": folder / "map.pbtxt",
    }
    return make_tfrecord(MakeTfrecordConfig(**{**values, **changes}))


def samples_of(result: MakeTfrecordResult, split: str) -> list[RecordSample]:
    paths = [result.out / name for name in result.splits[split].shards]
    return list(read_records(paths, read_label_map(result.label_map_path)))


def listing(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.is_file()}


def flat(points: tuple[KeypointXyv, ...]) -> list[float]:
    return [value for point in points for value in point]


def test_records_label_map_manifest_and_json_agree(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(10))
    result = run(tmp_path)
    assert result.report.findings == []
    numbers = {n: (s.images, s.instances, s.labelled_keypoints, s.max_instances) for n, s in result.splits.items()}
    assert numbers == {"train": (8, 8, 16, 1), "val": (2, 2, 4, 1)}
    manifest = read_manifest(tmp_path / "out")
    assert manifest.splits == result.splits
    assert manifest.median_image_hw == (48, 64)
    assert (tmp_path / "out" / manifest.label_map).resolve() == (tmp_path / "map.pbtxt").resolve()
    assert [(c.id, c.name, c.keypoints) for c in manifest.categories] == [(1, "plier", ("tip", "heel"))]
    assert sorted(listing(tmp_path / "out")) == [
        "manifest.json", "report.json", "train.json", "train.record-00000-of-00001", "val.json",
        "val.record-00000-of-00001",
    ]  # fmt: skip
    names = set()
    for split in ("train", "val"):
        dataset, report = read_coco(tmp_path / "out" / f"{split}.json")
        assert report.findings == []
        stored = {sample.file_name: sample for sample in samples_of(result, split)}
        assert {image.file_name for image in dataset.images} == set(stored)
        names |= set(stored)
        for image in dataset.images:
            (truth,), (found,) = dataset.instances_of_image[image.id], stored[image.file_name].instances
            assert found.category_id == truth.category_id
            assert flat(found.keypoints_xyv) == pytest.approx(flat(truth.keypoints_xyv), abs=1e-5)
            assert found.box_xywh_px == pytest.approx(truth.box_xywh_px, abs=1e-5)
    assert len(names) == 10


def test_same_input_gives_the_same_shards(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(6))
    first = run(tmp_path, out=tmp_path / "a").splits
    second = run(tmp_path, out=tmp_path / "b").splits
    assert first == second


def test_images_are_stored_byte_for_byte(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(3))
    for sample in samples_of(run(tmp_path, val=None), "train"):
        assert sample.encoded == (tmp_path / "images" / sample.file_name).read_bytes()


def test_classes_with_five_no_and_two_keypoints(tmp_path: Path) -> None:
    five = [f"p{n}" for n in range(5)]
    raw = coco_dict(
        images=[image_dict(1)],
        categories=[
            category_dict(15, name="plier", keypoints=five),
            {"id": 3, "name": "box", "supercategory": ""},
            category_dict(9, name="rod", keypoints=["p0", "b"]),
        ],
        annotations=[
            object_dict(1, category_id=15, keypoints=[9, 9, 2] * 5, num_keypoints=5),
            object_dict(2, category_id=3, keypoints=None, num_keypoints=0),
            object_dict(3, category_id=9, keypoints=[12, 10, 1, 0, 0, 0], num_keypoints=1),
        ],
    )
    write_project(tmp_path, raw)
    result = run(tmp_path, val=0)
    assert result.label_map.num_keypoints == 7
    assert [k.label for item in result.label_map.items for k in item.keypoints] == [
        "plier_p0", "p1", "p2", "p3", "p4", "rod_p0", "b",
    ]  # fmt: skip
    (sample,) = samples_of(result, "train")
    assert [i.category_id for i in sample.instances] == [1, 2, 3]
    assert [i.num_labelled for i in sample.instances] == [5, 0, 1]
    assert flat(sample.instances[2].keypoints_xyv) == pytest.approx([12, 10, 1, 0, 0, 0], abs=1e-5)


def test_shards_are_named_mixed_and_replaced(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(12))
    result = run(tmp_path, val=None, shards=3)
    names = [f"train.record-0000{n}-of-00003" for n in range(3)]
    assert list(result.splits["train"].shards) == names
    for name, checksum in result.splits["train"].shards.items():
        assert int(checksum, 16) == crc32c((result.out / name).read_bytes())
    assert result.splits["train"].pattern == "train.record-?????-of-00003"
    assert sorted(p.name for p in (tmp_path / "out").glob("*.record-*")) == names
    assert [s.file_name for s in samples_of(result, "train")] != sorted(
        s.file_name for s in samples_of(result, "train")
    )
    (tmp_path / "out" / "train.record-notes.txt").touch()
    again = run(tmp_path, val=0.25, shards=2)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.record-?????-of-*")) == [
        f"{split}.record-0000{n}-of-00002" for split in ("train", "val") for n in range(2)
    ]
    assert (tmp_path / "out" / "train.record-notes.txt").exists()
    assert again.splits["val"].images == 3
    run(tmp_path, val=None)
    assert not list((tmp_path / "out").glob("val*"))


def test_more_shards_than_images(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(4))
    result = run(tmp_path, val=0.25, shards=3)
    assert [len(split.shards) for split in result.splits.values()] == [3, 1]
    assert result.report.counts() == {"shards-limited": 1}


def test_val_annotations_instead_of_a_split(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(3))
    val = many_dict(2, categories=[{"id": 0, "name": "tools", "supercategory": "none"},
                                   category_dict(4, supercategory="tools")])  # fmt: skip
    for row in val["annotations"]:
        row["category_id"] = 4
    annotations, images = write_project(tmp_path / "val", val)
    result = run(tmp_path, val_annotations=annotations, val_images=images)
    assert [split.images for split in result.splits.values()] == [3, 2]
    assert {i.category_id for s in samples_of(result, "val") for i in s.instances} == {1}
    assert result.report.counts() == {"category-super-dropped": 1}
    leaking = run(tmp_path, val_annotations=tmp_path / "annotations.json")
    assert leaking.report.counts() == {"image-in-both-splits": 3}


@pytest.mark.parametrize(
    ("category", "message"),
    [
        (category_dict(name="Plier"), "class 'Plier' is not in"),
        (category_dict(keypoints=["heel", "tip"]), "class 'plier' has the keypoints heel, tip; in"),
    ],
    ids=["name", "keypoints"],
)
def test_val_annotations_of_other_classes_are_refused(tmp_path: Path, category: dict, message: str) -> None:
    write_project(tmp_path, many_dict(3))
    annotations, images = write_project(tmp_path / "val", many_dict(2, categories=[category]))
    with pytest.raises(DataError, match=message):
        run(tmp_path, val_annotations=annotations, val_images=images)
    assert not (tmp_path / "out").exists()


def test_losses_are_counted_and_the_rest_is_written(tmp_path: Path) -> None:
    raw = many_dict(6)
    raw["annotations"][0]["bbox"] = [0, 0, 0, 0]
    raw["annotations"][1]["bbox"] = [200, 8, 30, 20]
    write_project(tmp_path, raw)
    (tmp_path / "images" / "img3.jpg").unlink()
    (tmp_path / "images" / "img4.jpg").write_bytes(encoded()[:-100])
    result = run(tmp_path)
    assert result.report.counts() == {
        "image-all-objects-lost": 2, "box-missing": 1, "box-outside": 1, "image-missing": 1, "image-truncated": 1,
    }  # fmt: skip
    assert not result.complete
    assert sum(split.images for split in result.splits.values()) == 2
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["counts"] == result.report.counts()
    assert len(report["findings"]) == 6


def test_sizes_that_the_json_lacks_are_those_of_the_files(tmp_path: Path) -> None:
    raw = many_dict(4)
    annotations, _ = write_project(tmp_path, raw)
    for image in raw["images"]:
        del image["width"]
    annotations.write_text(json.dumps(raw), encoding="utf-8")
    result = run(tmp_path)
    assert result.report.counts() == {"image-size-missing": 4}
    assert sum(split.images for split in result.splits.values()) == 4
    assert read_manifest(tmp_path / "out").median_image_hw == (48, 64)


def test_strict_writes_nothing(tmp_path: Path) -> None:
    raw = many_dict(4)
    raw["annotations"][0]["bbox"] = [-5, 8, 30, 20]
    write_project(tmp_path, raw)
    with pytest.raises(DataError, match=r"--strict: 1 findings \(box-clipped: 1\); first: img1.jpg: annotation 101"):
        run(tmp_path, strict=True)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "map.pbtxt").exists()
    assert run(tmp_path).complete


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (coco_dict(images=[], annotations=[]), "none of its 0 images and 0 objects can be used"),
        (coco_dict(annotations=[]), r"none of its 1 images and 0 objects can be used .*image-without-objects: 1"),
        (coco_dict(categories=[]), r"none of its 1 images and 0 objects .*annotation-category-unknown: 1"),
    ],
    ids=["no images", "no objects", "no classes"],
)
def test_nothing_usable_is_an_error(tmp_path: Path, raw: dict[str, Any], message: str) -> None:
    write_project(tmp_path, raw)
    with pytest.raises(DataError, match=message):
        run(tmp_path)
    assert not (tmp_path / "out").exists()


def test_boxes_from_keypoints(tmp_path: Path) -> None:
    raw = many_dict(3)
    for row in raw["annotations"]:
        row.update(bbox=[0, 0, 0, 0], segmentation=[], area=0)
    write_project(tmp_path, raw)
    result = run(tmp_path, val=None, boxes_from_keypoints=True, box_padding=0.0)
    assert result.report.counts() == {"box-from-keypoints": 3}
    assert samples_of(result, "train")[0].instances[0].box_xywh_px == pytest.approx((12, 10, 18, 10), abs=1e-5)


def test_rotated_picture_is_upright_in_record_and_json(tmp_path: Path) -> None:
    write_project(tmp_path, coco_dict())
    exif = Image.Exif()
    exif[0x0112] = 8
    (tmp_path / "images" / "img1.jpg").write_bytes(encoded(Image.fromarray(pixels()), exif=exif))
    result = run(tmp_path, val=None)
    (sample,) = samples_of(result, "train")
    assert (sample.width, sample.height) == (48, 64)
    assert sample.instances[0].keypoints_xyv[0] == pytest.approx((10, 64 - 12, 2), abs=1e-5)
    dataset, _ = read_coco(tmp_path / "out" / "train.json")
    assert (dataset.images[0].width, dataset.images[0].height) == (48, 64)
    assert dataset.instances[0].keypoints_xyv[0] == (10.0, 52.0, 2)


def test_odd_names_and_sub_folders(tmp_path: Path) -> None:
    names = ["Käse & Brot.jpg", "日本/写真 1.jpg", "a [b] {c}.jpg", "%20 #?.jpg"]
    raw = many_dict(4)
    for row, name in zip(raw["images"], names, strict=True):
        row["file_name"] = name
    write_project(tmp_path, raw)
    assert {s.file_name for s in samples_of(run(tmp_path, val=None), "train")} == set(names)


def test_thousand_objects_in_one_image(tmp_path: Path) -> None:
    write_project(tmp_path, coco_dict(annotations=[object_dict(n) for n in range(1, 1001)]))
    result = run(tmp_path, val=None)
    assert (result.splits["train"].instances, result.splits["train"].max_instances) == (1000, 1000)


def test_failing_run_leaves_the_previous_one(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(4))
    run(tmp_path)
    before = listing(tmp_path / "out")
    with pytest.raises(KptToolsError, match=r"cannot be written|writing failed"):
        run(tmp_path, val=None, label_map=tmp_path / "annotations.json" / "map.pbtxt")
    assert listing(tmp_path / "out") == before
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == []


def test_image_that_changes_in_between_stops_the_run(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(3))

    def spoil(items: Any, what: str) -> Any:
        yield from items
        if what == "looking at images":
            (tmp_path / "images" / "img2.jpg").write_bytes(b"")

    config = MakeTfrecordConfig(
        tmp_path / "annotations.json", tmp_path / "images", tmp_path / "out", tmp_path / "map.pbtxt"
    )
    with pytest.raises(DataError, match=r"img2.jpg: changed since it was checked"):
        make_tfrecord(config, spoil)
    assert list((tmp_path / "out").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.stages.make_tfrecord import make_tfrecord

def kill(items, what):
    for number, item in enumerate(items):
        if what == "writing train records" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item

folder = Path(sys.argv[1])
make_tfrecord(MakeTfrecordConfig(folder / "annotations.json", folder / "images", folder / "out", folder / "map.pbtxt",
                                 shards=3), kill)
"""


def test_killed_run_leaves_the_previous_one_and_the_next_cleans_up(tmp_path: Path, repository: Path) -> None:
    write_project(tmp_path, many_dict(8))
    run(tmp_path)
    before = listing(tmp_path / "out")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=repository, check=False)
    assert done.returncode == -9
    assert listing(tmp_path / "out") == before
    assert len([p for p in (tmp_path / "out").iterdir() if p.is_dir()]) == 1
    run(tmp_path)
    assert listing(tmp_path / "out") == before
    assert [p for p in (tmp_path / "out").iterdir() if p.is_dir()] == []


def test_default_json_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no JSON file; expected a COCO JSON"):
        make_tfrecord(MakeTfrecordConfig())
    annotations, images = write_project(tmp_path / "dataset", many_dict(5))
    folder = tmp_path / "dataset" / "annotations"
    folder.mkdir()
    annotations.rename(folder / "a.json")
    assert make_tfrecord(MakeTfrecordConfig()).splits["train"].images == 4
    assert (tmp_path / "label_maps" / "label_map.pbtxt").is_file()
    (folder / "b.json").touch()
    with pytest.raises(ConfigError, match=r"2 JSON files \(a.json, b.json\); expected one"):
        make_tfrecord(MakeTfrecordConfig())
    assert images.is_dir()


def test_another_label_map_is_replaced_and_told(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(3))
    run(tmp_path)
    assert run(tmp_path).report.findings == []
    (tmp_path / "map.pbtxt").write_text('item { name: "x" id: 1 }\n', encoding="utf-8")
    assert run(tmp_path).report.counts() == {"label-map-replaced": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val": 1.0}, "--val is 1.0; expected a share"),
        ({"box_padding": -1.0}, "--box-padding is -1.0; expected a share"),
        ({"verify": "fast"}, "--verify is 'fast'; expected one of structure, full"),
        ({"shards": 0}, "--shards is 0; expected a number from 1 up"),
        ({"val_images": Path("x")}, "--val-images needs --val-annotations"),
        ({"val_annotations": Path("x"), "group_by": "x"}, "--group-by is for a split"),
    ],
)
def test_configuration_that_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MakeTfrecordConfig(**changes)


@pytest.mark.parametrize(
    ("name", "options", "counts"),
    [
        ("openfield", {"annotations": "annotations.json", "images": "images"}, [(93, 372), (23, 92)]),
        (
            "sheep",
            {
                "annotations": "annotations/train.coco.json",
                "images": "images/train",
                "val_annotations": "annotations/val.coco.json",
                "val_images": "images/val",
            },
            [(150, 2700), (50, 900)],
        ),
    ],
)
def test_real_data_end_to_end(
    tmp_path: Path, shared_data: Path, name: str, options: dict[str, str], counts: list[tuple[int, int]]
) -> None:
    result = run(tmp_path, **{key: shared_data / name / value for key, value in options.items()})
    assert [(split.images, split.labelled_keypoints) for split in result.splits.values()] == counts
    assert result.complete
    assert len(samples_of(result, "val")) == counts[1][0]
