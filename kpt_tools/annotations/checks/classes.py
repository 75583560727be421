"""Classes whose keypoints cannot be learned."""

from __future__ import annotations

from kpt_tools.annotations.codes import finding
from kpt_tools.entities import Dataset, Finding


def check_classes(dataset: Dataset) -> list[Finding]:
    """Classes without keypoints, and keypoints that no object of their class has."""
    found = []
    for category in dataset.categories:
        instances = [i for i in dataset.instances if i.category_id == category.id]
        if not category.keypoints:
            message = f"category '{category.name}' has no keypoints; only its boxes are learned."
            found.append(finding("category-without-keypoints", message))
        if not instances:
            continue
        for slot, name in enumerate(category.keypoints):
            if not any(i.keypoints_xyv[slot][2] > 0 for i in instances if i.keypoints_xyv):
                message = f"category '{category.name}': '{name}' is labelled in none of {len(instances)} objects."
                found.append(finding("keypoint-never-labelled", message))
    return found
