"""Annotations that cover the same object twice, and images that share a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from kpt_tools.annotations.checks.boxes import iou
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import extent
from kpt_tools.entities import Dataset, Finding, Instance

_SAME_BOX_IOU = 0.9
_SAME_POINT_SHARE = 0.05


def duplicate_annotations(instances: Sequence[Instance]) -> list[tuple[Instance, Instance]]:
    """Pairs of the objects of one image that are the same object: the one to keep, then its double.

    The one with more labelled points is kept; of equal ones the first.
    """
    pairs: list[tuple[Instance, Instance]] = []
    doubles: set[int] = set()
    for first, second in combinations(instances, 2):
        if first.id in doubles or second.id in doubles or not _same_object(first, second):
            continue
        keep, double = (first, second) if first.num_labelled >= second.num_labelled else (second, first)
        doubles.add(double.id)
        pairs.append((keep, double))
    return pairs


def check_duplicates(dataset: Dataset) -> list[Finding]:
    """Doubled objects and doubled file names."""
    found = []
    for image in dataset.images:
        for keep, double in duplicate_annotations(dataset.instances_of_image[image.id]):
            name = dataset.category_by_id[double.category_id].name
            message = (
                f"{image.file_name}: annotation {double.id} ('{name}') covers the same object as annotation {keep.id}. "
                "Delete one."
            )
            found.append(finding("annotation-duplicate", message, image=image.file_name, annotation_id=double.id))
    return found + _doubled_names(dataset)


def _doubled_names(dataset: Dataset) -> list[Finding]:
    counts = Counter(image.file_name for image in dataset.images)
    return [
        finding(
            "image-name-shared",
            f"{name}: {count} images of the JSON have this file name; expected one. Rename the files.",
            image=name,
        )
        for name, count in counts.items()
        if count > 1
    ]


def _same_object(a: Instance, b: Instance) -> bool:
    if a.category_id != b.category_id or a.iscrowd or b.iscrowd:
        return False
    if a.box_xywh_px is not None and b.box_xywh_px is not None:
        same_box = iou(a.box_xywh_px, b.box_xywh_px) >= _SAME_BOX_IOU
        return same_box and (not a.num_labelled or not b.num_labelled or _same_points(a, b))
    return a.num_labelled >= 2 and b.num_labelled >= 2 and _same_points(a, b)


def _same_points(a: Instance, b: Instance) -> bool:
    """Whether the points that both have lie at the same place, within a share of the extent."""
    shared = [(p, q) for p, q in zip(a.keypoints_xyv, b.keypoints_xyv, strict=False) if p[2] > 0 and q[2] > 0]
    points = [p for p in (*a.keypoints_xyv, *b.keypoints_xyv) if p[2] > 0]
    box = extent([x for x, _, _ in points], [y for _, y, _ in points])
    if box is None or 2 * len(shared) < min(a.num_labelled, b.num_labelled):
        return False
    near = _SAME_POINT_SHARE * max(box[2], box[3])
    return all(abs(p[0] - q[0]) <= near and abs(p[1] - q[1]) <= near for p, q in shared)
