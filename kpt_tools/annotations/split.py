"""A split into train and val that depends on the names and the seed only.

Each group of images (one image, or all that `group_by` puts together) gets a hash; the groups of lowest
hash are val. So a new image moves at most one other across the border.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kpt_tools.annotations.codes import finding
from kpt_tools.config.checks import check_share
from kpt_tools.entities import Finding, ImageRecord
from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class Split:
    """Image ids of both sides, in the order given, and what is to be told about it."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    findings: tuple[Finding, ...] = ()


def split_images(images: Sequence[ImageRecord], *, val: float, seed: int = 0, group_by: str | None = None) -> Split:
    """Split images by the hash of their group.

    The number of val images is the rounded share of all; with groups of several images it comes close to that.
    Both sides get at least one image.

    Args:
        images: all images.
        val: share of val, from 0 to below 1; 0 puts all into train.
        seed: another seed gives another split.
        group_by: regular expression, searched in the file name: images of equal first group (or, without a
            group in it, of equal match) stay together.

    Raises:
        ConfigError: `val` out of range, a bad regular expression, or too few images or groups to split.
    """
    check_share("--val", val)
    groups, findings = _groups(images, group_by)
    if val == 0:
        return Split(tuple(image.id for image in images), (), findings)
    if len(groups) < 2:
        raise ConfigError(_cannot_split(len(images), group_by))
    chosen = _choose(groups, target=max(1, math.floor(len(images) * val + 0.5)), seed=seed)
    inside = {image_id for name in chosen for image_id in groups[name]}
    train = tuple(image.id for image in images if image.id not in inside)
    return Split(train, tuple(image.id for image in images if image.id in inside), findings)


def group_hash(group: str, seed: int) -> bytes:
    """The place of a group in the order of the split."""
    return hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=16).digest()


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


def _cannot_split(images: int, group_by: str | None) -> str:
    if group_by is not None and images > 1:
        return (
            f"--group-by '{group_by}' puts all {images} images into one group, so there is nothing to split. "
            "Use an expression that tells recordings apart, or --val 0."
        )
    found = {0: "no image", 1: "one image"}.get(images, f"{images} images of one name")
    return f"{found} to split; expected at least two different ones. Add images, or use --val 0 to train on all."


def _choose(groups: dict[str, list[int]], *, target: int, seed: int) -> list[str]:
    """Names of the val groups: in hash order those that still fit; one more if that comes nearer to `target`."""
    order = sorted(groups, key=lambda name: (group_hash(name, seed), name))
    total = sum(len(ids) for ids in groups.values())
    target = min(target, total - 1)
    chosen: list[str] = []
    count = 0
    for name in order:
        if count + len(groups[name]) <= target:
            chosen.append(name)
            count += len(groups[name])
    rest = [name for name in order if name not in set(chosen)]
    nearest = min(rest, key=lambda name: len(groups[name]))
    surplus = count + len(groups[nearest]) - target
    if (not chosen or surplus < target - count) and len(rest) > 1:
        chosen.append(nearest)
    return chosen
