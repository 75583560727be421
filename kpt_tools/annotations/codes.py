"""Every finding about annotations and images: its stable code, how bad it is, what it means, what to do.

"error": an object, a point, a class or an image is lost. "warning": something is changed, or is probably
a mistake. "info": worth knowing, nothing is changed that a training would see.
"""

from __future__ import annotations

from dataclasses import dataclass

from kpt_tools.entities import Finding, Severity

SEVERITY_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class FindingCode:
    """What a code stands for."""

    severity: Severity
    meaning: str
    advice: str


_ERRORS: dict[str, tuple[str, str]] = {
    "nothing-usable": ("no image with an object is left to train on", "See the other findings."),
    "entry-not-object": ("an entry of a list is not a JSON object; left out", "Export the file again."),
    "image-id-invalid": ("an image has no whole number as id; left out", "Give it an id of its own."),
    "image-id-duplicate": ("two images have the same id; the second is left out", "Give it an id of its own."),
    "image-file-name-missing": ("an image has no usable file name; left out", "Write its file name into the JSON."),
    "category-id-invalid": ("a class has no whole number as id; left out", "Give it an id of its own."),
    "category-id-duplicate": ("two classes have the same id; the second is left out", "Give it an id of its own."),
    "category-name-missing": ("a class has no name; left out with its objects", "Name it."),
    "category-name-duplicate": (
        "two classes share a name but not their keypoints; the second is left out with its objects",
        "Rename one, or give both the same keypoints.",
    ),
    "keypoint-name-invalid": ("a keypoint name is not a text; the class is left out with its objects", "Name it."),
    "keypoint-name-duplicate": (
        "two keypoints of a class share a name; the class is left out with its objects",
        "Rename one in coco-annotator and save its images again.",
    ),
    "annotation-id-invalid": ("an object has no whole number as id; left out", "Give it an id of its own."),
    "annotation-id-duplicate": ("two objects have the same id; the second is left out", "Give it an id of its own."),
    "annotation-image-unknown": ("an object belongs to no image of the file; left out", "Remove it."),
    "annotation-category-unknown": ("an object belongs to no (usable) class; left out", "Give it a class."),
    "keypoints-invalid": ("the keypoints of an object are not a list; taken as none", "Draw them again."),
    "keypoint-invalid": ("a point has a coordinate that is no number; taken as not labelled", "Draw it again."),
    "keypoint-visibility-invalid": (
        "a point's visibility is none of 0, 1, 2; taken as not labelled",
        "Write 0, 1 or 2.",
    ),
    "box-invalid": ("a box is not four numbers with a positive size; taken as missing", "Draw it again."),
    "box-missing": ("an object has no box; left out", "Draw a box, or use --boxes-from-keypoints."),
    "box-outside": ("a box lies wholly outside its image; the object is left out", "Draw it again."),
    "box-too-small": (
        "a box is less than one pixel wide or high within its image; the object is left out",
        "Draw it again, or delete the object.",
    ),
    "image-missing": ("no such file in the image folder", "Copy it there, or correct --images."),
    "image-ambiguous": ("several files could be meant; none is taken", "Write the sub-folder into file_name."),
    "image-path-outside": ("the file name leads out of the image folder; not opened", "Correct the file name."),
    "image-file-shared": (
        "two images of the JSON mean the same file; all of them are left out",
        "Give each its own file, or merge their objects.",
    ),
    "image-empty-file": ("the file holds zero bytes", "Copy it again."),
    "image-unreadable": ("the file cannot be read", "Change its rights or copy it again."),
    "image-truncated": ("the file ends early", "Copy it again."),
    "image-undecodable": ("the file is no image, or a damaged one", "Copy it again, or convert it to JPEG or PNG."),
    "image-too-large": ("the image has more pixels than is safe to decode", "Scale it down before annotating."),
    "image-size-mismatch": (
        "the file's width and height are not those of the JSON; its coordinates cannot be trusted",
        "Put the annotated file there, or annotate this one.",
    ),
    "image-all-objects-lost": (
        "every object of the image was left out, so the image is, too",
        "See the findings of its objects.",
    ),
}
_WARNINGS: dict[str, tuple[str, str]] = {
    "image-size-missing": ("the JSON has no width and height; those of the file are taken", "Export it again."),
    "category-merged": (
        "two classes share name and keypoints; they are taken as one",
        "Merge them in the annotation tool.",
    ),
    "category-name-case": ("two class names differ only in upper and lower case", "Rename one, if they are the same."),
    "skeleton-invalid": ("an edge of a skeleton is not a pair of keypoint numbers (from 1); left out", "Correct it."),
    "keypoints-short": (
        "an object has fewer keypoint values than its class; the rest is taken as not labelled",
        "Save its image again in coco-annotator.",
    ),
    "keypoints-long": (
        "an object has more keypoint values than its class; the surplus is cut off",
        "Save its image again in coco-annotator.",
    ),
    "keypoint-outside": ("a labelled point lies outside its image; taken as not labelled", "Move or delete it."),
    "box-clipped": ("a box reaches out of its image; cut at the border", "Nothing, if the object does so, too."),
    "box-from-keypoints": ("an object had no usable box; made from its keypoints", "Nothing, or draw a box."),
    "box-keypoints-apart": (
        "one annotation has the box and another, without a box, the keypoints inside it",
        "Put both into one annotation.",
    ),
    "area-invalid": ("an area is no number from 0 up; taken as absent", "Nothing."),
    "iscrowd-invalid": ("'iscrowd' is neither true/false nor 0/1; taken as 0", "Correct it."),
    "segmentation-invalid": ("a segmentation is no list of polygons; left out", "Nothing: boxes do not need it."),
    "image-name-case": ("the file's name differs in case or accents from the JSON", "Rename one of them."),
    "image-exif-rotated": (
        "EXIF says that the pixels lie on their side; they are stored upright and the coordinates follow",
        "Look at one of them with its points.",
    ),
    "image-cmyk": ("a CMYK JPEG; stored as RGB JPEG", "Nothing, or convert it."),
    "image-16-bit": ("16 bits per channel; scaled to 8", "Nothing, or convert it with a contrast of your choice."),
    "image-alpha": ("transparent pixels; laid on white", "Nothing, or remove the transparency."),
    "image-animated": ("several frames or pages; the first is taken", "Nothing, or save the frame you annotated."),
    "image-without-objects": (
        "an image without objects; left out",
        "Annotate it, or use --keep-empty if nothing is to be seen there.",
    ),
    "image-in-both-splits": ("the same file is in train and val", "Take it out of one of them."),
}
_INFOS: dict[str, tuple[str, str]] = {
    "category-super-dropped": ("a mere super-category without keypoints or objects; left out", "Nothing."),
    "category-unused": ("a class without objects; it keeps its place in the label map", "Nothing, or remove it."),
    "keypoints-missing": ("an object without keypoints; only its box is used", "Label them, if they can be seen."),
    "keypoint-unlabelled-position": ("a point with v = 0 has a position; taken as not labelled", "Nothing."),
    "num-keypoints-differs": ("'num_keypoints' is not the number of points with v > 0; counted anew", "Nothing."),
    "segmentation-rle": ("a mask as run-length code; only its box and points are used", "Nothing."),
    "box-rounding": ("a box reaches out of its image by a pixel at most; cut at the border", "Nothing."),
    "area-missing": ("an object has no area; that of its box is taken", "Nothing."),
    "crowd": ("a crowd: kept, not learned from, ignored when measured", "Nothing."),
    "image-extension": ("the file is not what its ending says; its content decides", "Rename it."),
    "image-alpha-opaque": ("an alpha channel that hides nothing; left away", "Nothing."),
    "image-palette": ("a palette PNG; stored as RGB, same colours", "Nothing."),
    "image-format-converted": ("neither JPEG nor PNG; stored as PNG, same pixels", "Nothing."),
    "image-kept-empty": ("an image without objects; kept as background", "Nothing."),
    "group-unmatched": ("--group-by matches no part of the file name; the image is a group of its own", "Nothing."),
    "shards-limited": ("fewer images than shards asked for; fewer shards written", "Nothing."),
    "label-map-replaced": ("another label map was there; replaced", "Train anew: ids may have changed."),
}

CODES: dict[str, FindingCode] = {
    **{code: FindingCode("error", *texts) for code, texts in _ERRORS.items()},
    **{code: FindingCode("warning", *texts) for code, texts in _WARNINGS.items()},
    **{code: FindingCode("info", *texts) for code, texts in _INFOS.items()},
}


def finding(code: str, message: str, *, image: str = "", annotation_id: int | None = None) -> Finding:
    """A finding of a known code, with the code's severity."""
    return Finding(code, CODES[code].severity, message, image, annotation_id)
