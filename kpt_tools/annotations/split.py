"""A split into train, val and test that depends on the names and the seed only.

Each group of images (one image, or all that `group_by` puts together) gets a hash; the groups of lowest
hash are val, the next ones test. So a new image moves at most one other across each border.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kpt_tools.annotations.codes import finding
from kpt_tools.config.checks import check_part
from kpt_tools.entities import Dataset, Finding, ImageRecord
from kpt_tools.errors import ConfigError

Part = float
"""A share (a float below 1), or a number of images (an int)."""


@dataclass(frozen=True)
class Split:
    """Image ids of all sides, in the order given, and what is to be told about it."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()


def split_images(
    images: Sequence[ImageRecord],
    *,
    val: Part,
    test: Part = 0.0,
    seed: int = 0,
    group_by: str | None = None,
    strata: Mapping[int, str] | None = None,
    together: Sequence[tuple[int, int]] = (),
) -> Split:
    """Split images by the hash of their group.

    The number of val images is the rounded share of all; with groups of several images it comes close to that.
    Each side asked for gets at least one image.

    Args:
        images: all images.
        val: share of val, from 0 to below 1, or number of images (an int); 0 puts none there.
        test: the same for test.
        seed: another seed gives another split.
        group_by: regular expression, searched in the file name: images of equal first group (or, without a
            group in it, of equal match) stay together.
        strata: image id to the stratum of the image (see `strata_of`): each is split by itself, so that all have
            nearly the same share on each side.
        together: pairs of ids of images that must be on one side, such as look-alikes; their groups become one.

    Raises:
        ConfigError: `val` or `test` out of range, a bad regular expression, or too few images or groups to split.
    """
    check_part("--val", val)
    check_part("--test", test)
    groups, findings = _groups(images, group_by)
    groups = _joined(groups, together)
    sides = 1 + (val > 0) + (test > 0)
    if len(groups) < sides and sides > 1:
        raise ConfigError(_cannot_split(len(images), len(groups), group_by, sides))
    wanted = _targets(len(images), val, test)
    table = _by_stratum(groups, strata or {})
    chosen_val = _choose_all(table, wanted[0], seed=seed, spare=1 + (test > 0)) if val else set()
    rest = [{name: ids for name, ids in stratum.items() if name not in chosen_val} for stratum in table]
    chosen_test = _choose_all(rest, wanted[1], seed=seed, spare=1) if test else set()
    group_of = {image_id: name for name, ids in groups.items() for image_id in ids}
    elsewhere = chosen_val | chosen_test
    return Split(
        train=tuple(i.id for i in images if group_of[i.id] not in elsewhere),
        val=tuple(i.id for i in images if group_of[i.id] in chosen_val),
        test=tuple(i.id for i in images if group_of[i.id] in chosen_test),
        findings=findings,
    )


def split_in_order(images: Sequence[ImageRecord], *, val: Part, test: Part = 0.0) -> Split:
    """Train, then val, then test, in the order given.

    Args:
        images: all images.
        val: share of val, from 0 to below 1, or number of images (an int).
        test: the same for test.

    Raises:
        ConfigError: `val` or `test` out of range, or too few images.
    """
    check_part("--val", val)
    check_part("--test", test)
    sides = 1 + (val > 0) + (test > 0)
    if len(images) < sides and sides > 1:
        raise ConfigError(_cannot_split(len(images), len(images), None, sides))
    vals, tests = _targets(len(images), val, test)
    ids = [image.id for image in images]
    first = len(ids) - vals - tests
    return Split(tuple(ids[:first]), tuple(ids[first : first + vals]), tuple(ids[first + vals :]))


def strata_of(dataset: Dataset) -> dict[int, str]:
    """The rarest class of each image, by image id; images without objects are a stratum of their own, ""."""
    counts = Counter(instance.category_id for instance in dataset.instances)
    names = {category.id: category.name for category in dataset.categories}
    strata = {}
    for image in dataset.images:
        present = {instance.category_id for instance in dataset.instances_of_image[image.id]}
        strata[image.id] = names[min(present, key=lambda key: (counts[key], names[key]))] if present else ""
    return strata


def group_hash(group: str, seed: int) -> bytes:
    """The place of a group in the order of the split."""
    return hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=16).digest()


def _targets(images: int, val: Part, test: Part) -> tuple[int, int]:
    """Number of val and test images, at least one each where asked for.

    Raises:
        ConfigError: they leave no image for train.
    """
    wanted = [part if isinstance(part, int) else math.floor(images * part + 0.5) for part in (val, test)]
    vals, tests = (max(1, number) if part > 0 else 0 for number, part in zip(wanted, (val, test), strict=True))
    surplus = vals + tests - (images - 1)
    if surplus > 0 and not any(isinstance(part, int) for part in (val, test)) and val + test < 1:
        tests -= min(surplus, max(tests - 1, 0))
        vals -= max(vals + tests - (images - 1), 0)
    if vals + tests >= max(images, 1) and vals + tests > 0:
        raise ConfigError(
            f"--val {val:g} and --test {test:g} take {vals} and {tests} of {images} images and leave none for train; "
            "expected less."
        )
    return vals, tests


