"""Detection on Beam: pictures are read, looked at and drawn on by workers; the lines about them are written here."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from kpt_tools.beam.files import copy_file, is_remote, local_copy, location_of, names_below, read_bytes
from kpt_tools.config.beam import BeamConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Finding, ModelMetadata, Prediction
from kpt_tools.errors import ConfigError, DataError, EngineError, KptToolsError
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections
from kpt_tools.inference.image_files import IMAGE_SUFFIXES, has_suffix, natural_key
from kpt_tools.inference.images import decode_image
from kpt_tools.inference.sinks import rounded
from kpt_tools.inference.sources import SourceImage
from kpt_tools.records.parallel import Mapper
from kpt_tools.records.progress import Progress
from kpt_tools.stages.beam_places import need_runner
from kpt_tools.stages.engine_choice import EngineChoice
from kpt_tools.stages.infer_pictures import PICTURES_NAME, picture_name

T = TypeVar("T")

_PART = 50
"""Pictures that a worker takes at a time."""


@dataclass(frozen=True)
class FoundOnBeam:
    """What a worker found in a picture; or why it could not be looked at, which it may share with all others."""

    prediction: Prediction | None = None
    findings: tuple[Finding, ...] = ()
    error: str = ""
    engine_error: str = ""


@dataclass(frozen=True)
class Recipe:
    """What a worker needs to know; it is the same for all pictures.

    Attributes:
        model: address of the exported folder.
        engine: what runs it.
        precision: of the model's file.
        config: the settings of the command.
        out: address of the folder of outputs.
    """

    model: str
    engine: str
    precision: str
    config: InferConfig
    out: str


@dataclass(frozen=True)
class FarImages:
    """The image files in a folder of another filesystem; takes the place of `kpt_tools.inference.sources.Sources`."""

    folder: str
    names: tuple[str, ...]
    live = False
    videos = ()

    @classmethod
    def below(cls, folder: str) -> FarImages:
        """Those of a folder and below it, in the order in which they would be on this machine.

        Raises:
            ConfigError: there is none.
        """
        top = location_of(folder).rstrip("/")
        names = [name for name in names_below(top) if has_suffix(name, IMAGE_SUFFIXES) and not _is_hidden(name)]
        if not names:
            raise ConfigError(
                f"{top}: no image found; expected files that end in {' '.join(sorted(IMAGE_SUFFIXES))}. "
                "Check the address."
            )
        return cls(top, tuple(sorted(names, key=natural_key)))

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.names)

    def findings(self) -> tuple[Finding, ...]:
        """Nothing was passed over."""
        return ()

    def __iter__(self) -> Iterator[SourceImage]:
        """All pictures in order."""
        for name in self.names:
            load = functools.partial(_load_far, f"{self.folder}/{name}")
            yield SourceImage(name, load, sequence=PurePosixPath(name).parent.as_posix())


class Elsewhere:
    """Stands for an engine that others run."""

    batch_size = calls = 1

    def __init__(self, metadata: ModelMetadata) -> None:
        """Take what is known of the model."""
        self.metadata = metadata

    def detect(self, image: ImageRgb) -> RawDetections:
        """Not here.

        Raises:
            EngineError: always.
        """
        raise EngineError("The model runs on Beam's workers; this process has none.")

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """Not here either."""
        return [self.detect(image) for image in images]


def check_for_beam(config: InferConfig, beam: BeamConfig) -> None:
    """Refuse what only one process can do, and other filesystems without a runner.

    Raises:
        ConfigError: what it is.
    """
    far = [text for text in (*config.inputs, str(config.model), str(config.out)) if is_remote(text)]
    far = [text for text in far if not text.startswith(("http:", "https:"))]
    for text in far[:1]:
        need_runner(Path(text), beam)
    if beam.runner is None:
        return
    if config.track:
        raise ConfigError("--track needs the pictures one after the other. Leave it out, or --runner.")
    far_inputs = [text for text in config.inputs if text in far]
    if far_inputs and len(config.inputs) > 1:
        raise ConfigError(f"{location_of(far_inputs[0])}: give one folder of another filesystem, and nothing else.")
    if far_inputs and config.to_coco_annotator:
        raise ConfigError(
            f"--to-coco-annotator needs the pictures on this machine, not at {location_of(far_inputs[0])}."
        )


@contextlib.contextmanager
def model_here(model: Path) -> Iterator[Path]:
    """An exported folder on this machine: itself, or a copy for the time of the block.

    Raises:
        ConfigError: there is none at an address of another filesystem.
    """
    if not is_remote(model):
        yield model
        return
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as folder:
        for name in names_below(model):
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with local_copy(model / name) as copy:
                copy.replace(target)
        yield Path(folder)


@contextlib.contextmanager
def out_here(config: InferConfig) -> Iterator[InferConfig]:
    """Settings whose output folder is on this machine; after the block what is in it is copied to where it belongs."""
    if not is_remote(config.out):
        yield config
        return
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as folder:
        yield replace(config, out=Path(folder))
        for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            copy_file(path, f"{location_of(config.out)}/{path.relative_to(folder).as_posix()}")


def detect_on_beam(recipe: Recipe, images: Iterable[SourceImage], mapper: Mapper) -> Iterator[FoundOnBeam]:
    """What was found in each picture, in order.

    Raises:
        EngineError: the pipeline failed, or a worker cannot run the model.
    """
    work = functools.partial(_detect, recipe)
    for found in mapper(work, images, what="detecting", failed=_failed, complaint=_complaint, part=_PART):
        if found.engine_error:
            raise EngineError(f"A worker of Beam cannot run the model: {found.engine_error}")
        yield found


def parts_told(on_event: Callable[[dict[str, Any]], None]) -> Progress:
    """What the pipeline has done, as the events of `infer`."""

    def told(items: Sequence[T], what: str) -> Iterator[T]:
        on_event({"kind": "phase", "name": f"{what} on Beam"})
        total = len(items) * _PART  # the last part may have fewer
        for done, item in enumerate(items, start=1):
            yield item
            on_event({"kind": "image", "done": done * _PART, "total": total})

    return told


def _failed(image: SourceImage, reason: str) -> FoundOnBeam:
    return FoundOnBeam(error=reason)


def _complaint(image: SourceImage, found: FoundOnBeam) -> str:
    return found.error


def _detect(recipe: Recipe, image: SourceImage) -> FoundOnBeam:
    """On a worker: read, detect, draw."""
    try:
        rgb = image.load()
    except DataError as exc:
        return FoundOnBeam(error=f"{exc} Passed over.")
    try:
        engine, lock = _engine_of(recipe)
        with lock:
            raw = engine.detect(rgb)
        prediction, findings = decode(
            raw,
            engine.metadata,
            image=image.name,
            size_wh=(rgb.shape[1], rgb.shape[0]),
            min_score=recipe.config.min_score,
            max_detections=recipe.config.max_detections,
        )
    except KptToolsError as exc:  # it is the model's fault, not the picture's
        return FoundOnBeam(engine_error=str(exc))
    prediction = rounded(prediction)
    if not recipe.config.no_images:
        _draw(recipe, engine.metadata, rgb, prediction)
    return FoundOnBeam(prediction, findings)


_loading = threading.Lock()


def _engine_of(recipe: Recipe) -> tuple[Engine, threading.Lock]:
    """The model of this worker, loaded once, and what keeps its threads from using it at the same time."""
    with _loading:
        return _open(recipe.model, recipe.engine, recipe.precision, recipe.config.flip_test)


@functools.lru_cache(maxsize=1)
def _open(model: str, engine: str, precision: str, flip_test: bool) -> tuple[Engine, threading.Lock]:
    with model_here(Path(model)) as folder:
        choice = EngineChoice(engine, precision, folder, flip_test=flip_test)
        return choice.open(), threading.Lock()


def _draw(recipe: Recipe, metadata: ModelMetadata, rgb: ImageRgb, prediction: Prediction) -> None:
    from PIL import Image

    from kpt_tools.report.contact_sheet import save_picture
    from kpt_tools.report.draw import draw_prediction

    drawn = draw_prediction(Image.fromarray(rgb), prediction, metadata, recipe.config.min_keypoint_score)
    name = f"{PICTURES_NAME}/{picture_name(prediction.image)}"
    if not is_remote(recipe.out):
        save_picture(drawn, Path(recipe.out) / name, one_of_many=True)
        return
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as folder:
        copy_file(save_picture(drawn, Path(folder) / "picture.jpg", one_of_many=True), f"{recipe.out}/{name}")


def _load_far(address: str) -> ImageRgb:
    try:
        encoded = read_bytes(address)
    except Exception as exc:  # every filesystem has exceptions of its own
        raise DataError(f"{address}: cannot be read ({exc}); expected an image. Check the file.") from exc
    return decode_image(encoded, address)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)
