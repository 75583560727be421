from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from good_data import jpeg, picture
from PIL import Image

from kpt_tools.records.look_alikes import LookAlike, signature_of, signatures_of
from kpt_tools.records.progress import silent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(picture(number, 320, 240), quality=92))
    return tmp_path


def save(folder: Path, image: Image.Image, name: str = "copy.jpg", **options: int) -> list[Path]:
    kind = "PNG" if name.endswith("png") else "JPEG"
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    (folder / name).write_bytes(buffer.getvalue())
    return [*sorted(folder.glob("[0-9].jpg")), folder / name]


def test_different_pictures_are_like_no_other(folder: Path) -> None:
    assert signatures_of(sorted(folder.iterdir())).within() == []


def test_the_same_file_twice(folder: Path) -> None:
    (folder / "copy.jpg").write_bytes((folder / "2.jpg").read_bytes())
    paths = [*sorted(folder.glob("[0-9].jpg")), folder / "copy.jpg"]
    assert signatures_of(paths).within() == [LookAlike(6, 2, 0.0, same_file=True)]


@pytest.mark.parametrize("change", ["quality", "half", "png", "brighter", "flatter"])
def test_copies_that_were_stored_anew(folder: Path, change: str) -> None:
    image = Image.open(folder / "3.jpg").convert("RGB")
    paths = {
        "quality": lambda: save(folder, image, quality=30),
        "half": lambda: save(folder, image.resize((160, 120))),
        "png": lambda: save(folder, image, "copy.png"),
        "brighter": lambda: save(folder, image.point(lambda v: min(255, v + 12))),
        "flatter": lambda: save(folder, image.point(lambda v: round(60 + 0.6 * v))),
    }[change]()
    (found,) = signatures_of(paths).within()
    assert (found.index, found.other, found.same_file) == (6, 3, False)
    assert found.difference <= 0.35


def test_a_static_camera_with_a_moved_animal_is_no_copy(folder: Path) -> None:
    frames = []
    for number, x in enumerate((30, 90)):
        pixels = np.asarray(picture(9, 320, 240)).copy()
        pixels[100:140, x : x + 40] = 0
        frames.append(folder / f"frame{number}.png")
        Image.fromarray(pixels).save(frames[-1])
    assert signatures_of(frames).within() == []


def test_another_shape_is_no_copy(folder: Path) -> None:
    paths = save(folder, Image.open(folder / "1.jpg").resize((320, 300)))
    assert signatures_of(paths).within() == []


def test_plain_pictures_of_different_noise_are_not_stretched(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, grey in (("dark.png", 20), ("light.png", 200)):
        pixels = np.clip(rng.normal(grey, 2, (240, 320)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (found,) = signatures_of([folder / "dark.png", folder / "light.png"]).within()
    assert found.difference < 0.1


def test_unreadable_files_are_like_no_other(folder: Path) -> None:
    for name in ("bad.jpg", "worse.jpg"):
        (folder / name).write_bytes(b"no picture")
    assert signature_of(folder / "bad.jpg") is None
    assert signatures_of([folder / "bad.jpg", folder / "worse.jpg", folder / "missing.jpg"]).within() == []


def test_across_two_sets(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "same.jpg").write_bytes((folder / "4.jpg").read_bytes())
    (other / "small.jpg").write_bytes(jpeg(picture(1, 320, 240).resize((200, 150))))
    mine, theirs = signatures_of(sorted(folder.glob("*.jpg"))), signatures_of(sorted(other.iterdir()))
    found = {(a.index, a.other, a.same_file) for a in mine.across(theirs)}
    assert found == {(4, 0, True), (1, 1, False)}


def test_nothing_to_compare(folder: Path) -> None:
    empty = signatures_of([])
    assert empty.within() == []
    assert signatures_of(sorted(folder.iterdir())).across(empty) == []


def test_workers_find_the_same(folder: Path) -> None:
    from kpt_tools.records.parallel import map_items

    paths = sorted(folder.iterdir())
    alone = list(map_items(signature_of, paths, workers=1, what="x", progress=silent))
    both = list(map_items(signature_of, paths, workers=2, what="x", progress=silent, least_items=1))
    assert alone == both
