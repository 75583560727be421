"""The Python interface: a model that finds objects and their keypoints in pictures."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np

from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import ModelMetadata, Prediction
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.ahead import ahead
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import ImageRgb, RawDetections, check_image
from kpt_tools.inference.images import decode_picture
from kpt_tools.inference.side_by_side import SideBySide
from kpt_tools.inference.sources import SourceImage, Sources
from kpt_tools.inference.tracking import ObjectTracker
from kpt_tools.inference.video import DEFAULT_FPS
from kpt_tools.machine import available_cores
from kpt_tools.stages.engine_choice import choose_engine
from kpt_tools.stages.run_export import exported_for

if TYPE_CHECKING:
    from PIL import Image

ImageInput: TypeAlias = Union[str, "os.PathLike[str]", ImageRgb, "Image.Image"]
"""A file, folder, glob pattern, video, http(s) address or "camera:0"; an array [H, W, 3] uint8, red first; a picture of
Pillow, which is turned upright as its EXIF orientation says."""

_Batch: TypeAlias = list[tuple[SourceImage, ImageRgb]]

OnError = Callable[[str, DataError], None]
"""Told the name of a picture that cannot be read, and why."""


class Detector:
    """Finds objects and their keypoints in pictures.

    Example::

        from kpt_tools import Detector

        detector = Detector("runs/train/export")
        for prediction in detector.predict("pictures/"):
            for found in prediction.detections:
                print(prediction.image, found.class_name, found.score, found.box_xywh_px, found.keypoints_xys)
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        engine: str | None = InferConfig.engine,
        precision: str | None = InferConfig.precision,
        checkpoint: str | None = InferConfig.checkpoint,
        min_score: float = InferConfig.min_score,
        max_detections: int = InferConfig.max_detections,
        side_by_side: bool = True,
        flip_test: bool = InferConfig.flip_test,
    ) -> None:
        """Load a model; with TensorFlow this takes seconds. TensorFlow is imported only if the engine is its own.

        Args:
            model: an exported folder, a run folder (exported first if need be), or a model of the zoo.
            engine: "saved_model", "onnx", "openvino", "litert", "auto" for the fastest that was found good, or None:
                the SavedModel if there is one, else "auto".
            precision: of the model's file, "float32", "float16", "bfloat16" or "int8"; None: float32, and for "auto"
                also bfloat16 where it costs next to nothing.
            checkpoint: of a run, "best" or "last"; None: the best where one is kept.
            min_score: detections below are left out.
            max_detections: at most so many per picture, best first.
            side_by_side: small networks run one picture per core: less time for many. False: all cores work on one
                picture, which answers sooner if there is one at a time.
            flip_test: look at each picture twice, once as its mirror image, and average: better, in twice the time.

        Raises:
            ConfigError: no such model or engine, or a number that cannot be meant.
            DataError: the model's files contradict each other.
            EngineError: the model cannot be loaded.
            MissingDependencyError: the engine's package is not installed.
        """
        settings = InferConfig(
            model=Path(model),
            engine=engine,
            precision=precision,
            checkpoint=checkpoint,
            min_score=min_score,
            max_detections=max_detections,
        )
        folder = exported_for(settings.model, checkpoint, lambda event: None)
        choice = replace(choose_engine(folder, engine, precision), flip_test=flip_test)
        self._settings, self._choice = settings, choice
        self._engine = choice.open(side_by_side=side_by_side)

    @property
    def metadata(self) -> ModelMetadata:
        """Classes, keypoints, skeleton and OKS sigmas of the model."""
        return self._engine.metadata

    @property
    def engine(self) -> str:
        """What runs the model, such as "onnx, float32"."""
        return self._choice.text

    def predict(
        self,
        images: ImageInput | Iterable[ImageInput],
        *,
        batch_size: int | None = None,
        track: bool = False,
        on_error: OnError | None = None,
    ) -> list[Prediction]:
        """Detect in one or several pictures.

        Args:
            images: see `ImageInput`; a folder, pattern or video stands for all its pictures, in natural order.
            batch_size: pictures that the engine is given at once; None: what suits it.
            track: number objects over the frames of each video, and over the other pictures in their order.
            on_error: called for each picture that cannot be read, which is left out; None: the error is raised.

        Returns:
            One prediction per picture, in order; its detections best first. Coordinates are pixels of the upright
            picture, x to the right and y down from the outer corner of the first pixel; they are not clipped to it.
            ``box_xywh_px`` is left, top, width, height; ``keypoints_xys`` has x, y and score (0..1) for each keypoint
            of the class, in the order of ``metadata``. `Prediction.image` is the path, address or "image 0", "image
            1", ... for arrays and pictures of Pillow.

        Raises:
            ConfigError: a file that does not exist, or a wrong setting.
            DataError: a picture cannot be read, or the model's files contradict each other.
            EngineError: the engine failed.
            MissingDependencyError: objects are to be tracked, and the package for that is not installed.
            TypeError: something that is no picture.
            ValueError: an array of another shape or type.
        """
        return list(self.stream(images, batch_size=batch_size, track=track, on_error=on_error))

    def stream(
        self,
        images: ImageInput | Iterable[ImageInput],
        *,
        batch_size: int | None = None,
        track: bool = False,
        on_error: OnError | None = None,
    ) -> Iterator[Prediction]:
        """Like `predict`, one after the other: for any number of pictures, which are decoded ahead by threads.

        `images` may be a generator; it is asked from another thread.
        """
        if batch_size is not None and batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; expected at least 1.")
        tracker = ObjectTracker(self._settings.min_score) if track else None
        size, workers = batch_size or self._engine.batch_size, available_cores()
        with ThreadPoolExecutor(workers) as pool, contextlib.ExitStack() as stack:
            loaded = ahead(_pictures(images), lambda image: image.load(), pool, workers + size)
            stack.enter_context(contextlib.closing(loaded))
            side_by_side: SideBySide[_Batch, list[RawDetections]] = SideBySide(self._engine.calls)
            stack.enter_context(contextlib.closing(side_by_side))
            batch: _Batch = []
            for image, future in loaded:
                try:
                    batch.append((image, future.result()))
                except DataError as exc:
                    if on_error is None:
                        raise
                    on_error(image.name, exc)
                live = image.video is not None and image.video.live
                if len(batch) == size or (batch and live):
                    for found in side_by_side.start(batch, self._detected):
                        yield from self._predictions(*found, tracker)
                    batch = []
                if live:  # nobody wants to wait for the pictures that follow
                    for found in side_by_side.finish():
                        yield from self._predictions(*found, tracker)
            for found in itertools.chain(side_by_side.start(batch, self._detected), side_by_side.finish()):
                yield from self._predictions(*found, tracker)

    def _detected(self, batch: _Batch) -> list[RawDetections]:
        return self._engine.detect_batch([rgb for _, rgb in batch])

    def _predictions(
        self, batch: _Batch, raws: list[RawDetections], tracker: ObjectTracker | None
    ) -> Iterator[Prediction]:
        for (image, rgb), raw in zip(batch, raws, strict=True):
            prediction, _ = decode(
                raw,
                self.metadata,
                image=image.name,
                size_wh=(rgb.shape[1], rgb.shape[0]),
                min_score=self._settings.min_score,
                max_detections=self._settings.max_detections,
            )
            if tracker is not None:
                fps = image.video.fps if image.video else DEFAULT_FPS
                prediction = tracker.update(prediction, image.sequence, fps)
            yield prediction


