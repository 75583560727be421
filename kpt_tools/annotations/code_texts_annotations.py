"""Texts of the findings in a JSON: meaning, consequence, advice and, where `kpt-tools repair` helps, how."""

from __future__ import annotations

Texts = tuple[str, ...]

_ERRORS: dict[str, Texts] = {
    "json-truncated": (
        "the JSON is empty or ends early",
        "Nothing can be read.",
        "Export or copy it again.",
    ),
    "json-invalid": ("the file is no JSON", "Nothing can be read.", "Export or copy it again."),
    "json-not-coco": (
        "the JSON is no COCO file",
        "Nothing can be read.",
        "Export it as COCO, or convert it with kpt-tools convert.",
    ),
    "nothing-usable": (
        "no image with an object is left to train on",
        "Nothing can be trained.",
        "See the other findings.",
    ),
    "entry-not-object": (
        "an entry of a list is not a JSON object",
        "It is left out.",
        "Export the file again.",
        "choice",
    ),
    "image-id-invalid": (
        "an image has no whole number as id",
        "It is left out with its objects.",
        "Give it an id of its own.",
        "choice",
    ),
    "image-id-duplicate": (
        "two images have the same id",
        "The second is left out; objects meant for it land on the first.",
        "Give it an id of its own.",
        "choice",
    ),
    "image-file-name-missing": (
        "an image has no usable file name",
        "It is left out with its objects.",
        "Write its file name into the JSON.",
        "choice",
    ),
    "category-id-invalid": (
        "a class has no whole number as id",
        "It is left out with its objects.",
        "Give it an id of its own.",
        "choice",
    ),
    "category-id-duplicate": (
        "two classes have the same id",
        "The second is left out; its objects count as the first.",
        "Give it an id of its own.",
        "choice",
    ),
    "category-name-missing": ("a class has no name", "It is left out with its objects.", "Name it."),
    "category-name-duplicate": (
        "two classes share a name but not their keypoints",
        "The second is left out with its objects.",
        "Rename one, or give both the same keypoints.",
    ),
    "keypoint-name-invalid": (
        "a keypoint name is not a text",
        "The class is left out with its objects.",
        "Name the keypoint.",
    ),
    "keypoint-name-duplicate": (
        "two keypoints of a class share a name",
        "The class is left out with its objects.",
        "Rename one in coco-annotator and save its images again.",
    ),
    "label-map-impossible": (
        "classes and keypoints cannot be told apart by their names",
        "No label map can be written, so nothing can be trained.",
        "Rename what the message names.",
    ),
    "annotation-id-invalid": (
        "an object has no whole number as id",
        "It is left out.",
        "Give it an id of its own.",
        "safe",
    ),
    "annotation-id-duplicate": (
        "two objects have the same id",
        "The second is left out.",
        "Give it an id of its own.",
        "safe",
    ),
    "annotation-image-unknown": (
        "an object belongs to no image of the file",
        "It is left out.",
        "Remove it, or add its image.",
        "choice",
    ),
    "annotation-category-unknown": (
        "an object belongs to no (usable) class",
        "It is left out.",
        "Give it a class.",
        "choice",
    ),
    "keypoints-invalid": (
        "the keypoints of an object are not a list",
        "Taken as none.",
        "Draw them again.",
        "choice",
    ),
    "keypoint-invalid": (
        "a point has a coordinate that is no number",
        "The point is taken as not labelled.",
        "Draw it again.",
        "choice",
    ),
    "keypoint-visibility-invalid": (
        "a point's visibility is none of 0, 1, 2",
        "The point is taken as not labelled.",
        "Write 0, 1 or 2.",
        "choice",
    ),
    "box-invalid": (
        "a box is not four numbers with a positive size",
        "Taken as missing.",
        "Draw it again.",
        "choice",
    ),
    "box-missing": (
        "an object has no box",
        "The object is left out.",
        "Draw a box, or use --boxes-from-keypoints.",
        "choice",
    ),
    "box-outside": (
        "a box lies wholly outside its image",
        "The object is left out.",
        "Draw it again.",
        "choice",
    ),
    "box-too-small": (
        "a box is less than one pixel wide or high within its image",
        "The object is left out.",
        "Draw it again, or delete the object.",
        "choice",
    ),
}
_WARNINGS: dict[str, Texts] = {
    "image-size-missing": (
        "the JSON has no width and height",
        "Those of the file are taken; without the file nothing can be clipped.",
        "Export it again.",
        "safe",
    ),
    "image-name-shared": (
        "several images of the JSON have the same file name",
        "Only their folders tell them apart; many tools, coco-annotator's import among them, take one for the other.",
        "Rename one of the files before annotating.",
    ),
    "category-merged": (
        "two classes share name and keypoints",
        "They are taken as one.",
        "Merge them in the annotation tool.",
        "safe",
    ),
    "category-name-case": (
        "two class names differ only in upper and lower case",
        "They are trained as two classes.",
        "Rename one, if they are the same.",
    ),
    "skeleton-invalid": (
        "an edge of a skeleton is not a pair of keypoint numbers (from 1)",
        "The edge is left out of drawings.",
        "Correct it.",
        "choice",
    ),
    "keypoints-short": (
        "an object has fewer keypoint values than its class",
        "The rest is taken as not labelled.",
        "Save its image again in coco-annotator.",
        "safe",
    ),
    "keypoints-long": (
        "an object has more keypoint values than its class",
        "The surplus is cut off.",
        "Save its image again in coco-annotator.",
        "choice",
    ),
    "keypoint-outside": (
        "a labelled point lies outside its image",
        "The point is taken as not labelled.",
        "Move or delete it.",
        "choice",
    ),
    "keypoint-never-labelled": (
        "a keypoint of a class is labelled in no object",
        "Its heatmap learns that it is nowhere.",
        "Label it, or take it out of the class.",
    ),
    "keypoint-far-from-box": (
        "a labelled point lies far outside the box of its object",
        "The box does not hold the object, or the point is misplaced; both are learned.",
        "Look at the object, then move the point or draw the box again.",
    ),
    "box-keypoints-mismatch": (
        "most labelled points of an object lie outside its box",
        "Box and points probably belong to different objects; both are learned.",
        "Look at the object, then put the points to the right box.",
    ),
    "box-segmentation-mismatch": (
        "a box is not the extent of its object's segmentation",
        "The box is learned as it stands, and COCO tools that compute it anew get another.",
        "Look at the object; draw the box again if it is wrong.",
        "choice",
    ),
    "box-clipped": (
        "a box reaches out of its image",
        "Cut at the border.",
        "Nothing, if the object does so, too.",
        "choice",
    ),
    "box-from-keypoints": (
        "an object had no usable box",
        "One is made from its keypoints.",
        "Nothing, or draw a box.",
        "choice",
    ),
    "box-keypoints-apart": (
        "one annotation has the box and another, without a box, the keypoints inside it",
        "They count as two objects: one has no points, the other is left out.",
        "Put both into one annotation.",
        "choice",
    ),
    "annotation-duplicate": (
        "two annotations of one class cover the same object",
        "The object counts twice; a detector is punished for finding it once.",
        "Delete one of them.",
        "choice",
    ),
    "sides-swapped": (
        "left and right are probably exchanged in an object, compared with the rest of the data set",
        "The network is taught both, and learns neither well.",
        "Look at the object; exchange the points if they are wrong.",
        "choice",
    ),
    "pose-outlier": (
        "the points of an object form a shape unlike any other of its class",
        "A misplaced point is learned as truth; a rare pose is honest.",
        "Look at the object; move the points that are wrong.",
    ),
    "flip-partner-missing": (
        "a keypoint names a side, but its mirror partner was not found",
        "It stays in place when pictures are mirrored, so left and right are mixed up in training.",
        "Rename it, or give the pairs to make-config with --flip-pairs.",
    ),
    "area-invalid": (
        "an area is no number from 0 up",
        "Taken as absent: that of the box is used.",
        "Nothing.",
        "safe",
    ),
    "iscrowd-invalid": (
        "'iscrowd' is neither true/false nor 0/1",
        "Taken as 0.",
        "Correct it.",
        "safe",
    ),
    "segmentation-invalid": (
        "a segmentation is no list of polygons",
        "It is left out.",
        "Nothing: boxes do not need it.",
        "choice",
    ),
}
_INFOS: dict[str, Texts] = {
    "category-super-dropped": (
        "a mere super-category without keypoints or objects",
        "It is left out.",
        "Nothing.",
        "choice",
    ),
    "category-unused": (
        "a class without objects",
        "It keeps its place in the label map.",
        "Nothing, or remove it.",
        "choice",
    ),
    "category-without-keypoints": (
        "a class has no keypoints",
        "Only its boxes are learned.",
        "Nothing, if that is meant.",
    ),
    "keypoints-missing": (
        "an object without keypoints",
        "Only its box is used.",
        "Label them, if they can be seen.",
    ),
    "keypoint-unlabelled-position": (
        "a point with v = 0 has a position",
        "Taken as not labelled.",
        "Nothing.",
        "choice",
    ),
    "num-keypoints-differs": (
        "'num_keypoints' is not the number of points with v > 0",
        "Counted anew here; pycocotools believes it and may ignore the object.",
        "Nothing.",
        "safe",
    ),
    "num-keypoints-absent": (
        "objects with keypoints lack 'num_keypoints'",
        "Counted here; pycocotools stops with a KeyError.",
        "Nothing.",
        "safe",
    ),
    "sides-mirrored": (
        "many objects look mirrored against the others",
        "Probably they are seen from another side, so swapped points cannot be told from true ones.",
        "Look at some of them.",
    ),
    "segmentation-rle": ("a mask as run-length code", "Only its box and points are used.", "Nothing."),
    "box-rounding": (
        "a box reaches out of its image by a pixel at most",
        "Cut at the border.",
        "Nothing.",
        "safe",
    ),
    "area-missing": (
        "an object has no area",
        "That of its box is taken.",
        "Nothing.",
        "safe",
    ),
    "crowd": (
        "a crowd",
        "Kept, not learned from, ignored when measured.",
        "Nothing.",
    ),
    "group-unmatched": (
        "--group-by matches no part of the file name",
        "The image is a group of its own.",
        "Nothing.",
    ),
    "shards-limited": ("fewer images than shards asked for", "Fewer shards are written.", "Nothing."),
    "label-map-replaced": (
        "another label map was there",
        "It is replaced.",
        "Train anew: ids may have changed.",
    ),
}
ANNOTATION_TEXTS: dict[str, dict[str, Texts]] = {"error": _ERRORS, "warning": _WARNINGS, "info": _INFOS}
