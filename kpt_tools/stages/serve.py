"""A model behind HTTP: for people, for coco-annotator, and for programs."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kpt_tools.annotations.formats.coco_annotator import import_ready
from kpt_tools.annotations.predicted import PointPolicy, categories_of, dataset_of
from kpt_tools.config.hosts import is_loopback
from kpt_tools.config.serve import ServeConfig
from kpt_tools.entities import Detection, Finding, ImageRecord, ModelMetadata, Prediction
from kpt_tools.errors import DataError, EngineError
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import Engine, ImageRgb
from kpt_tools.inference.images import decode_image
from kpt_tools.inference.padded import fitted
from kpt_tools.lazy import require
from kpt_tools.stages.model_folder import EXPORT_NAME, exported_model
from kpt_tools.stages.picture_frames import PictureFacts, to_stored

if TYPE_CHECKING:
    from starlette.applications import Starlette

OnEvent = Callable[[dict[str, Any]], None]

PICTURE_SIDE_PX = 1600
"""Longer side of the picture that the page shows."""

_PACKAGES = ("starlette", "uvicorn", "python_multipart")
_WARM_UP_SIDE_PX = 64
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class ServeResult:
    """A server that has ended by itself: its address, and the number of pictures that it answered."""

    url: str
    pictures: int


def serve(config: ServeConfig, on_event: OnEvent = lambda event: None, *, engine: Engine | None = None) -> ServeResult:
    """Load a model and answer requests until Ctrl-C.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", "name"}``, ``{"kind": "warning", "text"}``, ``{"kind": "listening",
            "url", "model"}``, and ``{"kind": "request", "method", "path", "status", "ms", "text"}`` from any thread.
        engine: the engine to use instead of loading `config.model`.

    Raises:
        ConfigError: no model, or the address cannot be used.
        EngineError: the model cannot be loaded or run.
        MissingDependencyError: Starlette, uvicorn, python-multipart or TensorFlow is not installed.
    """
    for package in _PACKAGES:
        require(package, purpose="serving a model")
    from kpt_tools.web.server import bind, serve_forever

    folder = exported_model(config.model, on_event) if engine is None else config.model
    with bind(config.host, config.port) as sock:
        on_event({"kind": "phase", "name": "loading the model"})
        service = ModelService(engine or _loaded(folder), config, model_name(folder))
        on_event({"kind": "phase", "name": "first picture"})
        service.warm_up()
        url = address_of(config.host, sock.getsockname()[1])
        if not is_loopback(config.host):
            on_event({"kind": "warning", "text": _open_to_all(config.host)})
        sock.listen()  # from here on clients may come; they wait for the few moments until the server runs
        on_event({"kind": "listening", "url": url, "model": service.model})
        serve_forever(application(service, config, on_event), sock)
    return ServeResult(url, service.pictures)


def application(service: ModelService, config: ServeConfig, on_event: OnEvent) -> Starlette:
    """The web application of a model, with the limits of `config`."""
    from kpt_tools.web.app import build_app
    from kpt_tools.web.guard import Access
    from kpt_tools.web.service import Limits

    limits = Limits(
        max_bytes=round(config.max_upload_mb * 1e6),
        max_pixels=round(config.max_megapixels * 1e6),
        max_waiting=config.max_waiting,
    )
    access = Access(local_only=is_loopback(config.host), origins=config.allow_origin)
    return build_app(service, limits, access, on_event)


def address_of(host: str, port: int) -> str:
    """The URL that a person opens on this machine."""
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"http://{f'[{here}]' if ':' in here and not here.startswith('[') else here}:{port}"


def model_name(folder: Path) -> str:
    """What to call an exported model: its folder, and for ``<run>/export`` the run."""
    path = folder.resolve()
    return path.parent.name if path.name == EXPORT_NAME else path.name


class ModelService:
    """An engine that looks at encoded pictures; see `kpt_tools.web.service.Service`."""

    def __init__(self, engine: Engine, config: ServeConfig, name: str) -> None:
        """Take a loaded engine."""
        self._engine, self._config = engine, config
        self._categories = categories_of(engine.metadata)
        self._model = _description(engine.metadata, config, name)
        self.pictures = 0

    @property
    def model(self) -> Mapping[str, Any]:
        """What the page has to know."""
        return self._model

    def warm_up(self) -> None:
        """Look at a black picture: the first one takes long.

        Raises:
            EngineError: the model does not run.
        """
        self._detect(np.zeros((_WARM_UP_SIDE_PX, _WARM_UP_SIDE_PX, 3), np.uint8), "a black picture", None)

    def predict(self, encoded: bytes, name: str, *, min_score: float | None, with_picture: bool) -> dict[str, Any]:
        """Detections with the names of classes and points; see `kpt_tools.web.service.Service.predict`."""
        rgb = decode_image(encoded, name)
        begin = time.perf_counter()
        prediction, findings = self._detect(rgb, name, min_score)
        seconds = round(time.perf_counter() - begin, 4)
        self.pictures += 1
        answer: dict[str, Any] = {
            "image": {"name": name, "width": prediction.width, "height": prediction.height},
            "detections": [self._row(detection) for detection in prediction.detections],
            "seconds": seconds,
            "warnings": [finding.message for finding in findings],
        }
        return {**answer, "picture": _data_url(rgb)} if with_picture else answer

    def annotate(self, encoded: bytes, name: str) -> dict[str, Any]:
        """Annotations in pixels as stored, as coco-annotator has them; see `kpt_tools.web.service.Service.annotate`.

        Its own page sends canvases, which have no EXIF orientation; for files that have one, what was found in the
        upright picture is turned back.
        """
        rgb = decode_image(encoded, name)
        prediction, _ = self._detect(rgb, name, None)
        self.pictures += 1
        image = ImageRecord(1, name, prediction.width, prediction.height)
        policy = PointPolicy(confident=self._config.confident_keypoint_score, weak=self._config.min_keypoint_score)
        dataset = dataset_of([(image, prediction.detections)], self._categories, policy, name)
        image, instances = to_stored(image, dataset.instances, _facts(encoded, rgb))
        coco, _ = import_ready(replace(dataset, images=(image,), instances=instances))
        return {"coco": coco}

    def _detect(self, rgb: ImageRgb, name: str, min_score: float | None) -> tuple[Prediction, tuple[Finding, ...]]:
        raw = self._engine.detect(rgb)
        try:
            return decode(
                raw,
                self._engine.metadata,
                image=name,
                size_wh=(rgb.shape[1], rgb.shape[0]),
                min_score=self._config.min_score if min_score is None else min_score,
                max_detections=self._config.max_detections,
            )
        except DataError as exc:  # the model's fault, not the picture's
            raise EngineError(str(exc)) from exc

    def _row(self, detection: Detection) -> dict[str, Any]:
        names = self._categories[detection.class_id - 1].keypoints
        points = [
            {"name": point, "x": round(x, 3), "y": round(y, 3), "score": round(score, 6)}
            for point, (x, y, score) in zip(names, detection.keypoints_xys, strict=True)
        ]
        return {
            "class": detection.class_name,
            "class_id": detection.class_id,
            "score": round(detection.score, 6),
            "box_xywh_px": [round(value, 3) for value in detection.box_xywh_px],
            "keypoints": points,
        }


def _description(metadata: ModelMetadata, config: ServeConfig, name: str) -> dict[str, Any]:
    from kpt_tools.report.draw import class_colour, point_colour

    classes = []
    for item, category in zip(metadata.label_map.items, categories_of(metadata), strict=True):
        points = [{"name": point.name, "colour": _hex(point_colour(point.id))} for point in item.keypoints]
        colour = _hex(class_colour(item.id))
        classes.append({"id": item.id, "name": item.name, "colour": colour, "keypoints": points})
        classes[-1]["skeleton"] = [list(edge) for edge in category.skeleton]
    thresholds = {"min_score": config.min_score, "min_keypoint_score": config.min_keypoint_score}
    return {"name": name, "classes": classes, **thresholds}


def _facts(encoded: bytes, rgb: ImageRgb) -> PictureFacts:
    """How the stored pixels of a picture lie to the upright ones; damaged EXIF data says nothing."""
    from PIL import Image

    height, width = rgb.shape[:2]
    with Image.open(io.BytesIO(encoded)) as picture:
        stored = picture.size
        try:
            orientation = picture.getexif().get(_EXIF_ORIENTATION, 1)
        except Exception:  # damaged EXIF makes Pillow raise nearly anything
            orientation = 1
    known = orientation if orientation in range(2, 9) else 1
    return PictureFacts(stored, (width, height), known, ())


def _data_url(rgb: ImageRgb) -> str:
    from PIL import Image

    picture = Image.fromarray(rgb)
    picture.thumbnail((PICTURE_SIDE_PX, PICTURE_SIDE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _loaded(folder: Path) -> Engine:
    from kpt_tools.inference.saved_model import SavedModelEngine

    return fitted(SavedModelEngine(folder))


def _open_to_all(host: str) -> str:
    return (
        f"--host {host}: whoever can reach this machine over the network can use the model; there is no password and "
        "no encryption. Use it in networks that you trust only."
    )
