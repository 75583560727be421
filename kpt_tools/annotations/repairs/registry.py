"""Which repair belongs to which finding code, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from kpt_tools.annotations.codes import CODES, NEEDS_IMAGES
from kpt_tools.annotations.repairs import boxes, classes, entries, images, points
from kpt_tools.annotations.repairs.draft import Draft
from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError

_PASSES = 5

REPAIRS: dict[str, Callable[[Draft], None]] = {
    "entry-not-object": entries.remove_non_objects,
    "image-id-invalid": entries.remove_images_without_id,
    "image-file-name-missing": entries.remove_images_without_name,
    "image-id-duplicate": entries.remove_doubled_images,
    "image-path-outside": images.keep_base_names,
    "image-size-missing": images.write_sizes,
    "image-missing": images.remove_missing,
    "category-id-invalid": entries.remove_categories_without_id,
    "category-id-duplicate": entries.remove_doubled_categories,
    "category-merged": classes.merge_classes,
    "category-super-dropped": classes.remove_super_categories,
    "skeleton-invalid": classes.correct_skeletons,
    "annotation-id-invalid": entries.number_objects,
    "annotation-id-duplicate": entries.renumber_doubled_objects,
    "annotation-image-unknown": entries.remove_objects_without_image,
    "annotation-category-unknown": entries.remove_objects_without_class,
    "keypoints-invalid": points.remove_bad_lists,
    "keypoints-short": points.pad_points,
    "keypoints-long": points.cut_points,
    "keypoint-visibility-invalid": points.clear_visibilities,
    "keypoint-invalid": points.clear_numbers,
    "keypoint-outside": points.clear_outside,
    "keypoint-unlabelled-position": points.clear_unlabelled,
    "segmentation-invalid": boxes.clean_segmentations,
    "box-invalid": boxes.correct_boxes,
    "box-keypoints-apart": boxes.join_box_and_points,
    "annotation-duplicate": entries.remove_doubled_objects,
    "box-segmentation-mismatch": boxes.boxes_of_segmentations,
    "box-missing": boxes.make_boxes,
    "box-from-keypoints": partial(boxes.make_boxes, code="box-from-keypoints"),
    "box-outside": boxes.remake_outside,
    "box-too-small": boxes.remake_small,
    "box-clipped": boxes.cut_boxes,
    "box-rounding": boxes.cut_rounding,
    "sides-swapped": points.exchange_sides,
    "num-keypoints-differs": points.count_points,
    "num-keypoints-absent": points.add_counts,
    "area-invalid": boxes.correct_areas,
    "area-missing": boxes.add_areas,
    "iscrowd-invalid": boxes.correct_crowds,
    "image-without-objects": images.remove_empty,
    "category-unused": classes.remove_unused_classes,
}
SAFE_CODES = tuple(code for code in REPAIRS if CODES[code].repair == "safe")


def chosen_codes(text: str | None, *, safe: bool, with_images: bool) -> tuple[str, ...]:
    """The codes that the user asks for, in the order of repair.

    Args:
        text: codes with commas between.
        safe: all that lose nothing.
        with_images: whether the images can be looked at.

    Raises:
        ConfigError: nothing chosen, an unknown code, one without a repair, or one that needs the images.
    """
    named = [part.strip() for part in (text or "").split(",") if part.strip()]
    if not named and not safe:
        raise ConfigError("nothing chosen to repair; expected --safe, --codes with codes of kpt-tools check, or both.")
    for code in named:
        if code not in CODES:
            raise ConfigError(f"--codes: unknown code '{code}'{did_you_mean(code, list(CODES))}")
        if code not in REPAIRS:
            raise ConfigError(f"--codes: '{code}' cannot be repaired by rule. {CODES[code].advice}")
        if code in NEEDS_IMAGES and not with_images:
            raise ConfigError(f"--codes: '{code}' needs the images; give their folder after the JSON.")
    wanted = {*named, *(SAFE_CODES if safe else ())} - (frozenset() if with_images else NEEDS_IMAGES)
    return tuple(code for code in REPAIRS if code in wanted)


def repair(draft: Draft, codes: Collection[str]) -> None:
    """Make the repairs of `codes` until there is nothing left to do; `draft.changes` tells them."""
    for _ in range(_PASSES):
        before = len(draft.changes)
        for code, mend in REPAIRS.items():
            if code in codes:
                mend(draft)
        if len(draft.changes) == before:
            return
