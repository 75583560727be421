import json
from pathlib import Path
from typing import Any

import pytest

from kpt_tools.demo.pliers import PliersResult, make_pliers
from kpt_tools.errors import ConfigError, KptToolsError


def content_of(folder: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files
    return files


def make(out: Path, count: int = 6, seed: int = 1, **more: Any) -> PliersResult:
    return make_pliers(out, count, seed, **{"size": (128, 96), **more})


def test_pictures_and_annotations_agree(tmp_path: Path) -> None:
    import cv2

    result = make(tmp_path / "new" / "pliers", 25)
    root = json.loads(result.annotations.read_text(encoding="utf-8"))
    assert result.images.parent == result.annotations.parent == tmp_path / "new" / "pliers"
    names = [image["file_name"] for image in root["images"]]
    assert names == sorted(path.name for path in result.images.iterdir())
    assert len(names) == result.num_images == 25
    for name in names:
        assert cv2.imread(str(result.images / name)).shape == (96, 128, 3)
    assert len(root["annotations"]) == result.num_objects > 10
    values = [v for row in root["annotations"] for v in row["keypoints"][2::3]]
    assert (values.count(1), values.count(0)) == (result.num_hidden, result.num_outside)
    assert [image["num_annotations"] for image in root["images"]].count(0) == result.num_empty


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    first, other = make(tmp_path / "a"), make(tmp_path / "b", seed=2)
    assert first.annotations.read_bytes() != other.annotations.read_bytes()
    for path in first.images.iterdir():
        assert path.read_bytes() != (other.images / path.name).read_bytes()


def test_more_pictures_leave_the_first_ones_as_they_are(tmp_path: Path) -> None:
    few, many = make(tmp_path / "a", 4), make(tmp_path / "b", 7)
    for path in few.images.iterdir():
        assert path.read_bytes() == (many.images / path.name).read_bytes()
    few_root, many_root = (json.loads(result.annotations.read_text(encoding="utf-8")) for result in (few, many))
    assert few_root["images"] == many_root["images"][:4]
    assert few_root["annotations"] == many_root["annotations"][: len(few_root["annotations"])]


def test_progress_is_told_after_each_picture(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    make(tmp_path / "a", 3, progress=lambda done, wanted: calls.append((done, wanted)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_an_earlier_result_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "a"
    make(out, 6)
    result = make(out, 2, seed=5)
    assert len(list(result.images.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    make(tmp_path / "fresh", 2, seed=5)
    assert content_of(out) == content_of(tmp_path / "fresh")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert make(tmp_path / "a", 1).annotations.is_file()


@pytest.mark.parametrize("spoil", ["foreign", "extra-image", "edited", "missing-receipt", "other-format", "not-json"])
def test_anything_else_is_left_alone(tmp_path: Path, spoil: str) -> None:
    out = tmp_path / "a"
    make(out, 2)
    receipt = out / "generated.json"
    if spoil == "foreign":
        (out / "notes.txt").write_text("mine", encoding="utf-8")
    elif spoil == "extra-image":
        (out / "images" / "mine.jpg").write_bytes(b"")
    elif spoil == "edited":
        (out / "annotations.json").write_text("{}", encoding="utf-8")
    elif spoil == "missing-receipt":
        receipt.unlink()
    elif spoil == "other-format":
        receipt.write_text('{"format": "other/1"}', encoding="utf-8")
    else:
        receipt.write_text("{", encoding="utf-8")
    before = content_of(out)
    with pytest.raises(ConfigError, match=r"a: holds files that are not .*Choose another output folder"):
        make(out, 2)
    assert content_of(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="a: is not a folder"):
        make(tmp_path / "a")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "mine"


def test_a_run_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "a"
    make(out, 3)
    before = content_of(out)

    def interrupt(done: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        make(out, 5, progress=interrupt)
    assert content_of(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def full(done: int, wanted: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(KptToolsError, match=r"a: writing failed \(No space left on device\)"):
        make(tmp_path / "a", progress=full)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count is 0; expected at least 1"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
        ({"size": (320, 64)}, "size is 320x64 pixels; expected at least 96"),
    ],
    ids=["count", "seed", "size"],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path / "a", **arguments)
    assert list(tmp_path.iterdir()) == []
