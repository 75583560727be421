"""Run the original and an exported model on the same pictures and judge whether the one stands for the other."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.config.export import FLOAT32
from kpt_tools.entities import Instance, ModelMetadata, Prediction
from kpt_tools.errors import DataError
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections
from kpt_tools.inference.saved_model import SavedModelEngine
from kpt_tools.inference.side_by_side import SideBySide
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.metrics.parity import TOLERANCES, ApChange, Comparison, compare, no_detections, refusals
from kpt_tools.odapi.serving import ENCODED_SIGNATURE, FLOAT_SIGNATURE, UINT8_SIGNATURE
from kpt_tools.pipeline.sigmas import DEFAULT_SIGMA, sigmas_of
from kpt_tools.stages.export_pictures import Picture, Pictures

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture without its pixels."""

    name: str
    size_wh: tuple[int, int]
    compared: bool
    instances: tuple[Instance, ...] | None


@dataclass
class Original:
    """What the checkpoint finds in the pictures: the standard that every export is held to.

    Attributes:
        pictures: where the pictures come from.
        metadata: of the model.
    """

    pictures: Pictures
    metadata: ModelMetadata
    _seen: list[_Seen] = field(default_factory=list)
    _predictions: list[Prediction] = field(default_factory=list)
    _precisions: dict[str, float] = field(default_factory=dict)

    def images(self) -> Iterator[ImageRgb]:
        """The pixels, in the order of `read`; what is seen is remembered."""
        for picture in self.pictures.read():
            height, width = picture.rgb.shape[:2]
            self._seen.append(_Seen(picture.name, (width, height), picture.compared, picture.instances))
            yield picture.rgb

    def read(self, path: Path) -> None:
        """Take the results of the child process that ran the checkpoint on `images`.

        Raises:
            DataError: there was not one picture that could be read.
        """
        if not self._seen:
            raise DataError(f"{self.pictures.text}: not one picture could be read; nothing to compare the export on.")
        with np.load(path) as arrays:
            table: dict[str, dict[str, Any]] = {}
            for key in arrays.files:
                number, _, name = key.partition("/")
                table.setdefault(number, {})[name] = arrays[key]
        self._predictions = [self._decoded(table[str(number)], seen) for number, seen in enumerate(self._seen)]
        self._precisions = self._average_precisions(self._predictions)

    def _decoded(self, raw: RawDetections, seen: _Seen) -> Prediction:
        return decode(raw, self.metadata, image=seen.name, size_wh=seen.size_wh)[0]

    def _average_precisions(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Box AP and OKS AP over the annotated pictures; without those that have no number."""
        pairs = [
            ImagePair(seen.name, seen.instances, prediction.detections)
            for seen, prediction in zip(self._seen, predictions, strict=True)
            if seen.instances is not None
        ]
        if not pairs:
            return {}
        label_map = self.metadata.label_map
        sigmas = self.metadata.sigmas or sigmas_of(DEFAULT_SIGMA, label_map, "default")
        result = evaluate(pairs, self.metadata, sigmas=sigmas)
        found = {"box AP": result.box.ap, "OKS AP": result.oks.ap}
        return {name: value for name, value in found.items() if value is not None}

    def check(self, engine: Engine, model: str, precision: str, on_event: OnEvent) -> Check:
        """Run an exported model on the pictures and compare.

        Args:
            engine: the exported model.
            model: its file, relative to the exported folder.
            precision: decides what may differ.
            on_event: gets ``{"kind": "image", ...}``.

        Raises:
            DataError: the pictures are not those that the original saw.
            EngineError: the engine failed.
        """
        predictions, seconds = self._run(engine, on_event)
        compared = [number for number, seen in enumerate(self._seen) if seen.compared]
        comparison = compare([self._predictions[n] for n in compared], [predictions[n] for n in compared])
        after = self._average_precisions(predictions)
        changes = tuple(ApChange(name, before, after[name]) for name, before in self._precisions.items())
        reasons = refusals(comparison, changes, TOLERANCES[precision], exact=precision == FLOAT32)
        return Check(model, precision, comparison, changes, tuple(reasons), seconds)

    def _run(self, engine: Engine, on_event: OnEvent) -> tuple[list[Prediction], float]:
        """What `engine` finds where as many pictures as it bears run side by side, and the time per picture in seconds.

        That is the median time of a picture, shared by those that ran beside it.
        """
        predictions: list[Prediction] = []
        seconds: list[float] = []

        def detect(pair: tuple[Picture, _Seen]) -> tuple[RawDetections, float]:
            begin = time.monotonic()
            raw = engine.detect(pair[0].rgb)
            return raw, time.monotonic() - begin

        def take(found: Iterable[tuple[tuple[Picture, _Seen], tuple[RawDetections, float]]]) -> None:
            for (_, seen), (raw, taken) in found:
                predictions.append(self._decoded(raw, seen))
                seconds.append(taken)
                on_event({"kind": "image", "done": len(predictions), "total": len(self._seen)})

        side_by_side: SideBySide[tuple[Picture, _Seen], tuple[RawDetections, float]] = SideBySide(engine.calls)
        with contextlib.closing(side_by_side):
            for picture, seen in zip(self.pictures.read(), self._seen, strict=False):
                if picture.name != seen.name:
                    raise DataError(f"{self.pictures.text}: changed while the export ran; run it again.")
                take(side_by_side.start((picture, seen), detect))
            take(side_by_side.finish())
        if len(predictions) != len(self._seen):
            raise DataError(f"{self.pictures.text}: changed while the export ran; run it again.")
        return predictions, float(np.median(seconds)) / engine.calls

    def summary(self) -> dict[str, Any]:
        """What it was measured on, JSON-able."""
        return {
            "source": self.pictures.text,
            "real": self.pictures.real,
            "pictures": len(self._seen),
            "compared": sum(seen.compared for seen in self._seen),
            "annotated": sum(seen.instances is not None for seen in self._seen),
            "average_precision": self._precisions,
        }


@dataclass(frozen=True)
class Check:
    """The verdict on one exported model.

    Attributes:
        model: its file, relative to the exported folder.
        precision: of `kpt_tools.config.export.PRECISIONS`.
        comparison: of what it and the original find.
        changes: of box AP and OKS AP; empty without annotated pictures.
        refusals: why it is not good; empty if it is.
        seconds: time per picture during the check.
    """

    model: str
    precision: str
    comparison: Comparison
    changes: tuple[ApChange, ...]
    refusals: tuple[str, ...]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it may be called an export of the original."""
        return not self.refusals

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "model": self.model,
            "precision": self.precision,
            "good": self.good,
            "refusals": list(self.refusals),
            "note": no_detections(self.comparison),
            "average_precision": [{**asdict(change), "drop": change.drop} for change in self.changes],
            "tolerance": asdict(TOLERANCES[self.precision]),
            "seconds_per_picture": round(self.seconds, 4),
            "comparison": self.comparison.to_dict(),
        }


