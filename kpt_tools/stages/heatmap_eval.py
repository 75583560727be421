"""`kpt-tools heatmap eval`: NME, PCK and pixel errors, end to end and with the true crop, for every decoding."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.config.heatmap import HeatmapEvalConfig
from kpt_tools.config.heatmap_manifest import FILE_NAME as DATA_MANIFEST
from kpt_tools.config.heatmap_manifest import read_data
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.entities import ModelMetadata
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import write_json
from kpt_tools.heatmap.examples import Patch, patch_box, plain_example
from kpt_tools.heatmap.finder import Found, PointFinder
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.stages.heatmap_measure import (
    END_TO_END,
    TRUE_BOX,
    TRUE_CROP,
    HeatmapRow,
    Match,
    in_picture,
    measure,
    truth_of,
)
from kpt_tools.stages.heatmap_model import finder_of, heatmap_folder
from kpt_tools.stages.heatmap_pictures import Shown, predictions_sheet
from kpt_tools.stages.heatmap_records import read_patches
from kpt_tools.stages.model_folder import EXPORT_NAME
from kpt_tools.stages.run_manifest import run_manifest

RESULT_NAME = "eval.json"
PICTURE_NAME = "predictions.jpg"
OUT_NAME = "eval"
SHOWN = 5

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class HeatmapEvalResult:
    """What was measured.

    Attributes:
        out: folder of eval.json and predictions.jpg.
        spec: the model.
        metadata: its class and keypoints.
        side: "test", "val" or "train".
        objects: how many were measured on.
        rows: every way to look and to decode.
        decoding: the one that was asked for, or that suits the model.
        mse: mean squared error of the heatmaps on the true crop, from 0 to 1, as the notebook has it; None for
            targets that are no drawn heatmaps.
        mse_of_zeros: what a network would get that always answers 0.
        images_per_s: speed of everything from the patch to the points, end to end (true crop if that cannot be).
    """

    out: Path
    spec: HeatmapSpec
    metadata: ModelMetadata
    side: str
    objects: int
    rows: tuple[HeatmapRow, ...]
    decoding: str
    mse: float | None
    mse_of_zeros: float | None
    images_per_s: float

    def row(self, mode: str, decoding: str | None = None) -> HeatmapRow | None:
        """The row of a mode, with the decoding of the result unless another is asked for."""
        wanted = decoding or self.decoding
        return next((row for row in self.rows if (row.mode, row.decoding) == (mode, wanted)), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "side": self.side,
            "objects": self.objects,
            "decoding": self.decoding,
            "mse": self.mse,
            "mse_of_zeros": self.mse_of_zeros,
            "images_per_s": self.images_per_s,
            "rows": [row.to_dict() for row in self.rows],
        }


def heatmap_eval(config: HeatmapEvalConfig, on_event: OnEvent = lambda event: None) -> HeatmapEvalResult:
    """Find the points of all objects of a side, and compare.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", ...}`` and ``{"kind": "image", "done": ..., "total": ...}``.

    Raises:
        ConfigError: no model, no data, or they do not fit each other.
        DataError: damaged data, or nothing to measure on.
        EngineError: the model cannot be loaded or run.
    """
    data = read_data(config.data)
    files = data.files(config.data, config.side)
    folder = heatmap_folder(config.model)
    out = config.out or (config.model.parent if folder.name == EXPORT_NAME and folder == config.model else config.model)
    out = config.out or out / OUT_NAME
    with run_manifest(out, "heatmap eval", config, {"data": config.data / DATA_MANIFEST}):
        on_event({"kind": "phase", "name": "loading the model"})
        finder = finder_of(config.model, config.first, config.decoding)
        _check_fit(finder, data.whole, config)
        on_event({"kind": "phase", "name": "finding points"})
        work = _Work(finder, data.sides[config.side].objects, on_event)
        for patch in read_patches(files):
            work.add(patch)
        result = work.result(out, config.side, config.decoding)
        write_json(out / RESULT_NAME, result.to_dict())
        _write_picture(out / PICTURE_NAME, work.shown, finder.engine.metadata)
    return result


def _check_fit(finder: PointFinder, whole: str, config: HeatmapEvalConfig) -> None:
    names = [k.name for item in finder.engine.metadata.label_map.items for k in item.keypoints]
    others = [k.name for item in read_metadata(config.data).label_map.items for k in item.keypoints]
    if names != others:
        raise ConfigError(
            f"{config.data}: its keypoints are {', '.join(others)}; expected those of the model: {', '.join(names)}."
        )
    if finder.engine.spec.whole != whole:
        raise ConfigError(
            f"{config.data}: a patch holds a {whole}; the model was trained on patches that hold a "
            f"{finder.engine.spec.whole}. Prepare the data with the same --whole."
        )


@dataclass
class _Work:
    """One pass over the objects."""

    finder: PointFinder
    total: int
    on_event: OnEvent
    matches: dict[tuple[str, str], list[Match]] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    squares: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0
    count: int = 0

    def add(self, patch: Patch) -> None:
        """Measure on one object, in every mode that the model has."""
        spec = self.finder.engine.spec
        box = patch_box(patch, spec)
        found: Found | None = None
        if self.finder.can_start:
            begin = time.perf_counter()
            found = self.finder.find(patch.image, box)
            self.seconds += time.perf_counter() - begin
            self._keep(END_TO_END, patch, found)
            if spec.region != "whole" and spec.whole == "picture" and patch.box_xywh_px is not None:
                self._keep(TRUE_BOX, patch, self.finder.find(patch.image, patch.box_xywh_px))
        if spec.region != "whole" and not np.isnan(patch.points).all():
            begin = time.perf_counter()
            cropped = self.finder.find(patch.image, box, patch.points)
            self.seconds += 0.0 if found else time.perf_counter() - begin
            self._keep(TRUE_CROP, patch, cropped)
            found = found or cropped
        self._squares(patch)
        if found is not None and len(self.shown) < SHOWN:
            self.shown.append(Shown(patch, found))
        self.count += 1
        self.on_event({"kind": "image", "done": self.count, "total": self.total})

    def _keep(self, mode: str, patch: Patch, found: Found) -> None:
        spec, metadata = self.finder.engine.spec, self.finder.engine.metadata
        for decoding in spec.decodings:
            again = self.finder.decoded(found.view, found.raw, None if decoding == "none" else decoding)
            self.matches.setdefault((mode, decoding), []).append((truth_of(patch), in_picture(again, patch, metadata)))

    def _squares(self, patch: Patch) -> None:
        """Squares of the heatmaps' error on the true crop, and of the target alone."""
        spec = self.finder.engine.spec
        if spec.target not in ("gaussian", "circle"):
            return
        example = plain_example(patch, spec)
        maps = np.asarray(self.finder.engine.run(example.image[np.newaxis])["heatmaps"][0])
        self.squares.append((float(np.mean((maps - example.target) ** 2)), float(np.mean(example.target**2))))

    def result(self, out: Path, side: str, decoding: str | None) -> HeatmapEvalResult:
        """The numbers.

        Raises:
            DataError: no object.
        """
        if not self.count:
            raise DataError(f"side '{side}' has no objects; expected some to measure on. Prepare the data again.")
        spec, metadata = self.finder.engine.spec, self.finder.engine.metadata
        rows = tuple(measure(mode, name, found, metadata) for (mode, name), found in self.matches.items())
        own, zeros = (
            (float(np.mean(part)) for part in zip(*self.squares, strict=True)) if self.squares else (None, None)
        )
        chosen = decoding if decoding in spec.decodings else spec.decoding
        speed = self.count / max(self.seconds, 1e-9)
        return HeatmapEvalResult(out, spec, metadata, side, self.count, rows, str(chosen), own, zeros, speed)


def _write_picture(path: Path, shown: list[Shown], metadata: ModelMetadata) -> None:
    from kpt_tools.report.contact_sheet import save_picture

    save_picture(predictions_sheet(shown, metadata), path)