def _groups(images: Sequence[ImageRecord], group_by: str | None) -> tuple[dict[str, list[int]], tuple[Finding, ...]]:
    pattern = _compiled(group_by) if group_by is not None else None
    groups: dict[str, list[int]] = {}
    unmatched = []
    for image in images:
        found = pattern.search(image.file_name) if pattern else None
        if pattern and not found:
            message = f"{image.file_name}: --group-by '{group_by}' matches nothing in it; a group of its own."
            unmatched.append(finding("group-unmatched", message, image=image.file_name))
        groups.setdefault(_group_name(found, image.file_name), []).append(image.id)
    if images and len(unmatched) == len(images):
        raise ConfigError(
            f"--group-by '{group_by}' matches none of the {len(images)} file names, such as "
            f"'{images[0].file_name}'. Correct the expression."
        )
    return groups, tuple(unmatched)


def _joined(groups: dict[str, list[int]], together: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    """The groups, those of each pair of images made one under the first's name."""
    name_of = {image_id: name for name, ids in groups.items() for image_id in ids}
    result = {name: list(ids) for name, ids in groups.items()}
    for first, second in together:
        into, gone = name_of[first], name_of[second]
        if into == gone:
            continue
        moved = result.pop(gone)
        result[into] += moved
        name_of.update(dict.fromkeys(moved, into))
    return result


def _compiled(group_by: str) -> re.Pattern[str]:
    try:
        return re.compile(group_by)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ConfigError(f"--group-by '{group_by}': not a regular expression ({exc}). Correct it.") from exc


def _group_name(found: re.Match[str] | None, file_name: str) -> str:
    if found is None:
        return file_name
    first = found.group(1) if found.re.groups else None
    return found.group(0) if first is None else str(first)


def _cannot_split(images: int, groups: int, group_by: str | None, sides: int) -> str:
    if group_by is not None and images > groups:
        into = "one group" if groups == 1 else f"{groups} groups"
        return (
            f"--group-by '{group_by}' puts all {images} images into {into}, so there is nothing to split. "
            "Use an expression that tells recordings apart, or --val 0."
        )
    found = {0: "no image", 1: "one image"}.get(images, f"{images} images{' of one name' if groups == 1 else ''}")
    needed = {2: "two", 3: "three"}[sides]
    return f"{found} to split; expected at least {needed} different ones. Add images, or use --val 0 to train on all."


def _by_stratum(groups: Mapping[str, list[int]], strata: Mapping[int, str]) -> list[dict[str, list[int]]]:
    """The groups apart by stratum, in the order of the strata's names; a group is where most of its images are."""
    table: dict[str, dict[str, list[int]]] = {}
    for name, ids in groups.items():
        counts = Counter(strata.get(image_id, "") for image_id in ids)
        stratum = min(counts, key=lambda key: (-counts[key], key))
        table.setdefault(stratum, {})[name] = ids
    return [table[key] for key in sorted(table)]


def _choose_all(strata: Sequence[Mapping[str, list[int]]], target: int, *, seed: int, spare: int) -> set[str]:
    """Names of the groups of one side: from each stratum its share of `target`.

    Rounded by largest remainders; no stratum gives all it has, so that every class stays in train.
    """
    sizes = [sum(len(ids) for ids in stratum.values()) for stratum in strata]
    if len(strata) == 1:
        return set(_choose(strata[0], target=target, seed=seed, spare=spare))
    shares = _shares(
        target, sizes, [size - 1 if len(stratum) > 1 else 0 for stratum, size in zip(strata, sizes, strict=True)]
    )
    chosen: set[str] = set()
    for stratum, share in zip(strata, shares, strict=True):
        if share:
            chosen |= set(_choose(stratum, target=share, seed=seed, spare=0))
    left = {name: ids for stratum in strata for name, ids in stratum.items()}
    enough = chosen and len(left) - len(chosen) >= spare
    return chosen if enough else set(_choose(left, target=target, seed=seed, spare=spare))


def _shares(target: int, sizes: Sequence[int], most: Sequence[int]) -> list[int]:
    """Whole numbers that add up to `target` (or as near as `most` allows), in proportion to `sizes`."""
    exact = [target * size / sum(sizes) for size in sizes]
    shares = [min(math.floor(each), limit) for each, limit in zip(exact, most, strict=True)]
    while sum(shares) < target:
        open_ones = [i for i in range(len(sizes)) if shares[i] < most[i]]
        if not open_ones:
            break
        shares[max(open_ones, key=lambda i: (exact[i] - shares[i], -i))] += 1
    return shares


def _choose(groups: Mapping[str, list[int]], *, target: int, seed: int, spare: int) -> list[str]:
    """Names of groups: in hash order those that still fit; one more if that comes nearer to `target`.

    At least one is chosen and at least `spare` are not.
    """
    order = sorted(groups, key=lambda name: (group_hash(name, seed), name))
    total = sum(len(ids) for ids in groups.values())
    target = min(target, total - spare)
    chosen: list[str] = []
    count = 0
    for name in order:
        if count + len(groups[name]) <= target and len(order) - len(chosen) > spare:
            chosen.append(name)
            count += len(groups[name])
    taken = set(chosen)
    rest = [name for name in order if name not in taken]
    if not rest:
        return chosen
    nearest = min(rest, key=lambda name: len(groups[name]))
    surplus = count + len(groups[nearest]) - target
    if (not chosen or surplus < target - count) and len(rest) > spare:
        chosen.append(nearest)
    return chosen
