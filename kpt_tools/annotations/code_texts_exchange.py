"""Texts of the findings of `merge`, `convert` and of pre-annotations: meaning, consequence, advice."""

from __future__ import annotations

Texts = tuple[str, ...]

_ERRORS: dict[str, Texts] = {
    "image-size-unknown": (
        "the format needs the size of an image, and nothing tells it",
        "The image is left out with its objects.",
        "Give the folder of the images with --images.",
    ),
    "image-name-duplicate": ("two entries describe one image", "The second is left out.", "Remove one of them."),
    "label-without-image": ("annotations of an image that is not there", "They are left out.", "Copy the image there."),
    "label-invalid": (
        "an entry, line or cell is not what its format says",
        "It is left out.",
        "Correct it, or export again.",
    ),
    "class-unknown": (
        "it cannot be told which class an object is of",
        "The object is left out.",
        "Use --classes or --category.",
    ),
    "point-without-object": (
        "it cannot be told which object a point belongs to",
        "The point is left out.",
        "Link or group the points with their boxes.",
    ),
    "point-name-unknown": (
        "a point's name is not a keypoint of its class",
        "The point is left out.",
        "Correct the name.",
    ),
    "point-duplicate": ("an object has two points of one name", "The second is left out.", "Remove one of them."),
    "shape-unsupported": (
        "a shape that is no box, polygon or point",
        "It is left out.",
        "Draw it as a box or polygon.",
    ),
    "object-inexpressible": (
        "the other format cannot hold such an object",
        "The object is left out.",
        "Nothing, or choose another format.",
    ),
    "pre-annotation-name-shared": (
        "two images have one name for coco-annotator, whose importer would take neither",
        "Their pre-annotations are left out.",
        "Give each its own name with --name-map.",
    ),
}
_WARNINGS: dict[str, Texts] = {
    "visibility-lost": ("the other format has no visibility", "Hidden points become visible ones.", "Nothing."),
    "keypoints-padded": (
        "classes have different keypoints, and the format wants one number for all",
        "Objects are filled up with points 0, 0, 0.",
        "Nothing, or convert one class at a time.",
    ),
    "class-lost": (
        "an object without a box, which carries the class in the other format",
        "Its points are written without a class.",
        "Draw a box, or use --boxes-from-keypoints.",
    ),
    "box-lost": ("the other format has no boxes", "They are left away.", "Keep the original file."),
    "crowd-flag-lost": (
        "the other format has no crowds",
        "They are written as common objects.",
        "Delete them, if that is wrong.",
    ),
    "points-assigned": (
        "points without a link in an image with one object",
        "They were given to it.",
        "Look at one of them.",
    ),
    "annotation-chosen": (
        "an image was annotated several times",
        "One of the annotations is taken.",
        "Delete the others.",
    ),
    "box-rotated": (
        "a rotated box",
        "The upright box around it is taken.",
        "Nothing, or draw an upright box.",
    ),
    "class-assumed": ("objects without a class", "They were given one.", "Give the right one with --category."),
    "keypoint-order-changed": (
        "one class with its keypoints in another order",
        "The points are put into the first order.",
        "Nothing.",
    ),
    "skeleton-differs": (
        "one class with another skeleton or super-category",
        "The first is kept.",
        "Nothing.",
    ),
    "category-case-merged": (
        "class names that differ only in case",
        "They are taken as one, as asked.",
        "Nothing.",
    ),
    "object-duplicate": ("the same object of the same image in two files", "It is kept once.", "Nothing."),
    "image-merged": (
        "the same image in two files",
        "Its objects are put together.",
        "Look for objects that were drawn in both.",
    ),
    "val-is-train": (
        "no share for val was asked for",
        "data.yaml names the train images for val, too.",
        "Use --val 0.2.",
    ),
    "name-map-unused": ("a name of the name map does not occur", "It changes nothing.", "Correct it."),
}
_INFOS: dict[str, Texts] = {
    "skeleton-lost": ("the other format has no skeleton", "It is left away.", "Nothing."),
    "segmentation-lost": (
        "the other format has no polygons beside boxes",
        "They are left away.",
        "Keep the original file.",
    ),
    "attribute-lost": ("something else is noted beside boxes and points", "It is left away.", "Nothing."),
    "keypoint-order-assumed": (
        "the format does not tell all keypoints, or not their order",
        "They are taken as they first occur.",
        "Give a COCO JSON with the classes with --classes.",
    ),
    "image-renamed": ("two images would share a name", "One has a longer name now.", "Nothing."),
    "category-renamed": ("a class was renamed, as asked", "It has the new name.", "Nothing."),
    "image-id-renumbered": ("an image id was taken already", "The image has a new one.", "Nothing."),
    "annotation-id-renumbered": ("an annotation id was taken already", "The object has a new one.", "Nothing."),
    "box-is-extent": (
        "a box is exactly the extent of its points: computed, not drawn",
        "It is kept as it is.",
        "Draw boxes, if you can.",
    ),
}

EXCHANGE_TEXTS: dict[str, dict[str, Texts]] = {"error": _ERRORS, "warning": _WARNINGS, "info": _INFOS}
