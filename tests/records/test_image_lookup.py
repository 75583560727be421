from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.entities import ImageRecord
from kpt_tools.errors import ConfigError
from kpt_tools.records.image_lookup import ImageFolder, ListedFolder


def folder(root: Path, *files: str) -> ImageFolder:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return ImageFolder(root)


def image(file_name: str, source_path: str = "") -> ImageRecord:
    return ImageRecord(1, file_name, 8, 8, source_path)


DATASET = "/datasets/Plier keypoint"

FOUND = {
    "by name": (["a.jpg"], image("a.jpg"), "a.jpg"),
    "spaces and accents": (["Käse & Brot (1) [x].jpg"], image("Käse & Brot (1) [x].jpg"), "Käse & Brot (1) [x].jpg"),
    "sub-folder in the name": (["x/a.jpg", "a.jpg"], image("x/a.jpg"), "x/a.jpg"),
    "backslashes": (["x/a.jpg"], image("x\\a.jpg"), "x/a.jpg"),
    "path of coco-annotator": (["x/a.jpg", "y/a.jpg"], image("a.jpg", f"{DATASET}/y/a.jpg"), "y/a.jpg"),
    "data set as sub-folder": (["Plier keypoint/a.jpg", "b/a.jpg"], image("a.jpg", f"{DATASET}/a.jpg"),
                               "Plier keypoint/a.jpg"),
    "name and path agree": (["a.jpg"], image("a.jpg", f"{DATASET}/a.jpg"), "a.jpg"),
    "only one below": (["deep/down/a.jpg"], image("a.jpg", f"{DATASET}/a.jpg"), "deep/down/a.jpg"),
    "stale sub-folder in the name": (["new/a.jpg"], image("old/a.jpg"), "new/a.jpg"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "record", "expected"), FOUND.values(), ids=FOUND)
def test_found(tmp_path: Path, files: list[str], record: ImageRecord, expected: str) -> None:
    root = folder(tmp_path, *files)
    lookup = root.find(record)
    assert (lookup.path, lookup.problem, lookup.note) == (tmp_path / expected, None, None)
    assert root.relative(tmp_path / expected) == expected


@pytest.mark.parametrize(
    ("file", "name"), [("a.JPG", "a.jpg"), ("cafe\u0301.jpg", "caf\u00e9.jpg")], ids=["case", "accents apart"]
)
def test_bent_names_are_found_and_told(tmp_path: Path, file: str, name: str) -> None:
    lookup = folder(tmp_path, file).find(image(name))
    assert lookup.path == tmp_path / file
    assert lookup.note is not None
    assert lookup.note.code == "image-name-case"


PROBLEMS = {
    "missing": (["b.jpg"], image("a.jpg"), "image-missing"),
    "two below": (["x/a.jpg", "y/a.jpg"], image("a.jpg"), "image-ambiguous"),
    "name and path disagree": (["a.jpg", "y/a.jpg"], image("a.jpg", f"{DATASET}/y/a.jpg"), "image-ambiguous"),
    "two cases": (["x/a.JPG", "y/A.jpg"], image("a.jpg"), "image-ambiguous"),
    "climbs out": (["a.jpg"], image("../a.jpg"), "image-path-outside"),
    "climbs out inside": (["a.jpg"], image("x/../../a.jpg"), "image-path-outside"),
    "absolute": (["a.jpg"], image("/etc/hostname"), "image-path-outside"),
    "a folder": (["a.jpg/b.jpg"], image("a.jpg"), "image-missing"),
    "endless name": (["a.jpg"], image("a" * 5000), "image-missing"),
    "a dot": (["a.jpg"], image("."), "image-missing"),
}


@pytest.mark.parametrize(("files", "record", "code"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems_are_findings(tmp_path: Path, files: list[str], record: ImageRecord, code: str) -> None:
    lookup = folder(tmp_path / "images", *files).find(record)
    assert lookup.path is None
    assert lookup.problem is not None
    assert lookup.problem.code == code


def test_climbing_source_path_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").touch()
    lookup = folder(tmp_path / "images", "b.jpg").find(image("secret.jpg", "/datasets/x/../../secret.jpg"))
    assert lookup.problem is not None
    assert lookup.problem.code == "image-missing"


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder; expected the folder of the annotated images"):
        ImageFolder(tmp_path / "nowhere")
    folder(tmp_path, "a.jpg")
    with pytest.raises(ConfigError, match="is a file; expected the folder"):
        ImageFolder(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [("a.jpg", "a.jpg"), ("sub/b.jpg", "sub/b.jpg"), ("b.jpg", "sub/b.jpg"), ("C.JPG", "sub/c.jpg"), ("d.jpg", None)],
)
def test_a_listed_folder_is_looked_up_like_one_on_disk(tmp_path: Path, file_name: str, expected: str | None) -> None:
    names = ["a.jpg", "sub/b.jpg", "sub/c.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    image = ImageRecord(1, file_name, 1, 1)
    on_disk, listed = ImageFolder(tmp_path), ListedFolder(tmp_path, names, str(tmp_path))
    assert listed.find(image) == on_disk.find(image)
    assert listed.pictures() == on_disk.pictures()
    assert listed.find(image).path == (None if expected is None else tmp_path / expected)
