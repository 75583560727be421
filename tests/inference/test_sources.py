from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.inference.image_files import natural_key
from kpt_tools.inference.sources import Sources


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Images, other files and hidden ones; the content does not matter here."""
    names = ["img10.jpg", "img2.JPG", "sub/a.png", "sub/deep/b.tiff", "notes.txt", ".hidden.jpg", ".git/c.jpg"]
    for name in names:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "data"


def names(*inputs: str, exclude: Path | None = None) -> list[str]:
    return [image.name for image in Sources(inputs, exclude=exclude)]


def test_folder_is_searched_in_natural_order(tree: Path) -> None:
    assert names(str(tree)) == ["img2.JPG", "img10.jpg", "sub/a.png", "sub/deep/b.tiff"]


def test_other_files_are_counted(tree: Path) -> None:
    (finding,) = Sources([str(tree)]).findings()
    assert (finding.code, finding.severity) == ("not-an-image-file", "info")
    assert finding.message.endswith("passed over: 1.")


def test_single_file_whatever_its_suffix(tree: Path) -> None:
    assert names(str(tree / "notes.txt")) == ["notes.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("*.jpg", ["img10.jpg"], id="suffix"),
        pytest.param("img*", ["img2.JPG", "img10.jpg"], id="no suffix"),
        pytest.param("**/*.png", ["sub/a.png"], id="recursive"),
        pytest.param("*", ["img2.JPG", "img10.jpg", "sub/a.png", "sub/deep/b.tiff"], id="with folders"),
        pytest.param("s*/", ["sub/a.png", "sub/deep/b.tiff"], id="folders"),
        pytest.param("*.t?t", [], id="no images"),
    ],
)
def test_pattern(tree: Path, pattern: str, expected: list[str]) -> None:
    text = str(tree / pattern)
    if expected:
        assert names(text) == expected
    else:
        with pytest.raises(ConfigError, match="no image found; expected files that end in"):
            names(text)


def test_a_file_named_twice_counts_once(tree: Path) -> None:
    assert names(str(tree), str(tree / "img2.JPG"), str(tree / "*.jpg")) == names(str(tree))


def test_names_are_relative_to_what_the_inputs_share(tree: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other" / "a.png").write_bytes(b"x")
    assert names(str(tree / "sub"), str(tree / "other")) == ["other/a.png", "sub/a.png", "sub/deep/b.tiff"]


def test_output_folder_is_no_input(tree: Path) -> None:
    out = tree / "predictions"
    (out / "pictures").mkdir(parents=True)
    (out / "pictures" / "img2.jpg").write_bytes(b"x")
    assert "predictions/pictures/img2.jpg" in names(str(tree))
    for text in (str(tree), str(tree / "**" / "*.jpg")):
        sources = Sources([text], exclude=out)
        assert all("predictions" not in image.name for image in sources)
        assert "output-not-input" in [finding.code for finding in sources.findings()]
    assert names(str(out / "pictures" / "img2.jpg"), exclude=out) == ["img2.jpg"]


def test_link_in_a_circle_ends(tree: Path) -> None:
    (tree / "sub" / "back").symlink_to(tree, target_is_directory=True)
    assert len(names(str(tree))) == 4


def test_relative_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert names("sub") == ["a.png", "deep/b.tiff"]
    assert names("*.jpg") == ["img10.jpg"]
    assert names(".") == ["img2.JPG", "img10.jpg", "sub/a.png", "sub/deep/b.tiff"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gone", "gone: no such file or folder; expected an image, a folder, a glob pattern, a video"),
        ("gone*.jpg", "the pattern matches no file"),
        ("empty", "empty: no image found"),
    ],
)
def test_nothing_there(tree: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(tree)
    (tree / "empty").mkdir()
    with pytest.raises(ConfigError, match=message):
        names(text)


def test_natural_key() -> None:
    assert sorted(["b", "img10", "img9a", "A2", "a10", "007"], key=natural_key) == [
        "007",
        "A2",
        "a10",
        "b",
        "img9a",
        "img10",
    ]


def test_it_can_be_gone_through_again(tree: Path) -> None:
    sources = Sources([str(tree)])
    assert sources.count == 4
    assert [image.name for image in sources] == [image.name for image in sources] == names(str(tree))
    (tree / "img3.jpg").write_bytes(b"x")
    assert [image.name for image in sources][:2] == ["img2.JPG", "img3.jpg"], "folders are read anew"


def test_streamed_folders_come_in_the_order_of_sorted_names(tmp_path: Path) -> None:
    """Folder by folder is natural order over the whole names, also where folders and files share beginnings."""
    rng = random.Random(0)
    parts = ["a", "a1", "a01", "a10", "a-b", "a.b", "b", "B2", "z9", "img2", "img10"]
    for _ in range(150):
        steps = [rng.choice(parts) for _ in range(rng.randint(1, 4))]
        path = tmp_path.joinpath("data", *(f"{step}d" if rng.random() < 0.3 else step for step in steps))
        if not any(parent.is_file() for parent in path.parents) and not path.with_suffix(".jpg").exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f"{path.name}.jpg").write_bytes(b"x")
    everything = names(str(tmp_path / "data"))
    assert len(everything) > 80
    assert everything == sorted(everything, key=natural_key)
    inputs = [str(tmp_path / "data"), *map(str, (tmp_path / "data").glob("*")), str(tmp_path / "data" / "**" / "*.jpg")]
    assert names(*inputs) == everything, "named twice and thrice"


def test_natural_key_is_that_of_numbers_and_texts() -> None:
    def expected(name: str) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", name)
        return [
            (0, int(part), chr(99 - len(part))) if part.isdecimal() else (1, 0, part.casefold()) for part in parts
        ]  # of equal numbers the longer one first: 007, 07, 7

    rng = random.Random(1)
    some = ["".join(rng.choice("aB01.9-_ /") for _ in range(rng.randint(0, 9))) for _ in range(2000)]
    assert sorted(some, key=natural_key) == sorted(some, key=expected)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read_is_told(tree: Path) -> None:
    (tree / "sub").chmod(0)
    sources = Sources([str(tree)])
    assert [image.name for image in sources] == ["img2.JPG", "img10.jpg"]
    assert [finding.severity for finding in sources.findings()] == ["info", "error"]
    (tree / "sub").chmod(0o700)
