from __future__ import annotations

from collections import Counter

import pytest

from kpt_tools.annotations.split import split_images
from kpt_tools.entities import ImageRecord
from kpt_tools.errors import ConfigError


def images(*names: str) -> list[ImageRecord]:
    return [ImageRecord(number, name, 8, 8) for number, name in enumerate(names, start=1)]


def numbered(count: int) -> list[ImageRecord]:
    return images(*(f"img{n:04d}.jpg" for n in range(count)))


@pytest.mark.parametrize(
    ("count", "val", "expected"),
    [(116, 0.2, 23), (10, 0.2, 2), (10, 0.25, 3), (2, 0.01, 1), (2, 0.99, 1), (3, 0.99, 2), (100, 0.0, 0), (1, 0.0, 0)],
)
def test_counts_are_exact(count: int, val: float, expected: int) -> None:
    split = split_images(numbered(count), val=val)
    assert (len(split.train), len(split.val)) == (count - expected, expected)
    assert sorted(split.train + split.val) == list(range(1, count + 1))


def test_order_of_images_does_not_matter() -> None:
    forward, backward = numbered(50), numbered(50)[::-1]
    assert set(split_images(forward, val=0.3).val) == set(split_images(backward, val=0.3).val)


def test_an_added_image_moves_at_most_one_other() -> None:
    for added in range(20):
        before = set(split_images(numbered(100), val=0.2).val)
        after = set(split_images([*numbered(100), ImageRecord(999, f"new{added}.jpg", 8, 8)], val=0.2).val)
        assert len((before ^ after) - {999}) <= 1


def test_seed_changes_the_split() -> None:
    assert split_images(numbered(100), val=0.2, seed=0).val != split_images(numbered(100), val=0.2, seed=1).val


def test_known_split_stays_for_ever() -> None:
    assert split_images(numbered(10), val=0.3, seed=0).val == (1, 2, 5)


def test_groups_stay_together_and_counts_are_nearest() -> None:
    names = [f"{video}_{frame}.jpg" for video in "abcdefghij" for frame in range(7)]
    split = split_images(images(*names), val=0.2, group_by=r"^(\w)_")
    sides = {name[0]: set() for name in names}
    for side, ids in (("train", split.train), ("val", split.val)):
        for image_id in ids:
            sides[names[image_id - 1][0]].add(side)
    assert all(len(found) == 1 for found in sides.values())
    assert len(split.val) == 14


def test_a_large_group_does_not_swallow_the_split() -> None:
    names = [f"big_{n}.jpg" for n in range(80)] + [f"small{g}_{n}.jpg" for g in range(4) for n in range(5)]
    for seed in range(10):
        assert len(split_images(images(*names), val=0.2, seed=seed, group_by=r"^([a-z]+\d?)_").val) == 20


def test_whole_match_is_the_group_without_parentheses() -> None:
    names = ["a1.jpg", "a2.jpg", "b1.jpg", "b2.jpg"]
    split = split_images(images(*names), val=0.5, group_by="[a-z]")
    assert set(split.val) in ({1, 2}, {3, 4})


def test_unmatched_names_are_groups_of_their_own_and_told() -> None:
    split = split_images(images("a_1.jpg", "a_2.jpg", "odd.png"), val=0.34, group_by=r"^(a)_")
    assert split.val == (3,)
    assert Counter(f.code for f in split.findings) == {"group-unmatched": 1}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["a.jpg", "b.jpg"], {"val": 1.0}, "--val is 1.0; expected a share"),
        (["a.jpg", "b.jpg"], {"val": -0.1}, "--val is -0.1; expected a share"),
        (["a.jpg", "b.jpg"], {"val": float("nan")}, "--val is nan; expected a share"),
        (["a.jpg"], {"val": 0.2}, "one image to split"),
        ([], {"val": 0.2}, "no image to split"),
        (["a.jpg", "a.jpg"], {"val": 0.2}, "2 images of one name to split"),
        (["a.jpg", "b.jpg"], {"val": 0.2, "group_by": "("}, "not a regular expression"),
        (["a.jpg", "b.jpg"], {"val": 0.2, "group_by": "jpg"}, "puts all 2 images into one group"),
        (["a.jpg", "b.jpg"], {"val": 0.2, "group_by": "zzz"}, "matches none of the 2 file names"),
    ],
    ids=["all", "negative", "nan", "one", "none", "twins", "bad regex", "one group", "no match"],
)
def test_impossible_splits_are_refused(names: list[str], options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_images(images(*names), **options)  # type: ignore[arg-type]
