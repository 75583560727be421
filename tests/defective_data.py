"""A hundred ways to spoil a good data set, each with the code that `check` has to give it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from coco_factories import encoded
from good_data import HEIGHT, NAMES, WIDTH, Raw, jpeg, picture
from PIL import Image


@dataclass(frozen=True)
class Defect:
    """A mutation of the JSON and the image folder, and the code that tells it."""

    code: str
    spoil: Callable[[Raw, Path], None]
    options: tuple[str, ...] = ()
    rewrite: Callable[[str], str] = str
    """What becomes of the text of the JSON afterwards."""
    count: int = 1
    """How many findings of the code there are."""


def write_spoilt(good: Path, folder: Path, defect: Defect) -> None:
    """A copy of the good data set with one defect."""
    shutil.copytree(good, folder)
    raw = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    defect.spoil(raw, folder / "images")
    (folder / "annotations.json").write_text(defect.rewrite(json.dumps(raw)), encoding="utf-8")


def _untouched(raw: Raw, images: Path) -> None:
    return None


def _val_side(**options: Any) -> Callable[[Raw, Path], None]:
    """Another JSON, ``val.json`` with ``val/``, of two pictures: a new one, and the first of the good data set."""

    def spoil(raw: Raw, images: Path) -> None:
        folder = images.parent / "val"
        folder.mkdir()
        (folder / "new.jpg").write_bytes(jpeg(picture(300)))
        if options:
            (folder / "other.jpg").write_bytes(jpeg(picture(1), **options))
        else:
            shutil.copy(images / "frame001.jpg", folder / "other.jpg")
        rows = [{**raw["images"][0], "id": number, "file_name": path.name}
                for number, path in enumerate(sorted(folder.iterdir()))]  # fmt: skip
        (images.parent / "val.json").write_text(json.dumps({**raw, "images": rows, "annotations": []}))

    return spoil


def _obj(**changes: Any) -> Callable[[Raw, Path], None]:
    """Other values for the first object."""
    return lambda raw, images: raw["annotations"][0].update(changes)


def _img(**changes: Any) -> Callable[[Raw, Path], None]:
    """Other values for the first image."""
    return lambda raw, images: raw["images"][0].update(changes)


def _cat(**changes: Any) -> Callable[[Raw, Path], None]:
    """Other values for the class."""
    return lambda raw, images: raw["categories"][0].update(changes)


def _add(key: str, make: Callable[[Raw], Any]) -> Callable[[Raw, Path], None]:
    """One more entry in a list."""
    return lambda raw, images: raw[key].append(make(raw))


def _point(slot: int, *values: Any) -> Callable[[Raw, Path], None]:
    """Another point for the first object."""

    def spoil(raw: Raw, images: Path) -> None:
        raw["annotations"][0]["keypoints"][3 * slot : 3 * slot + 3] = values

    return spoil


def _file(make: Callable[[Image.Image], bytes], name: str = "frame001.jpg") -> Callable[[Raw, Path], None]:
    """Other bytes for a file, made from its picture; another name goes into the JSON, too."""

    def spoil(raw: Raw, images: Path) -> None:
        old = images / "frame001.jpg"
        with Image.open(old) as image:
            data = make(image.convert("RGB"))
        old.unlink()
        (images / name).write_bytes(data)
        raw["images"][0]["file_name"] = name

    return spoil


def _both(*spoils: Callable[[Raw, Path], None]) -> Callable[[Raw, Path], None]:
    def spoil(raw: Raw, images: Path) -> None:
        for each in spoils:
            each(raw, images)

    return spoil


def _copy_object(**changes: Any) -> Callable[[Raw], Raw]:
    return lambda raw: {**deepcopy(raw["annotations"][0]), "id": 900, **changes}


def _class(**changes: Any) -> Callable[[Raw], Raw]:
    return lambda raw: {**deepcopy(raw["categories"][0]), "id": 8, **changes}


def _swap(*pairs: tuple[int, int]) -> Callable[[Raw, Path], None]:
    def spoil(raw: Raw, images: Path) -> None:
        values = raw["annotations"][4]["keypoints"]
        for a, b in pairs:
            one, other = values[3 * a : 3 * a + 3], values[3 * b : 3 * b + 3]
            values[3 * a : 3 * a + 3], values[3 * b : 3 * b + 3] = other, one

    return spoil


def _shift_box(raw: Raw, images: Path) -> None:
    row = raw["annotations"][0]
    row["bbox"] = [0, 0, 12, 12]
    row["segmentation"] = []


def _far_point(raw: Raw, images: Path) -> None:
    row = raw["annotations"][0]
    x, y, w, h = row["bbox"]
    row["bbox"], row["segmentation"] = [x, y, w, h], []
    far = (WIDTH - 1, HEIGHT - 1) if x < WIDTH / 2 and y < HEIGHT / 2 else (0, 0)
    cx, cy = x + w / 2, y + h / 2
    row["keypoints"] = [v for i in range(6) for v in ((cx + i, cy + i, 2) if i else (*far, 2))]
    row["bbox"] = [cx - 8, cy - 8, 20, 20]


def _apart(raw: Raw, images: Path) -> None:
    row = raw["annotations"][0]
    points = {**deepcopy(row), "id": 900, "bbox": [0, 0, 0, 0], "segmentation": [], "area": 0}
    row.update(keypoints=[], num_keypoints=0)
    raw["annotations"].append(points)


def _two_names(raw: Raw, images: Path) -> None:
    """coco-annotator keeps base names only: two folders, one name."""
    for number, folder in ((0, "a"), (1, "b")):
        (images / folder).mkdir()
        (images / raw["images"][number]["file_name"]).rename(images / folder / "same.jpg")
        raw["images"][number].update(file_name="same.jpg", path=f"/datasets/x/{folder}/same.jpg")


def _never(raw: Raw, images: Path) -> None:
    for row in raw["annotations"]:
        row["keypoints"][15:18] = [0, 0, 0]
        row["num_keypoints"] = 5


def _mirror_some(raw: Raw, images: Path) -> None:
    for row in raw["annotations"][:4]:
        values = row["keypoints"]
        values[3:9] = values[6:9] + values[3:6]
        values[9:15] = values[12:15] + values[9:12]


def _odd_pose(raw: Raw, images: Path) -> None:
    row = raw["annotations"][2]
    x, y, w, h = row["bbox"]
    row["keypoints"][0:2] = [x + w, y + h]
    row["keypoints"][15:17] = [x + w - 2, y + h - 4]


def _big_png(image: Image.Image) -> bytes:
    """A header that promises 20000x20000 pixels."""
    data = bytearray(encoded(Image.new("L", (8, 8)), "PNG"))
    import struct
    import zlib

    data[16:24] = struct.pack(">II", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def _gif(image: Image.Image) -> bytes:
    return encoded(image, "GIF", save_all=True, append_images=[picture(77)])


def _exif(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(image.convert("RGB"), exif=exif)


def _copy_file(**options: Any) -> Callable[[Raw, Path], None]:
    """The second picture becomes a copy of the first; with options it is stored anew."""

    def spoil(raw: Raw, images: Path) -> None:
        source, target = images / "frame001.jpg", images / "frame002.jpg"
        if not options:
            shutil.copy(source, target)
            return
        with Image.open(source) as image:
            target.write_bytes(jpeg(image, **options))

    return spoil


def _damaged(image: Image.Image) -> bytes:
    data = bytearray(encoded(image, "PNG"))
    middle = len(data) // 2
    data[middle] ^= 0xFF
    return bytes(data)


_NAN = float("nan")
DEFECTS: dict[str, Defect] = {
    "JSON cut off": Defect("json-truncated", _untouched, rewrite=lambda text: text[: len(text) // 2]),
    "JSON empty": Defect("json-truncated", _untouched, rewrite=lambda text: " "),
    "no JSON": Defect("json-invalid", _untouched, rewrite=lambda text: f"<html>{text}</html>"),
    "JSON of results": Defect("json-not-coco", _untouched, rewrite=lambda text: '[{"image_id": 1, "score": 0.5}]'),
    "JSON without categories": Defect("json-not-coco", lambda raw, _: raw.pop("categories")),
    "picture in train and val": Defect("image-in-both-splits", _val_side(), ("--against",)),
    "picture in train and val, other quality": Defect(
        "image-look-alike-across", _val_side(quality=40), ("--against",)
    ),
    "an image is null": Defect("entry-not-object", _add("images", lambda raw: None)),
    "an annotation is a number": Defect("entry-not-object", _add("annotations", lambda raw: 7)),
    "image id is a text": Defect("image-id-invalid", _img(id="1")),
    "image id twice": Defect(
        "image-id-duplicate", _add("images", lambda raw: {**raw["images"][0], "file_name": "z.jpg"})
    ),
    "no file name": Defect("image-file-name-missing", _img(file_name="")),
    "no size": Defect("image-size-missing", _img(width=None)),
    "category id is null": Defect("category-id-invalid", _add("categories", _class(id=None, name="x"))),
    "category id twice": Defect("category-id-duplicate", _add("categories", _class(id=3, name="x"))),
    "category without name": Defect("category-name-missing", _add("categories", _class(name=""))),
    "category twice, other keypoints": Defect("category-name-duplicate", _add("categories", _class(keypoints=["a"]))),
    "category twice": Defect("category-merged", _add("categories", _class())),
    "category in another case": Defect("category-name-case", _add("categories", _class(name="Mouse"))),
    "category unused": Defect("category-unused", _add("categories", _class(name="rat"))),
    "category without keypoints": Defect(
        "category-without-keypoints", _add("categories", _class(name="rat", keypoints=None, skeleton=[]))
    ),
    "super-category": Defect(
        "category-super-dropped",
        _both(_cat(supercategory="mice"), _add("categories", lambda raw: {"id": 0, "name": "mice"})),
    ),
    "keypoint name is null": Defect("keypoint-name-invalid", _cat(keypoints=[*NAMES[:5], None])),
    "keypoint name twice": Defect("keypoint-name-duplicate", _cat(keypoints=[*NAMES[:5], "nose"])),
    "keypoint never labelled": Defect("keypoint-never-labelled", _never),
    "side without partner": Defect("flip-partner-missing", _cat(keypoints=["nose", "left_ear", "x", *NAMES[3:]])),
    "labels collide": Defect(
        "label-map-impossible",
        _both(
            _cat(keypoints=[*NAMES[:5], "b_nose"]),
            _add("categories", _class(name="b", keypoints=["nose"], skeleton=[])),
        ),
    ),
    "skeleton counts from 0": Defect("skeleton-invalid", _cat(skeleton=[[0, 1], [0, 2]]), count=2),
    "skeleton out of range": Defect("skeleton-invalid", _cat(skeleton=[[1, 7]])),
    "annotation id is null": Defect("annotation-id-invalid", _obj(id=None)),
    "annotation id twice": Defect("annotation-id-duplicate", _add("annotations", _copy_object(id=101, image_id=2))),
    "annotation of no image": Defect("annotation-image-unknown", _obj(image_id=999)),
    "annotation of no class": Defect("annotation-category-unknown", _obj(category_id=999)),
    "keypoints are a text": Defect("keypoints-invalid", _obj(keypoints="1 2 2")),
    "keypoints too short": Defect("keypoints-short", _obj(keypoints=[80, 60, 2, 81, 61, 2], num_keypoints=2)),
    "keypoints too long": Defect("keypoints-long", lambda raw, _: raw["annotations"][0]["keypoints"].extend([5, 5, 2])),
    "no keypoints": Defect("keypoints-missing", _obj(keypoints=[], num_keypoints=0)),
    "point is NaN": Defect("keypoint-invalid", _point(0, _NAN, 10, 2)),
    "v is 3": Defect("keypoint-visibility-invalid", _point(0, 80, 60, 3)),
    "v is negative": Defect("keypoint-visibility-invalid", _point(0, 80, 60, -1)),
    "v = 0 with a position": Defect("keypoint-unlabelled-position", _point(0, 80, 60, 0)),
    "point outside the image": Defect("keypoint-outside", _point(0, WIDTH + 20, 60, 2)),
    "point far outside its box": Defect("keypoint-far-from-box", _far_point),
    "num_keypoints wrong": Defect("num-keypoints-differs", _obj(num_keypoints=2)),
    "num_keypoints absent": Defect("num-keypoints-absent", lambda raw, _: raw["annotations"][0].pop("num_keypoints")),
    "box of zeros": Defect("box-missing", _obj(bbox=[0, 0, 0, 0])),
    "box absent": Defect("box-missing", lambda raw, _: raw["annotations"][0].pop("bbox")),
    "box from keypoints": Defect("box-from-keypoints", _obj(bbox=[]), ("--boxes-from-keypoints",)),
    "box negative": Defect("box-invalid", _obj(bbox=[80, 60, -20, -20])),
    "box without width": Defect("box-invalid", _obj(bbox=[80, 60, 0, 20])),
    "box is NaN": Defect("box-invalid", _obj(bbox=[80, _NAN, 20, 20])),
    "box outside": Defect("box-outside", _obj(bbox=[WIDTH + 5, 10, 20, 20], segmentation=[])),
    "box tiny": Defect("box-too-small", _obj(bbox=[80, 60, 0.5, 20], segmentation=[])),
    "box reaches out": Defect("box-clipped", _obj(bbox=[60, 40, WIDTH, 50], segmentation=[])),
    "box reaches out by a pixel": Defect("box-rounding", _obj(bbox=[0, 0, WIDTH + 0.5, HEIGHT], segmentation=[])),
    "box elsewhere than its points": Defect("box-keypoints-mismatch", _shift_box),
    "box elsewhere than its segmentation": Defect(
        "box-segmentation-mismatch", _obj(segmentation=[[0, 0, 30, 0, 30, 30]])
    ),
    "box and points apart": Defect("box-keypoints-apart", _apart),
    "annotation twice": Defect("annotation-duplicate", _add("annotations", _copy_object())),
    "area is a text": Defect("area-invalid", _obj(area="big")),
    "area absent": Defect("area-missing", _obj(area=0)),
    "iscrowd is a text": Defect("iscrowd-invalid", _obj(iscrowd="no")),
    "a crowd": Defect("crowd", _obj(iscrowd=1)),
    "segmentation of one point": Defect("segmentation-invalid", _obj(segmentation=[[1, 2]])),
    "segmentation is RLE": Defect("segmentation-rle", _obj(segmentation={"size": [HEIGHT, WIDTH], "counts": "x"})),
    "left and right exchanged": Defect("sides-swapped", _swap((1, 2), (3, 4))),
    "one pair exchanged": Defect("sides-swapped", _swap((3, 4))),
    "more than a few objects mirrored": Defect("sides-mirrored", _mirror_some),
    "odd pose": Defect("pose-outlier", _odd_pose),
    "nothing left": Defect("nothing-usable", lambda raw, _: raw["annotations"].clear()),
    "image without objects": Defect("image-without-objects", lambda raw, _: raw["annotations"].pop(0)),
    "empty image kept": Defect("image-kept-empty", lambda raw, _: raw["annotations"].pop(0), ("--keep-empty",)),
    "all objects of an image lost": Defect("image-all-objects-lost", _obj(bbox=None)),
    "two images of one name": Defect("image-name-shared", _two_names),
    "file missing": Defect("image-missing", lambda raw, images: (images / "frame001.jpg").unlink()),
    "file name climbs out": Defect("image-path-outside", _img(file_name="../images/frame001.jpg")),
    "file name is absolute": Defect("image-path-outside", _img(file_name="/etc/passwd")),
    "file name in another case": Defect("image-name-case", _img(file_name="FRAME001.jpg")),
    "base name in two folders": Defect(
        "image-ambiguous",
        lambda raw, images: [
            (images / each).mkdir() or (images / each / "twice.jpg").write_bytes(jpeg(picture(50))) for each in "ab"
        ] and raw["images"][0].update(file_name="twice.jpg"),
    ),
    "two images of one file": Defect(
        "image-file-shared", lambda raw, _: raw["images"][1].update(file_name="frame001.jpg"), count=2
    ),
    "zero bytes": Defect("image-empty-file", _file(lambda image: b"")),
    "no image": Defect("image-undecodable", _file(lambda image: b"<html>not found</html>")),
    "damaged PNG": Defect("image-undecodable", _file(_damaged, "a.png")),
    "truncated JPEG": Defect("image-truncated", _file(lambda image: jpeg(image)[:2000])),
    "truncated PNG": Defect("image-truncated", _file(lambda image: encoded(image, "PNG")[:2000], "a.png")),
    "decompression bomb": Defect("image-too-large", _file(_big_png, "a.png")),
    "another size": Defect("image-size-mismatch", _file(lambda image: jpeg(image.resize((80, 60))))),
    "EXIF rotation": Defect("image-exif-rotated", _file(_exif)),
    "PNG called jpg": Defect("image-extension", _file(lambda image: encoded(image, "PNG"))),
    "BMP": Defect("image-format-converted", _file(lambda image: encoded(image, "BMP"), "a.bmp")),
    "CMYK": Defect("image-cmyk", _file(lambda image: jpeg(image.convert("CMYK")))),
    "16 bits": Defect(
        "image-16-bit",
        _file(lambda image: encoded(Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257), "PNG"), "a.png"),
    ),
    "transparent": Defect(
        "image-alpha", _file(lambda image: encoded(image.convert("RGBA").rotate(20), "PNG"), "a.png")
    ),
    "opaque alpha": Defect("image-alpha-opaque", _file(lambda image: encoded(image.convert("RGBA"), "PNG"), "a.png")),
    "palette": Defect("image-palette", _file(lambda image: encoded(image.convert("P"), "PNG"), "a.png")),
    "animated": Defect("image-animated", _file(_gif, "a.gif")),
    "picture twice": Defect("image-copy", _copy_file()),
    "picture twice, other quality": Defect("image-look-alike", _copy_file(quality=40)),
    "picture not annotated": Defect(
        "image-not-in-json", lambda raw, images: (images / "new.jpg").write_bytes(jpeg(picture(99)))
    ),
}  # fmt: skip
