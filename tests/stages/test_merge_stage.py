from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coco_factories import category_dict, coco_dict, encoded, many_dict, object_dict, write_project
from exchange_factories import content
from PIL import Image

from kpt_tools.annotations.coco import read_coco
from kpt_tools.config.merge import MergeConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.merge import MergeResult, merge_files


def run(*paths: Path, **settings: Any) -> MergeResult:
    return merge_files(MergeConfig(paths, **settings))


@pytest.fixture
def days(tmp_path: Path) -> tuple[Path, Path]:
    """Two projects with images of equal names: the first is the same picture in both, the second is not."""
    monday, _ = write_project(tmp_path / "monday", many_dict(2))
    tuesday, images = write_project(tmp_path / "tuesday", many_dict(3))
    (images / "img2.jpg").write_bytes(encoded(Image.new("RGB", (64, 48), (9, 99, 199))))
    return monday.rename(tmp_path / "monday.json"), tuesday.rename(tmp_path / "tuesday.json")


def folders(days: tuple[Path, Path]) -> tuple[Path, ...]:
    return tuple(path.with_suffix("") / "images" for path in days)


def test_images_are_compared_by_their_files(days: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"img1.jpg: is in monday.json and in tuesday.json, and it cannot be told"):
        run(*days, out=tmp_path / "all.json")
    with pytest.raises(DataError, match=r"img2.jpg: is one picture in monday.json and another in tuesday.json"):
        run(*days, out=tmp_path / "all.json", images=folders(days))
    assert not (tmp_path / "all.json").exists()


def test_copies_get_names_of_their_own(days: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "all"
    result = run(*days, out=tmp_path / "all.json", images=folders(days), copy_images=out)
    assert (result.images, result.instances, result.copied) == (4, 4, 4)
    assert sorted(path.name for path in out.iterdir()) == ["img1.jpg", "img2.jpg", "img3.jpg", "tuesday_img2.jpg"]
    assert (out / "tuesday_img2.jpg").read_bytes() == (folders(days)[1] / "img2.jpg").read_bytes()
    assert (out / "img2.jpg").read_bytes() == (folders(days)[0] / "img2.jpg").read_bytes()
    assert result.report.counts() == {
        "annotation-id-renumbered": 1, "image-id-renumbered": 1, "image-merged": 1, "image-renamed": 1,
        "object-duplicate": 1,
    }  # fmt: skip
    dataset, report = read_coco(tmp_path / "all.json")
    assert report.findings == []
    assert len({row.id for row in dataset.instances}) == 4


def test_prefixes_and_same_images(days: tuple[Path, Path], tmp_path: Path) -> None:
    apart = run(*days, out=tmp_path / "apart.json", images_prefix=("mon/", "tue/"))
    assert (apart.images, apart.instances) == (5, 5)
    one = run(*days, out=tmp_path / "one.json", same_images=True)
    assert (one.images, one.instances) == (3, 3)
    assert one.parts == (("monday.json", 2, 2), ("tuesday.json", 3, 3))
    assert one.categories == {"plier": 2}


def test_one_folder_for_all(days: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*days, out=tmp_path / "one.json", images=(folders(days)[1],))
    assert result.images == 3


def test_a_missing_image_is_told(days: tuple[Path, Path], tmp_path: Path) -> None:
    (folders(days)[1] / "img3.jpg").unlink()
    result = run(*days, out=tmp_path / "all.json", images=folders(days), copy_images=tmp_path / "all")
    assert result.copied == 3
    assert result.report.counts()["image-missing"] == 1


def test_findings_of_the_inputs_are_kept(days: tuple[Path, Path], tmp_path: Path) -> None:
    raw = json.loads(days[1].read_text())
    raw["annotations"].append(object_dict(900, image_id=77))
    days[1].write_text(json.dumps(raw))
    result = run(*days, out=tmp_path / "all.json", same_images=True)
    assert result.report.counts()["annotation-image-unknown"] == 1


def test_rename_and_case(days: tuple[Path, Path], tmp_path: Path) -> None:
    raw = coco_dict(categories=[category_dict(name="Plier")])
    raw["images"][0]["file_name"] = "other.jpg"
    third = tmp_path / "third.json"
    third.write_text(json.dumps(raw))
    two = run(*days, third, out=tmp_path / "a.json", same_images=True)
    assert two.categories == {"plier": 2, "Plier": 2}
    assert two.report.counts()["category-name-case"] == 1
    for settings in ({"rename": ("Plier=plier",)}, {"ignore_case": True}):
        one = run(*days, third, out=tmp_path / "b.json", same_images=True, **settings)  # type: ignore[arg-type]
        assert one.categories == {"plier": 2}


def test_real_exports(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "coco_annotator_exports"
    names = ("BoardDetection.json", "BookDetection.json", "CardDetection.json")
    paths = [folder / name for name in names]
    sources = [read_coco(path)[0] for path in paths]
    result = run(*paths, out=tmp_path / "all.json", images_prefix=("board/", "book/", "card/"))
    assert result.images == sum(len(row.images) for row in sources)
    assert result.instances == sum(len(row.instances) for row in sources)
    merged, _ = read_coco(result.out)
    expected = [
        row
        for prefix, source in zip(("board/", "book/", "card/"), sources, strict=True)
        for row in content(source, name_of=prefix.__add__)
    ]
    assert content(merged) == sorted(expected, key=repr)
    assert len({row.id for row in merged.images}) == len(merged.images)


def test_real_train_and_validation_of_one_data_set(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "coco_annotator_exports"
    parts = [folder / "plier_train_data.json", folder / "plier_validation_data.json"]
    result = run(*parts, out=tmp_path / "all.json")
    whole, _ = read_coco(folder / "plier_keypoint.json")
    assert content(read_coco(result.out)[0]) == content(whole)


def test_the_same_file_twice_adds_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.json"
    source.write_text(json.dumps(coco_dict()))
    result = run(source, source, out=tmp_path / "all.json", same_images=True)
    assert (result.images, result.instances) == (1, 1)
    assert result.report.counts() == {"image-merged": 1, "object-duplicate": 1}


def test_an_input_is_not_the_output(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(coco_dict()))
    with pytest.raises(ConfigError, match=r"--out .*b.json: is an input, which is never changed"):
        run(tmp_path / "a.json", tmp_path / "b.json", out=tmp_path / "b.json")
    assert (tmp_path / "b.json").read_text() == json.dumps(coco_dict())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": (Path("a.json"),)}, "1 JSON to merge; expected two or more"),
        ({"images": (Path("x"),) * 3}, "--images is given 3 times; expected once, or 2 times"),
        ({"images_prefix": ("a/",)}, "--images-prefix is given 1 times; expected 2 times"),
        ({"copy_images": Path("x")}, "--copy-images needs --images"),
        ({"rename": ("a",)}, "--rename 'a': expected OLD=NEW"),
        ({"rename": ("a=b", "a=c")}, "'a' is to become 'b' and 'c'"),
    ],
)
def test_config(changes: dict[str, Any], message: str) -> None:
    good = MergeConfig((Path("a.json"), Path("b.json")))
    with pytest.raises(ConfigError, match=message):
        replace(good, **changes)
