"""Pictures stored reduced, pictures decoded on all cores, and JSON files larger than memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from coco_factories import coco_dict, encoded, image_dict, many_dict, object_dict, pixels, write_project
from PIL import Image

from kpt_tools.annotations.coco import read_coco
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import read_manifest
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.records.example_proto import parse_example
from kpt_tools.records.progress import Progress, silent
from kpt_tools.records.tfrecord import read_tfrecord
from kpt_tools.stages import records_shards
from kpt_tools.stages.make_tfrecord import MakeTfrecordResult, make_tfrecord

SIZED = ("image/encoded", "image/key/sha256", "image/width", "image/height", "image/object/area")


def run(folder: Path, out: str = "out", progress: Progress = silent, **changes: Any) -> MakeTfrecordResult:
    paths = {"annotations": folder / "annotations.json", "images": folder / "images"}
    values = {**paths, "out": folder / out, "label_map": folder / "map.pbtxt", "val": None, **changes}
    return make_tfrecord(MakeTfrecordConfig(**values), progress)


def features(result: MakeTfrecordResult) -> dict[str, dict[str, list[Any]]]:
    """Features by file name."""
    found = {}
    for name in result.splits["train"].shards:
        for data in read_tfrecord(result.out / name):
            example = parse_example(data, name)
            found[example["image/filename"][0].decode()] = example
    return found


def mixed_project(folder: Path) -> None:
    """A large, a small and a turned picture; the objects are somewhere in each."""
    sizes = {1: (320, 240), 2: (64, 48), 3: (320, 240)}
    images = [image_dict(n, width=w, height=h) for n, (w, h) in sizes.items()]
    objects = [object_dict(n, image_id=n, segmentation=[]) for n in sizes]
    write_project(folder, coco_dict(images=images, annotations=objects))
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "images" / "img3.jpg").write_bytes(encoded(Image.fromarray(pixels(320, 240)), exif=exif))


def test_reduced_pictures_keep_their_relative_coordinates(tmp_path: Path) -> None:
    mixed_project(tmp_path)
    full, small = run(tmp_path, "full"), run(tmp_path, "small", max_side=100)
    assert (full.reduced_images, small.reduced_images) == (0, 2)
    theirs, ours = features(full), features(small)
    assert set(theirs) == set(ours) == {"img1.jpg", "img2.jpg", "img3.jpg"}
    assert ours["img2.jpg"] == theirs["img2.jpg"]
    sizes = {"img1.jpg": (100, 75), "img3.jpg": (75, 100)}
    for name, (width, height) in sizes.items():
        assert (ours[name]["image/width"], ours[name]["image/height"]) == ([width], [height])
        with Image.open(io.BytesIO(ours[name]["image/encoded"][0])) as image:
            assert image.size == (width, height)
        for feature, values in theirs[name].items():
            if feature not in SIZED:
                assert ours[name][feature] == pytest.approx(values, abs=1e-7), feature
        shares = [found[name]["image/object/area"][0] / (found[name]["image/width"][0] * found[name]["image/height"][0])
                  for found in (theirs, ours)]  # fmt: skip
        assert shares[0] == pytest.approx(shares[1])


def test_what_was_reduced_is_in_manifest_and_json(tmp_path: Path) -> None:
    mixed_project(tmp_path)
    run(tmp_path, max_side=100)
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.max_side, manifest.reduced_images, manifest.median_image_hw) == (100, 2, (75, 100))
    dataset, report = read_coco(tmp_path / "out" / "train.json")
    assert report.findings == []
    assert {(image.width, image.height) for image in dataset.images} == {(100, 75), (64, 48), (75, 100)}
    (first,) = dataset.instances_of_image[1]
    assert first.box_xywh_px == pytest.approx((10 * 100 / 320, 2.5, 30 * 100 / 320, 6.25))


def test_the_size_in_the_json_is_that_of_the_file(tmp_path: Path) -> None:
    mixed_project(tmp_path)
    raw = json.loads((tmp_path / "annotations.json").read_text())
    raw["images"][0]["width"] = 100
    (tmp_path / "annotations.json").write_text(json.dumps(raw))
    result = run(tmp_path, max_side=100)
    assert result.report.counts()["image-size-mismatch"] == 1
    assert result.splits["train"].images == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_side": 0}, "--max-side is 0; expected a number of pixels from 16 up"),
        ({"workers": 0}, "--workers is 0; expected a number from 1 up"),
    ],
    ids=["max-side", "workers"],
)
def test_numbers_that_cannot_be_meant(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MakeTfrecordConfig(**changes)


@pytest.mark.parametrize("workers", [1, 2])
def test_full_verification_finds_the_same_on_any_number_of_cores(tmp_path: Path, workers: int) -> None:
    write_project(tmp_path, many_dict(40))
    whole = encoded(Image.fromarray(pixels(seed=7)))
    tables = whole.index(b"\xff\xdb")
    length = int.from_bytes(whole[tables + 2 : tables + 4], "big")
    (tmp_path / "images" / "img7.jpg").write_bytes(whole[:tables] + whole[tables + 2 + length :])
    assert run(tmp_path).report.findings == []
    result = run(tmp_path, verify="full", workers=workers)
    assert result.report.counts() == {"image-undecodable": 1}
    assert result.splits["train"].images == 39


@pytest.mark.parametrize("workers", [1, 3])
def test_shards_do_not_depend_on_the_number_of_threads(tmp_path: Path, workers: int) -> None:
    write_project(tmp_path, many_dict(30))
    expected = run(tmp_path, "a", shards=4).splits
    assert run(tmp_path, "b", shards=4, workers=workers).splits == expected


def test_shards_do_not_depend_on_the_process_that_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, many_dict(30))
    expected = run(tmp_path, "a", shards=4, workers=1).splits
    told = []

    def progress(items: Sequence[Any], what: str) -> Iterable[Any]:
        told.append((what, len(items)))
        return items

    monkeypatch.setattr(records_shards, "PROCESSES_FROM", 0)
    result = run(tmp_path, "b", progress, shards=4, workers=2)
    assert result.splits == expected
    assert ("writing train records", 4) in told
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
               for name in expected["train"].shards)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "large"),
    [(["--shards", "4"], False), (["--shards", "4"], True), (["--shards", "1", "--max-side", "20"], False)],
    ids=["shard by shard", "by others alone", "record by record"],
)
def test_copies_of_the_process_write_the_same(tmp_path: Path, options: list[str], large: bool) -> None:
    """By the command itself, since a process with threads, as pytest's may be, is not copied."""
    write_project(tmp_path, many_dict(80))
    code = f"""
from kpt_tools.cli.main import main
from kpt_tools.stages import records_shards
records_shards.PROCESSES_FROM = {0 if large else records_shards.PROCESSES_FROM}
def started_anew(*_, **__): raise AssertionError("a process was started anew")
records_shards.map_items = started_anew
main()
"""
    for workers in ("1", "2"):
        command = [sys.executable, "-c", code, "make-tfrecord", "annotations.json", "images", *options]
        command += ["--out", workers, "--workers", workers, "--label-map", "label_map.pbtxt"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert sum(".record-" in name for name in names) == 2 * int(options[1])
    for name in set(names) - {"manifest.json"}:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_image_that_changes_before_another_process_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, many_dict(12))

    def spoil(items: Any, what: str) -> Any:
        yield from items
        if what == "looking at images":
            (tmp_path / "images" / "img2.jpg").write_bytes(b"")

    monkeypatch.setattr(records_shards, "PROCESSES_FROM", 0)
    with pytest.raises(DataError, match=r"img2.jpg: changed since it was checked"):
        run(tmp_path, "out", spoil, shards=4, workers=2)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_objects(repository: Path) -> None:
    """Ten times the objects and the JSON, at as good as no more images: 54 MB more of JSON, some of memory."""
    command = [
        sys.executable,
        "benchmarks/bench_memory.py",
        "--images",
        "400",
        "--objects",
        "8000",
        "--megabytes",
        "60",
    ]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True, timeout=600)
    small, large = json.loads(done.stdout.splitlines()[-1])["runs"]
    assert large["json_mb"] - small["json_mb"] > 45
    assert large["peak_mb"] - small["peak_mb"] < 25
    assert large["summary"].startswith("Used 400 of 400 images and 8000 of 8000 objects.")
