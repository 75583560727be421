from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from kpt_tools.annotations.split import split_images, split_in_order, strata_of
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance
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


@pytest.mark.parametrize(
    ("count", "val", "test", "expected"),
    [(100, 0.2, 0.1, (70, 20, 10)), (100, 30, 5, (65, 30, 5)), (10, 0.2, 3, (5, 2, 3)), (3, 0.01, 0.01, (1, 1, 1)),
     (10, 0.0, 0.2, (8, 0, 2)), (3, 0.4, 0.5, (1, 1, 1)), (5, 2, 2, (1, 2, 2))],
)  # fmt: skip
@pytest.mark.parametrize("in_order", [False, True])
def test_three_sides(count: int, val: float, test: float, expected: tuple[int, int, int], in_order: bool) -> None:
    all_images = numbered(count)
    split = split_in_order(all_images, val=val, test=test) if in_order else split_images(all_images, val=val, test=test)
    assert (len(split.train), len(split.val), len(split.test)) == expected
    assert sorted(split.train + split.val + split.test) == list(range(1, count + 1))


def test_val_does_not_depend_on_test() -> None:
    assert split_images(numbered(50), val=0.2, test=0.2).val == split_images(numbered(50), val=0.2).val


def test_file_order() -> None:
    split = split_in_order(numbered(10), val=2, test=3)
    assert (split.train, split.val, split.test) == ((1, 2, 3, 4, 5), (6, 7), (8, 9, 10))


def test_strata_keep_their_shares() -> None:
    strata = {number: "rare" if number % 10 == 0 else "common" for number in range(1, 101)}
    split = split_images(numbered(100), val=0.2, test=0.1, strata=strata)
    rare = [[number for number in side if number % 10 == 0] for side in (split.train, split.val, split.test)]
    assert [len(side) for side in rare] == [7, 2, 1]
    assert (len(split.train), len(split.val), len(split.test)) == (70, 20, 10)


def test_a_class_in_one_image_stays_in_train() -> None:
    for seed in range(20):
        split = split_images(numbered(10), val=0.3, seed=seed, strata={**dict.fromkeys(range(1, 11), "a"), 4: "b"})
        assert 4 in split.train
        assert len(split.val) == 3


def test_strata_are_stable_when_images_are_added() -> None:
    strata = {number: "ab"[number % 2] for number in range(1, 202)}
    before = set(split_images(numbered(200), val=0.2, strata=strata).val)
    after = set(split_images([*numbered(200), ImageRecord(201, "new.jpg", 8, 8)], val=0.2, strata=strata).val)
    assert len((before ^ after) - {201}) <= 2


def test_the_stratum_of_an_image_is_its_rarest_class() -> None:
    categories = (Category(1, "often"), Category(2, "rare"))
    instances = tuple(Instance(n, image, cat, None) for n, (image, cat) in enumerate([(1, 1), (1, 2), (2, 1), (3, 1)]))
    found = strata_of(Dataset(tuple(images("a", "b", "c", "d")), categories, instances))
    assert found == {1: "rare", 2: "often", 3: "often", 4: ""}


@pytest.mark.parametrize(
    ("count", "val", "test", "message"),
    [(10, 5, 5, "leave none for train"), (10, 20, 0, "leave none for train"), (10, 0.6, 0.6, "leave none for train"),
     (2, 0.2, 0.2, "2 images to split; expected at least three"), (10, -1, 0, "--val is -1"),
     (10, 0.2, 1.5, "--test is 1.5")],
)  # fmt: skip
@pytest.mark.parametrize("split", [split_images, split_in_order])
def test_impossible_parts(split: Callable[..., object], count: int, val: float, test: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split(numbered(count), val=val, test=test)


def test_pairs_that_belong_together_are_on_one_side() -> None:
    images = [ImageRecord(number, f"{number}.jpg", 9, 9) for number in range(1, 41)]
    pairs = [(number, number + 1) for number in range(1, 40, 2)]
    split = split_images(images, val=0.25, test=0.25, together=pairs)
    sides = [set(split.train), set(split.val), set(split.test)]
    assert [len(side) for side in sides] == [20, 10, 10]
    assert all(any({a, b} <= side for side in sides) for a, b in pairs)


def test_chains_of_pairs_and_groups_become_one_group() -> None:
    images = [ImageRecord(number, f"{number % 3}_{number}.jpg", 9, 9) for number in range(1, 10)]
    with pytest.raises(ConfigError, match="puts all 9 images into one group"):
        split_images(images, val=0.3, group_by=r"^(\d)_", together=[(1, 2), (3, 5)])


class Counted(str):
    """A name that counts how often it is looked up."""

    __slots__ = ()
    lookups = 0

    def __hash__(self) -> int:
        Counted.lookups += 1
        return super().__hash__()


def test_the_work_grows_with_the_images_and_not_with_their_square() -> None:
    """100,000 images took two minutes: for each, a set of all chosen ones was made."""

    def lookups_of(count: int) -> int:
        Counted.lookups = 0
        records = [ImageRecord(number, Counted(f"{number}.jpg"), 8, 8) for number in range(count)]
        assert len(split_images(records, val=0.2, test=0.1).val) == count // 5
        return Counted.lookups

    few = lookups_of(100)
    assert few >= 100
    assert lookups_of(1000) < 15 * few
