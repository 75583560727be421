"""Texts of the findings about image files: meaning, consequence, advice and, where `kpt-tools repair` helps, how."""

from __future__ import annotations

Texts = tuple[str, ...]

_LEFT_OUT = "The image is left out with its objects."

_ERRORS: dict[str, Texts] = {
    "image-missing": (
        "no such file in the image folder",
        _LEFT_OUT,
        "Copy it there, or correct --images.",
        "choice",
    ),
    "image-ambiguous": ("several files could be meant", _LEFT_OUT, "Write the sub-folder into file_name."),
    "image-path-outside": (
        "the file name leads out of the image folder",
        "The file is not opened; the image is left out with its objects.",
        "Correct the file name.",
        "choice",
    ),
    "image-file-shared": (
        "two images of the JSON mean the same file",
        "All of them are left out with their objects.",
        "Give each its own file, or merge their objects.",
    ),
    "image-empty-file": ("the file holds zero bytes", _LEFT_OUT, "Copy it again."),
    "image-unreadable": ("the file cannot be read", _LEFT_OUT, "Change its rights or copy it again."),
    "image-truncated": ("the file ends early", _LEFT_OUT, "Copy it again."),
    "image-undecodable": (
        "the file is no image, or a damaged one",
        _LEFT_OUT,
        "Copy it again, or convert it to JPEG or PNG.",
    ),
    "image-too-large": (
        "the image has more pixels than is safe to decode",
        _LEFT_OUT,
        "Scale it down before annotating.",
    ),
    "image-size-mismatch": (
        "the file's width and height are not those of the JSON",
        "Its coordinates cannot be trusted; the image is left out with its objects.",
        "Put the annotated file there, or annotate this one.",
    ),
    "image-all-objects-lost": (
        "every object of the image was left out",
        "So the image is, too.",
        "See the findings of its objects.",
    ),
}
_WARNINGS: dict[str, Texts] = {
    "image-name-case": (
        "the file's name differs in case or accents from the JSON",
        "The file is taken; on another system it may not be found.",
        "Rename one of them.",
    ),
    "image-exif-rotated": (
        "EXIF says that the pixels lie on their side",
        "They are stored upright and the coordinates follow.",
        "Look at one of them with its points.",
    ),
    "image-cmyk": ("a CMYK JPEG", "It is stored as RGB JPEG.", "Nothing, or convert it."),
    "image-16-bit": (
        "16 bits per channel",
        "Scaled to 8.",
        "Nothing, or convert it with a contrast of your choice.",
    ),
    "image-alpha": ("transparent pixels", "They are laid on white.", "Nothing, or remove the transparency."),
    "image-animated": (
        "several frames or pages",
        "The first is taken.",
        "Nothing, or save the frame you annotated.",
    ),
    "image-without-objects": (
        "an image without objects",
        "It is left out.",
        "Annotate it, or use --keep-empty if nothing is to be seen there.",
        "choice",
    ),
    "image-in-both-splits": (
        "the same file is in both JSONs, train and val",
        "It is trained on and measured on, so the numbers flatter.",
        "Take it out of one of them.",
    ),
    "image-copy": (
        "a picture is the same as an earlier one, byte for byte",
        "It counts twice, and a split may put one into train and one into val.",
        "Remove one, or keep both on one side of the split with --group-by.",
    ),
    "image-look-alike": (
        "a picture looks nearly the same as an earlier one",
        "It teaches little, and a split may put one into train and one into val.",
        "Keep them on one side of the split with --group-by, or remove one.",
    ),
    "image-look-alike-across": (
        "a picture looks nearly the same as one of the other JSON",
        "What is measured on has been trained on, so the numbers flatter.",
        "Split again with --group-by, or take it out of one of them.",
    ),
}
_INFOS: dict[str, Texts] = {
    "image-not-in-json": (
        "a picture in the folder that the JSON does not name",
        "It is not used.",
        "Annotate it, or nothing.",
    ),
    "image-extension": ("the file is not what its ending says", "Its content decides.", "Rename it."),
    "image-alpha-opaque": ("an alpha channel that hides nothing", "It is left away.", "Nothing."),
    "image-palette": ("a palette PNG", "Stored as RGB, same colours.", "Nothing."),
    "image-format-converted": ("neither JPEG nor PNG", "Stored as PNG, same pixels.", "Nothing."),
    "image-kept-empty": ("an image without objects", "Kept as background.", "Nothing."),
}
IMAGE_TEXTS: dict[str, dict[str, Texts]] = {"error": _ERRORS, "warning": _WARNINGS, "info": _INFOS}