def check_signatures(engine: SavedModelEngine, pictures: Pictures) -> list[str]:
    """Whether every signature of a SavedModel finds in a batch what it finds in single pictures.

    Args:
        engine: the model.
        pictures: the first two are taken.

    Returns:
        What is wrong, one line each.

    Raises:
        EngineError: a signature does not run.
    """
    first, second = _two_pictures(pictures)
    mirrored = np.ascontiguousarray(first[:, ::-1])
    batch = np.stack([first, mirrored, first])
    encoded = np.array([_png(picture) for picture in (second, first, mirrored)], dtype=object)
    trials: Mapping[str, tuple[Any, list[ImageRgb]]] = {
        UINT8_SIGNATURE: (batch, [first, mirrored, first]),
        FLOAT_SIGNATURE: (batch.astype(np.float32), [first, mirrored, first]),
        ENCODED_SIGNATURE: (encoded, [second, first, mirrored]),
    }
    problems = []
    for signature, (values, singles) in trials.items():
        expected = _named(engine, [engine.detect(picture) for picture in singles], singles)
        found = _named(engine, engine.run(values, signature), singles)
        reasons = refusals(compare(expected, found), (), TOLERANCES[FLOAT32], exact=True)
        problems += [f"signature {signature} with {len(singles)} pictures at once: {reason}" for reason in reasons]
    return problems


def _two_pictures(pictures: Pictures) -> tuple[ImageRgb, ImageRgb]:
    """The first picture, and the second cropped so that it has another size."""
    found: list[Picture] = []
    for picture in pictures.read():
        found.append(picture)
        if len(found) == 2:
            break
    first, second = found[0].rgb, found[-1].rgb
    height, width = second.shape[:2]
    return first, second[: max(height * 3 // 4, 1), : max(width * 4 // 5, 1)]


def _named(engine: Engine, found: Sequence[RawDetections], images: Sequence[ImageRgb]) -> list[Prediction]:
    return [
        decode(raw, engine.metadata, image=f"picture {number}", size_wh=(image.shape[1], image.shape[0]))[0]
        for number, (raw, image) in enumerate(zip(found, images, strict=True), start=1)
    ]


def _png(image: ImageRgb) -> bytes:
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "PNG")
    return sink.getvalue()
