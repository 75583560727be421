"""The CAT folder: good files, and every way in which they can be bad."""

from pathlib import Path

import pytest

from kpt_tools.annotations.cat import CHOSEN, KEYPOINTS, parse_cat, read_cat_folder
from kpt_tools.entities import Category
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.pipeline.flips import find_flips, names_of
from kpt_tools.pipeline.label_map import label_map_of
from tests.heatmap_factories import cat_folder, cat_text

POINTS = [(10 + 3 * k, 20 + k) for k in range(9)]


def size_of(path: Path) -> tuple[int, int]:
    return 96, 72


def test_nine_points_are_parsed_with_their_trailing_space() -> None:
    assert parse_cat(cat_text(POINTS)) == tuple((float(x), float(y)) for x, y in POINTS)
    assert parse_cat("9 " + "-5 3 " * 9)[0] == (-5, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("8 " + "1 2 " * 8, "says that it has 8 points", id="count"),
        pytest.param("9 " + "1 2 " * 8, "has 16 coordinates", id="too few"),
        pytest.param("9 " + "1 2 " * 9 + "7", "has 19 coordinates", id="too many"),
        pytest.param("9 " + "1 x " * 9, "holds something that is no whole number \\('x'\\)", id="letters"),
        pytest.param("9 " + "1 2.5 " * 9, "no whole number", id="fractions"),
    ],
)
def test_malformed_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_cat(text)


def test_a_folder_becomes_a_data_set(tmp_path) -> None:
    dataset, report = read_cat_folder(cat_folder(tmp_path, 4), size_of)
    assert [image.file_name for image in dataset.images] == [
        "00000000_000.jpg",
        "00000000_001.jpg",
        "00000000_002.jpg",
        "00000001_003.jpg",
    ]
    assert (len(dataset.instances), report.counts()) == (4, {})
    assert dataset.categories[0].keypoints == KEYPOINTS
    assert {v for instance in dataset.instances for _, _, v in instance.keypoints_xyv} == {2}
    x, y, w, h = dataset.instances[0].box_xywh_px or (0, 0, 0, 0)
    assert all(x <= px <= x + w and y <= py <= y + h for px, py, _ in dataset.instances[0].keypoints_xyv)


def test_what_cannot_be_used_is_named(tmp_path) -> None:
    folder = cat_folder(tmp_path, 4)
    (folder / "00000000_000.jpg").unlink()
    (folder / "00000000_001.jpg.cat").write_text("9 1 2 3")
    (folder / "00000000_002.jpg.cat").unlink()
    (folder / "00000001_003.jpg.cat").write_bytes(b"\xff\xfe\x00")
    dataset, report = read_cat_folder(folder, size_of)
    assert report.counts() == {"label-invalid": 2, "label-without-image": 1}
    assert "00000000_000.jpg.cat: its picture '00000000_000.jpg' is not beside it" in report.findings[0].message
    assert [image.file_name for image in dataset.images] == ["00000000_001.jpg", "00000000_002.jpg", "00000001_003.jpg"]
    assert dataset.instances == ()


def test_the_box_is_clipped_to_the_picture(tmp_path) -> None:
    folder = cat_folder(tmp_path, 1)
    outside = [(10, 20), (30, 20), (20, 30), (-5, 4), (0, -9), (9, 2), (25, 1), (99, 2), (40, 5)]
    (folder / "00000000_000.jpg.cat").write_text(cat_text(outside))
    (instance,) = read_cat_folder(folder, size_of)[0].instances
    assert instance.box_xywh_px == (0, 0, 96, 30)
    assert instance.keypoints_xyv[3] == (-5, 4, 2)


@pytest.mark.parametrize("make", [False, True], ids=["missing", "empty"])
def test_folders_without_labels_are_refused(tmp_path, make: bool) -> None:
    folder = tmp_path / "cats"
    if make:
        folder.mkdir()
    with pytest.raises(ConfigError, match=r"no such folder|no file NAME\.jpg\.cat in it"):
        read_cat_folder(folder, size_of)


def test_mirror_partners_follow_from_the_names() -> None:
    label_map = label_map_of([Category(1, "cat", KEYPOINTS)])
    flips = find_flips(label_map)
    assert set(names_of(flips.pairs, label_map)) == {
        ("left_eye", "right_eye"),
        ("left_ear_outer", "right_ear_outer"),
        ("left_ear_tip", "right_ear_tip"),
        ("left_ear_inner", "right_ear_inner"),
    }
    assert flips.warnings == ()
    assert CHOSEN == ("left_eye", "right_eye", "mouth")


def test_the_real_folder(shared_data) -> None:
    dataset, report = read_cat_folder(shared_data / "cat" / "CAT_00", lambda path: (384, 384))
    assert (len(dataset.images), len(dataset.instances), report.counts()) == (1706, 1706, {})