def _pictures(images: ImageInput | Iterable[ImageInput]) -> Iterator[SourceImage]:
    """The pictures that are meant, with a name for each."""
    several = images if _is_several(images) else (images,)
    count = 0
    for each in several:  # type: ignore[union-attr]
        if isinstance(each, str | os.PathLike):
            yield from map(_named_by_path, Sources([os.fspath(each)]))
        else:
            yield SourceImage(f"image {count}", functools.partial(_pixels, each, f"image {count}"))
            count += 1


def _is_several(images: Any) -> bool:
    """Whether it is a list or the like: text, arrays and pictures can be gone through, too, but are one."""
    one = isinstance(images, str | os.PathLike | np.ndarray) or hasattr(images, "getexif")
    return not one and isinstance(images, Iterable)


def _named_by_path(image: SourceImage) -> SourceImage:
    if image.path is None:
        return image
    return SourceImage(str(image.path), image.load, image.path, image.sequence, image.video, image.frame)


def _pixels(image: Any, name: str) -> ImageRgb:
    if isinstance(image, np.ndarray):
        check_image(image)
        return image
    if hasattr(image, "getexif"):
        return decode_picture(image, name)
    raise TypeError(
        f"{name}: is a {type(image).__name__}; expected a path, an array [H, W, 3] of uint8, or a picture of Pillow."
    )
