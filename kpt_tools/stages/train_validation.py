"""Measures what the model in training detects in the validation pictures: best checkpoint, scores, enough or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.train import TrainConfig
from kpt_tools.entities import Instance, ModelMetadata, Report
from kpt_tools.errors import EngineError
from kpt_tools.fsio import write_json
from kpt_tools.inference.decode import decode
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.metrics.pck import PCK_FRACTIONS
from kpt_tools.metrics.result import EvalResult
from kpt_tools.odapi.checkpoints import CheckpointFile
from kpt_tools.odapi.validation import answer_path
from kpt_tools.stages.best_checkpoint import Best, keep_best, read_best
from kpt_tools.stages.csv_log import CsvLog, read_rows
from kpt_tools.stages.eval_truth import truth_from_records

CSV_NAME = "validation.csv"
BOX_METRIC = "box_ap"
"""What the best checkpoint is chosen by where there are no keypoints."""
MAX_IMAGES = 500
"""More pictures are looked at by `kpt-tools eval` only; while training, each second, third, ... one is."""

_PCK = PCK_FRACTIONS.index(0.1)

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a validation said.

    Attributes:
        step: of the checkpoint.
        scores: name to value; None where there is nothing to measure.
        best: the best so far.
        is_best: whether this is it.
        stop: why it is enough, or None.
    """

    step: int
    scores: Mapping[str, float | None]
    best: Best | None
    is_best: bool
    stop: str | None


class Validator:
    """Measures detections as the child sends them.

    Args:
        config: of the training.
        metadata: classes, keypoints and sigmas.
        shards: the validation records, in the order that the child reads them in.
    """

    def __init__(self, config: TrainConfig, metadata: ModelMetadata, shards: Sequence[Path]) -> None:
        self._config = config
        self._metadata = metadata
        self._shards = shards
        self._truth: list[_Truth] | None = None

    def judge(self, detections: Path, step: int) -> Verdict:
        """Measure one file of detections, keep the checkpoint if it is the best, and answer the child.

        Raises:
            EngineError: the file does not fit the records.
        """
        import numpy as np

        with np.load(detections) as arrays:
            result = self._measure({name: arrays[name] for name in arrays.files})
        detections.unlink()
        scores = scores_of(result)
        before = read_best(self._config.run)
        best = self._keep(step, scores, before)
        self._log(step, scores)
        stop = self._enough(best)
        write_json(answer_path(detections), {"scores": scores, "stop": stop is not None})
        return Verdict(step, scores, best, best is not before, stop)

    def forget_after(self, step: int) -> None:
        """The training goes on from `step`: drop what was measured later."""
        with CsvLog(self._config.run / CSV_NAME) as log:
            log.forget_after(step)

    def validated_step(self) -> int:
        """The last step that was measured; 0 for none."""
        return max((int(row["step"]) for row in read_rows(self._config.run / CSV_NAME)), default=0)

    def _measure(self, arrays: Arrays) -> EvalResult:
        truth = iter(self._load())
        pairs = [self._pair(truth, row, str(name), arrays) for row, name in enumerate(arrays["names"])]
        sigmas = self._metadata.sigmas
        return evaluate(pairs, self._metadata, sigmas=sigmas)

    def _pair(self, truth: Iterator[_Truth], row: int, name: str, arrays: Arrays) -> ImagePair:
        image = next((image for image in truth if image.name == name), None)
        if image is None:
            raise EngineError(f"validation picture '{name}' is not in the records any more. Start the training again.")
        raw = {key: values[row] for key, values in arrays.items() if key != "names"}
        prediction, _ = decode(raw, self._metadata, image=name, size_wh=image.size_wh)
        return ImagePair(name, image.instances, prediction.detections)

    def _load(self) -> list[_Truth]:
        if self._truth is None:
            images = truth_from_records(self._shards, self._metadata.label_map, Report())
            self._truth = [_Truth(i.name, (i.rgb.shape[1], i.rgb.shape[0]), i.instances) for i in images]
        return self._truth

    def _keep(self, step: int, scores: Mapping[str, float | None], before: Best | None) -> Best | None:
        metric = self._config.best_metric if self._metadata.label_map.num_keypoints else BOX_METRIC
        value = scores[metric]
        if value is None or (before is not None and before.metric == metric and value <= before.value):
            return before
        best = Best(step, metric, value, scores)
        keep_best(self._config.run, CheckpointFile(self._config.run / f"ckpt-{step}", step), best)
        return best

    def _log(self, step: int, scores: Mapping[str, float | None]) -> None:
        with CsvLog(self._config.run / CSV_NAME) as log:
            log.add({"step": step, **scores})

    def _enough(self, best: Best | None) -> str | None:
        """Why more steps are not worth their time; None if they are, or nobody asked."""
        if not self._config.patience or best is None:
            return None
        later = [row for row in read_rows(self._config.run / CSV_NAME) if int(row["step"]) > best.step]
        if len(later) < self._config.patience:
            return None
        return f"{best.metric} is not above {best.value:.3f} (step {best.step}) in the last {len(later)} validations"


@dataclass(frozen=True)
class _Truth:
    """A validation picture without its pixels."""

    name: str
    size_wh: tuple[int, int]
    instances: tuple[Instance, ...]


def scores_of(result: EvalResult) -> dict[str, float | None]:
    """The numbers that a training is followed by; AP and PCK are better when greater."""
    parts = [part for part in result.classes if part.errors is not None]
    return {
        "oks_ap": result.oks.ap,
        "oks_ap50": result.oks.ap50,
        "box_ap": result.box.ap,
        "box_ap50": result.box.ap50,
        "pck": _mean([(part.errors.pck[_PCK], part.errors.labelled) for part in parts if part.errors]),
        "swap_rate": _mean([(part.swap_rate, part.swap_pairs) for part in parts]),
    }


def _mean(values: Sequence[tuple[float | None, int]]) -> float | None:
    """Weighted with the numbers behind them; None without any."""
    known = [(value, count) for value, count in values if value is not None and count]
    total = sum(count for _, count in known)
    return sum(value * count for value, count in known) / total if total else None


def stride(images: int | None) -> int:
    """Each so-many-th validation picture is looked at while training."""
    return 1 if not images else -(-images // MAX_IMAGES)
