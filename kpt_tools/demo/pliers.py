"""A folder of synthetic pliers pictures with a coco-annotator export beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpt_tools.demo.export_format import AnnotatedImage, to_export
from kpt_tools.demo.scene import draw_scene
from kpt_tools.errors import ConfigError, DataError, KptToolsError
from kpt_tools.fsio import make_folder, read_json, sha256_of, write_json
from kpt_tools.lazy import require

ANNOTATIONS = "annotations.json"
IMAGES = "images"
RECEIPT = "generated.json"
FORMAT = "kpt-tools-pliers/1"
SMALLEST_SIDE_PX = 96
_JPEG_QUALITY = 93

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the number wanted."""


@dataclass(frozen=True, slots=True)
class PliersResult:
    """What `make_pliers` wrote.

    Attributes:
        annotations: the JSON file.
        images: the folder of pictures.
        num_images: pictures, empty ones included.
        num_empty: pictures without pliers.
        num_objects: pliers in all pictures.
        num_hidden: keypoints with v = 1.
        num_outside: keypoints outside their picture, written as ``0, 0, 0``.
    """

    annotations: Path
    images: Path
    num_images: int
    num_empty: int
    num_objects: int
    num_hidden: int
    num_outside: int


def make_pliers(
    out: Path, count: int, seed: int, size: tuple[int, int] = (320, 240), progress: Progress | None = None
) -> PliersResult:
    """Draw pictures of pliers and write them with their annotations.

    Picture `i` depends on `seed`, `size` and `i` only: a larger `count` adds pictures and changes none.
    The same arguments give the same bytes (with the same versions of numpy and OpenCV).

    Args:
        out: folder to make; it will hold ``annotations.json``, ``images/`` and ``generated.json``. If it
            exists it must be empty or hold a result of this function, with the same JSON and the same file
            names as when it was written; that is replaced.
        count: number of pictures, at least 1.
        seed: 0 or more.
        size: width and height in pixels.
        progress: called after each picture.

    Raises:
        ConfigError: an argument is out of range, or `out` holds something else.
        KptToolsError: the pictures could not be written; `out` is as it was before.
    """
    _check_arguments(count, seed, size)
    _check_replaceable(out)
    with _folder_in_place_of(out) as folder:
        images = _draw_all(folder / IMAGES, count, seed, size, progress)
        annotations = write_json(folder / ANNOTATIONS, to_export(images))
        receipt = {"format": FORMAT, "count": count, "seed": seed, "size": list(size)}
        write_json(folder / RECEIPT, {**receipt, "annotations_sha256": sha256_of(annotations)})
    seen = [v for image in images for found in image.objects for _, _, v in found.keypoints_xyv]
    return PliersResult(
        annotations=out / ANNOTATIONS,
        images=out / IMAGES,
        num_images=count,
        num_empty=sum(not image.objects for image in images),
        num_objects=sum(len(image.objects) for image in images),
        num_hidden=seen.count(1),
        num_outside=seen.count(0),
    )


def _check_arguments(count: int, seed: int, size: tuple[int, int]) -> None:
    if count < 1:
        raise ConfigError(f"pliers data set: count is {count}; expected at least 1 picture.")
    if seed < 0:
        raise ConfigError(f"pliers data set: seed is {seed}; expected 0 or more.")
    if min(size) < SMALLEST_SIDE_PX:
        raise ConfigError(
            f"pliers data set: size is {size[0]}x{size[1]} pixels; expected at least {SMALLEST_SIDE_PX} on each side."
        )


def _check_replaceable(out: Path) -> None:
    """Refuse to touch anything that this module did not write, or that was changed since."""
    if not os.path.lexists(out):
        return
    if not out.is_dir() or out.is_symlink():
        raise ConfigError(f"{out}: is not a folder; expected a new or empty one. Choose another output folder.")
    if any(out.iterdir()) and not _is_unchanged_result(out):
        raise ConfigError(
            f"{out}: holds files that are not an unchanged pliers data set, and would be lost; expected a new or "
            "empty folder. Choose another output folder, or move its content away."
        )


def _is_unchanged_result(folder: Path) -> bool:
    if {path.name for path in folder.iterdir()} != {ANNOTATIONS, IMAGES, RECEIPT}:
        return False
    try:
        receipt = read_json(folder / RECEIPT, what="receipt of a pliers data set")
    except (ConfigError, DataError):
        return False
    if not isinstance(receipt, dict) or receipt.get("format") != FORMAT:
        return False
    pictures = sorted(path.name for path in (folder / IMAGES).glob("*"))
    return (
        pictures == [_file_name(index) for index in range(len(pictures))]
        and len(pictures) == receipt.get("count")
        and (folder / ANNOTATIONS).is_file()
        and sha256_of(folder / ANNOTATIONS) == receipt.get("annotations_sha256")
    )


@contextlib.contextmanager
def _folder_in_place_of(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends well, and vanishes if it raises."""
    make_folder(out.parent)
    temporary: Path | None = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        new, old = make_folder(temporary / "new"), temporary / "old"
        yield new
        try:
            if out.exists():
                out.rename(old)
            new.rename(out)
        except BaseException:
            if old.exists() and not out.exists():
                old.rename(out)
            raise
    except PermissionError as exc:
        raise ConfigError(f"{out}: cannot be written ({exc.strerror}). Choose another output folder.") from exc
    except OSError as exc:
        raise KptToolsError(f"{out}: writing failed ({exc.strerror or exc}). Nothing was left half-written.") from exc
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _draw_all(
    folder: Path, count: int, seed: int, size: tuple[int, int], progress: Progress | None
) -> list[AnnotatedImage]:
    require("cv2", purpose="drawing the pliers data set")
    make_folder(folder)
    images: list[AnnotatedImage] = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        scene = draw_scene(rng, *size)
        colors = tuple(f"#{int(rng.integers(1 << 24)):06x}" for _ in scene.objects)
        images.append(AnnotatedImage(_file_name(index), *size, scene.objects, colors))
        _write_jpeg(folder / images[-1].file_name, scene.image_bgr)
        if progress is not None:
            progress(index + 1, count)
    return images


def _file_name(index: int) -> str:
    return f"pliers_{index + 1:05d}.jpg"


def _write_jpeg(path: Path, image_bgr: NDArray[np.uint8]) -> None:
    import cv2

    done, encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise KptToolsError(
            f"{path.name}: OpenCV could not encode the picture as JPEG. Reinstall opencv-python-headless."
        )
    path.write_bytes(encoded.tobytes())
