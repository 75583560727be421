"""Flip pairs from names, and as given."""

from __future__ import annotations

import pytest

from kpt_tools.entities import Category, LabelMap
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.flips import find_flips, names_of
from kpt_tools.pipeline.label_map import label_map_of

COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()


def one_class(*names: str) -> LabelMap:
    return label_map_of([Category(1, "thing", names)])


@pytest.mark.parametrize(
    ("names", "permutation"),
    [
        pytest.param("right_handle left_handle middle right_head left_head", (1, 0, 2, 4, 3), id="pliers"),
        pytest.param(" ".join(COCO), (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15), id="coco"),
        pytest.param("snout leftear rightear tailbase", (0, 2, 1, 3), id="openfield"),
        pytest.param("plier_left_handle plier_right_handle", (1, 0), id="middle-token"),
        pytest.param("l_fore_wrist r_fore_wrist l_hind_wrist r_hind_wrist", (1, 0, 3, 2), id="l-r-prefix"),
        pytest.param("ear_L ear_R", (1, 0), id="suffix"),
        pytest.param("earL earR", (1, 0), id="camel-suffix"),
        pytest.param("LEar REar", (1, 0), id="camel-prefix"),
        pytest.param("leftEar rightEar", (1, 0), id="camel-word"),
        pytest.param("LEFT-EAR RIGHT-EAR", (1, 0), id="upper-case"),
        pytest.param("Left Right", (1, 0), id="bare"),
        pytest.param("L1 L2 R1 R2", (2, 3, 0, 1), id="numbered"),
        pytest.param("earleft earright", (1, 0), id="glued-suffix"),
        pytest.param("top_left top_right bottom_right bottom_left", (1, 0, 3, 2), id="corners"),
        pytest.param("bright blight top stop", (0, 1, 2, 3), id="no-side"),
        pytest.param("leaf_l leaf_m", (0, 1), id="no-partner"),
        pytest.param("left_right_border nose", (0, 1), id="both-sides-in-one-name"),
        pytest.param("l_ear r_ear left_ear right_ear", (1, 0, 3, 2), id="two-spellings"),
        pytest.param("Rücken Lücken", (0, 1), id="umlaut-is-no-boundary"),
    ],
)
def test_permutation(names: str, permutation: tuple[int, ...]) -> None:
    assert find_flips(one_class(*names.split())).permutation == permutation


def test_pairs_are_printed_as_names() -> None:
    label_map = one_class("right_handle", "left_handle", "middle")
    flips = find_flips(label_map)
    assert flips.pairs == ((0, 1),)
    assert names_of(flips.pairs, label_map) == (("right_handle", "left_handle"),)
    assert flips.warnings == ()


@pytest.mark.parametrize(
    ("names", "lonely"),
    [
        pytest.param(["left_ear", "nose"], ["left_ear"], id="word"),
        pytest.param(["leftear", "nose"], ["leftear"], id="glued-prefix"),
        pytest.param(["r_ear"], ["r_ear"], id="letter"),
        pytest.param(["left_ear", "left-ear", "right_ear"], ["left_ear", "left-ear", "right_ear"], id="ambiguous"),
        pytest.param(["bright", "upright", "nose"], [], id="by-chance"),
    ],
)
def test_a_side_without_partner_is_told(names: list[str], lonely: list[str]) -> None:
    warnings = find_flips(one_class(*names)).warnings
    assert len(warnings) == len(lonely)
    for name, warning in zip(lonely, warnings, strict=True):
        assert f"class 'thing': keypoint '{name}' names a side" in warning


def test_only_within_a_class() -> None:
    label_map = label_map_of([Category(1, "a", ("left", "mid")), Category(2, "b", ("right", "left", "x_l"))])
    flips = find_flips(label_map)
    assert flips.pairs == ((2, 3),)
    assert flips.permutation == (0, 1, 3, 2, 4)
    assert len(flips.warnings) == 2


@pytest.mark.parametrize(
    ("names", "vertical"),
    [
        pytest.param(("snout", "leftear", "rightear"), (0, 2, 1), id="anatomical-sides-exchange"),
        pytest.param(
            ("top_left", "top_right", "bottom_right", "bottom_left"), (3, 2, 1, 0), id="corners-exchange-height"
        ),
        pytest.param(("top", "bottom", "left", "right"), (1, 0, 2, 3), id="borders"),
    ],
)
def test_upside_down(names: tuple[str, ...], vertical: tuple[int, ...]) -> None:
    assert find_flips(one_class(*names)).vertical_permutation == vertical


@pytest.mark.parametrize(
    ("given", "permutation"),
    [
        pytest.param("none", (0, 1, 2, 3, 4), id="none"),
        pytest.param(" NONE ", (0, 1, 2, 3, 4), id="none-loosely"),
        pytest.param("a:c", (2, 1, 0, 3, 4), id="one"),
        pytest.param("c : a, left:b", (2, 3, 0, 1, 4), id="two"),
    ],
)
def test_given(given: str, permutation: tuple[int, ...]) -> None:
    flips = find_flips(one_class("a", "b", "c", "left", "right"), given)
    assert flips.permutation == permutation
    assert flips.vertical_permutation == permutation


def test_given_names_apply_to_every_class_that_has_both() -> None:
    label_map = label_map_of([Category(1, "x", ("a", "b")), Category(2, "y", ("b", "a")), Category(3, "z", ("a", "c"))])
    assert find_flips(label_map, "a:b").pairs == ((0, 1), (2, 3))
    assert find_flips(label_map, "y_a:y_b").pairs == ((2, 3),)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        pytest.param("left_eer:right_ear", "no class has a keypoint 'left_eer'; did you mean 'left_ear'", id="typo"),
        pytest.param("left_ear", "'left_ear' is not a pair", id="no-colon"),
        pytest.param("left_ear:right_ear,", "'' is not a pair", id="trailing-comma"),
        pytest.param("left_ear:right_ear:nose", "is not a pair", id="three"),
        pytest.param("", "'' is not a pair", id="empty"),
        pytest.param("nose:nose", "'nose' occurs more than once", id="with-itself"),
        pytest.param("left_ear:right_ear,nose:left_ear", "'left_ear' occurs more than once", id="twice"),
        pytest.param("nose:wheel", "belong to different classes", id="across"),
    ],
)
def test_given_wrongly(given: str, match: str) -> None:
    label_map = label_map_of([Category(1, "cat", ("nose", "left_ear", "right_ear")), Category(2, "car", ("wheel",))])
    with pytest.raises(ConfigError, match=match):
        find_flips(label_map, given)


@pytest.mark.parametrize(
    "names", [pytest.param(COCO, id="coco"), pytest.param(["l_a", "r_a", "r_b", "l_b"], id="letters")]
)
def test_flipping_twice_changes_nothing(names: list[str]) -> None:
    permutation = find_flips(one_class(*names)).permutation
    assert len(permutation) == len(names)
    assert [permutation[slot] for slot in permutation] == list(range(len(names)))
