"""One class of a data set, with some of its keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpt_tools.config.base import did_you_mean
from kpt_tools.entities import Category, Dataset, Finding, Instance
from kpt_tools.errors import ConfigError


def find_category(dataset: Dataset, name: str | None) -> Category:
    """The class of this name; without a name the only class that has keypoints.

    Raises:
        ConfigError: there is no such class, it has no keypoints, or several could be meant.
    """
    able = {category.name: category for category in dataset.categories if category.keypoints}
    if name is not None:
        if name not in able:
            raise ConfigError(f"{dataset.source}: no class '{name}' with keypoints{did_you_mean(name, able)}")
        return able[name]
    if len(able) != 1:
        found = ", ".join(able) or "none"
        raise ConfigError(f"{dataset.source}: classes with keypoints: {found}; expected one. Name it with --category.")
    return next(iter(able.values()))


def select_points(dataset: Dataset, category: Category, names: Sequence[str]) -> tuple[Dataset, tuple[Finding, ...]]:
    """Keep one class of a data set, with some of its keypoints, in the order given.

    Args:
        dataset: what to choose from; all its images stay.
        category: the class.
        names: keypoints of the class to keep.

    Returns:
        The data set, and a finding if objects of other classes were left out.

    Raises:
        ConfigError: a name that the class does not have, none at all, or one given twice.
    """
    places = {name: place for place, name in enumerate(category.keypoints)}
    for name in names:
        if name not in places:
            raise ConfigError(f"--points: class '{category.name}' has no keypoint '{name}'{did_you_mean(name, places)}")
    if len(set(names)) != len(names) or not names:
        raise ConfigError(f"--points '{','.join(names)}': expected at least one keypoint, and each once.")
    order = [places[name] for name in names]
    at = {old: new for new, old in enumerate(order)}
    edges = tuple((at[a], at[b]) for a, b in category.skeleton if a in at and b in at)
    kept = replace(category, keypoints=tuple(names), skeleton=edges)
    own = tuple(_with_points(row, order) for row in dataset.instances if row.category_id == category.id)
    others = len(dataset.instances) - len(own)
    text = f"{dataset.source}: {others} object(s) of other classes than '{category.name}' are not used."
    told = (Finding("class-not-chosen", "info", text),) if others else ()
    return Dataset(dataset.images, (kept,), own, dataset.source), told


def _with_points(instance: Instance, order: Sequence[int]) -> Instance:
    points = instance.keypoints_xyv
    return replace(instance, keypoints_xyv=tuple(points[place] for place in order) if points else ())
