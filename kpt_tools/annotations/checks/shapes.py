"""Keypoints of an object as a shape, and how far two shapes are from one another.

A shape is a row of complex numbers x + iy. Two shapes are compared after the best shift, turn and scaling (no
mirroring): their distance is sqrt(1 - |r|^2) with the complex correlation r of the points that both have, the full
Procrustes distance of Kendall's shape space (Dryden and Mardia, Statistical Shape Analysis, 1998, section 4.1).
It runs from 0 (similar) to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpt_tools.entities import Instance

MIN_POINTS = 3
_SANE_PX = 1e7
"""Coordinates beyond are left out: their squares would leave the range of numbers."""

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]


@dataclass(frozen=True)
class Shapes:
    """Objects of one class with at least three labelled points.

    Attributes:
        instances: the objects.
        points: [N, K] x + iy about the middle of the labelled points, with a mean square of 1; 0 where not labelled.
        labelled: [N, K] 1.0 where labelled, else 0.0.
    """

    instances: tuple[Instance, ...]
    points: Complex
    labelled: Real

    def permuted(self, permutation: Sequence[int]) -> Shapes:
        """The same objects, slot i taking what was in slot ``permutation[i]``."""
        order = list(permutation)
        return Shapes(self.instances, self.points[:, order], self.labelled[:, order])

    def part(self, rows: slice) -> Shapes:
        """Objects that follow one another."""
        return Shapes(self.instances[rows], self.points[rows], self.labelled[rows])

    def chosen(self, rows: NDArray[np.intp]) -> Shapes:
        """Some of the objects."""
        return Shapes(tuple(self.instances[row] for row in rows), self.points[rows], self.labelled[rows])


def shapes_of(instances: Sequence[Instance], keypoints: int) -> Shapes:
    """The shapes of the objects of one class with `keypoints` points; crowds are left out."""
    usable = [i for i in instances if not i.iscrowd and i.num_labelled >= MIN_POINTS and _is_sane(i)]
    table = np.array([i.keypoints_xyv for i in usable], np.float64).reshape(len(usable), keypoints, 3)
    labelled = (table[..., 2] > 0).astype(np.float64)
    points = (table[..., 0] + 1j * table[..., 1]) * labelled
    counts = labelled.sum(axis=1, keepdims=True)
    points = (points - points.sum(axis=1, keepdims=True) / counts) * labelled
    scale = np.sqrt((np.abs(points) ** 2).sum(axis=1, keepdims=True) / counts)
    rows = np.nonzero(scale[:, 0] > 0)[0]
    scaled = np.asarray(points[rows] / scale[rows], np.complex128)
    return Shapes(tuple(usable[row] for row in rows), scaled, labelled[rows])


def distances(left: Shapes, right: Shapes) -> Real:
    """[N, M] distances; NaN where fewer than three points are shared, or all shared ones coincide.

    Sums over the shared points of all pairs at once, as products of matrices; several tables of N x M are held.
    """
    if left.labelled.all() and right.labelled.all():
        return _whole(left.points, right.points)
    shared = left.labelled @ right.labelled.T
    count = np.maximum(shared, 1.0)
    sum_left, sum_right = left.points @ right.labelled.T, left.labelled @ right.points.T
    cross = left.points @ right.points.conj().T - sum_left * sum_right.conj() / count
    square_left = np.abs(left.points) ** 2 @ right.labelled.T - np.abs(sum_left) ** 2 / count
    square_right = left.labelled @ (np.abs(right.points) ** 2).T - np.abs(sum_right) ** 2 / count
    product = square_left * square_right
    usable = (shared >= MIN_POINTS) & (square_left > 1e-9) & (square_right > 1e-9)
    correlation = np.abs(cross) ** 2 / np.where(usable, product, 1.0)
    found: Real = np.where(usable, np.sqrt(np.clip(1.0 - correlation, 0.0, 1.0)), np.nan)
    return found


def _whole(left: Complex, right: Complex) -> Real:
    """The distances of shapes that all have all points: their middles are 0 and their mean squares 1."""
    cross = left @ right.conj().T
    correlation = (cross.real**2 + cross.imag**2) / left.shape[1] ** 2
    found: Real = np.sqrt(np.clip(1.0 - correlation, 0.0, 1.0))
    return found


def _is_sane(instance: Instance) -> bool:
    return all(abs(x) < _SANE_PX and abs(y) < _SANE_PX for x, y, v in instance.keypoints_xyv if v > 0)


def coverage(left: Shapes, right: Shapes) -> Real:
    """[N, M] share of the labelled points of the left object that the right one has, too."""
    shared: Real = left.labelled @ right.labelled.T / left.labelled.sum(axis=1, keepdims=True)
    return shared


def nearest(table: Real, rank: int) -> Real:
    """[N] the `rank`-th smallest distance of each row (from 1); NaN where there are fewer."""
    if table.shape[1] < rank:
        return np.full(table.shape[0], np.nan)
    ordered: Real = np.partition(table, rank - 1, axis=1)[:, rank - 1]
    return ordered
