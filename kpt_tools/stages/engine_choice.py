"""Which engine runs a model: the one that was asked for, or the fastest that was found as good as the original."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.engines import AUTO, BFLOAT16, ENGINE_OF_FORMAT, LITERT, check_engine
from kpt_tools.config.export import FLOAT32, ONNX, OPENVINO, SAVED_MODEL, file_of
from kpt_tools.config.model_metadata import FILE_NAME as METADATA_NAME
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.entities import Finding, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.inference.engine import Engine
from kpt_tools.inference.flip_test import FlipTestEngine
from kpt_tools.inference.open_engine import existing_model, model_of_engine, open_engine
from kpt_tools.stages.parity_file import read_parity

CHOSEN = "engine-chosen"
MAX_BFLOAT16_DROP = 0.002
"""bfloat16 is chosen by itself only if no measured average precision falls by this much."""

_PACKAGE_OF = {SAVED_MODEL: "tensorflow", ONNX: "onnxruntime", OPENVINO: "openvino", LITERT: "ai_edge_litert"}


@dataclass(frozen=True)
class EngineChoice:
    """An engine for a model.

    Attributes:
        name: of `kpt_tools.config.engines.ENGINES`; that of its class if the caller brought an engine.
        precision: of the model's file.
        folder: the exported folder; None if the caller brought an engine.
        why: in words, for those who did not choose it themselves; else empty.
        given: the engine that the caller brought.
        flip_test: each picture is looked at twice, see `kpt_tools.inference.flip_test`.
    """

    name: str
    precision: str
    folder: Path | None
    why: str = ""
    given: Engine | None = None
    flip_test: bool = False

    @classmethod
    def of(cls, engine: Engine) -> EngineChoice:
        """The engine that a caller brought."""
        return cls(type(engine).__name__, "", None, given=engine)

    @property
    def text(self) -> str:
        """Such as "onnx, float32"."""
        return ", ".join(filter(None, (self.name, self.precision, "flip test" if self.flip_test else "")))

    @property
    def metadata(self) -> ModelMetadata:
        """Classes and keypoints of the model."""
        if self.given is not None:
            return self.given.metadata
        return read_metadata(self._folder)

    @property
    def files(self) -> dict[str, Path]:
        """The files that decide what is found, by name, for run.json."""
        if self.given is not None:
            return {}
        return {
            "model": model_of_engine(self._folder, self.name, self.precision),
            "metadata": self._folder / METADATA_NAME,
        }

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Why this engine, if that was decided here."""
        if not self.why:
            return ()
        return (Finding(CHOSEN, "info", f"{self.folder}: the engine is {self.text}: {self.why}."),)

    def open(self, *, side_by_side: bool = False) -> Engine:
        """Load the model; see `kpt_tools.inference.open_engine.open_engine`."""
        engine = self.given or open_engine(self._folder, self.name, self.precision, side_by_side=side_by_side)
        return FlipTestEngine(engine) if self.flip_test else engine

    @property
    def _folder(self) -> Path:
        if self.folder is None:
            raise ValueError("an engine that was given has no folder")
        return self.folder


@dataclass(frozen=True)
class _Candidate:
    """A model that was compared with its original and found good."""

    engine: str
    precision: str
    seconds: float
    largest_drop: float | None


def choose_engine(folder: Path, engine: str | None = None, precision: str | None = None) -> EngineChoice:
    """Decide what to open a folder with.

    Args:
        folder: what `kpt-tools export` wrote.
        engine: "saved_model", "onnx", "openvino", "litert", or "auto": the one of the installed engines that was
            fastest when `kpt-tools export` compared the models; None: "saved_model" if the folder has one, else "auto".
        precision: of the file; None: float32, and for "auto" also bfloat16 if all average precisions were measured
            and none fell by `MAX_BFLOAT16_DROP`.

    Raises:
        ConfigError: no such engine, or no model for it in the folder.
        DataError: parity.json is not JSON.
    """
    has_saved_model = (folder / file_of(SAVED_MODEL)).is_file()
    check_engine(engine, precision)
    if engine is not None and engine != AUTO:
        existing_model(folder, engine, precision or FLOAT32)
        return EngineChoice(engine, precision or FLOAT32, folder)
    if engine is None and has_saved_model and precision in (None, FLOAT32):
        return EngineChoice(SAVED_MODEL, FLOAT32, folder)
    candidates = [row for row in _candidates(folder) if _fits(row, precision)]
    if candidates:
        best = min(candidates, key=lambda row: row.seconds)
        why = f"fastest of {len(candidates)} that were compared with the original ({best.seconds * 1e3:.0f} ms)"
        if best.precision == BFLOAT16 and best.largest_drop is not None:
            why += f"; in bfloat16 average precision fell by {max(best.largest_drop, 0.0):.4f} at most"
        return EngineChoice(best.engine, best.precision, folder, why)
    if has_saved_model and precision in (None, FLOAT32):
        why = "no other model that was compared with the original is there with its engine"
        return EngineChoice(SAVED_MODEL, FLOAT32, folder, why)
    raise ConfigError(
        f"{folder}: has no model{f' in {precision}' if precision else ''} that was compared with its original and "
        "whose engine is installed. Name one with --engine, or run kpt-tools export."
    )


def _fits(candidate: _Candidate, precision: str | None) -> bool:
    if precision is not None:
        return candidate.precision == precision
    if candidate.precision == BFLOAT16:
        return candidate.largest_drop is not None and candidate.largest_drop < MAX_BFLOAT16_DROP
    return candidate.precision == FLOAT32


def _candidates(folder: Path) -> Iterator[_Candidate]:
    """The models of a folder that were found good, are there, and whose engine is installed."""
    checks: list[dict[str, Any]] = read_parity(folder).get("checks", [])
    for check in checks:
        # A SavedModel is named by its folder, other models by their file.
        engine = ENGINE_OF_FORMAT[Path(check["model"]).parts[0]]
        model = model_of_engine(folder, engine, check["precision"])
        if check["good"] and model.is_file() and importlib.util.find_spec(_PACKAGE_OF[engine]) is not None:
            drops = [change["drop"] for change in check["average_precision"]]
            yield _Candidate(engine, check["precision"], check["seconds_per_picture"], max(drops) if drops else None)
