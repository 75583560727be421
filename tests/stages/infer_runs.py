"""Runs of `infer` for tests: an engine that finds red patches, and what is in the output folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from red_patch import RedPatchEngine

from kpt_tools.config.infer import InferConfig
from kpt_tools.stages.infer import infer
from kpt_tools.stages.infer_journal import JOURNAL_NAME

RESULTS = ("predictions.jsonl", "predictions.json", "predictions.csv")


class Recorder(RedPatchEngine):
    """Remembers the sizes of its batches, and fails when it has seen enough."""

    def __init__(self, fail_after: int | None = None, error: BaseException | None = None, batch_size: int = 1) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.batch_size, self.fail_after, self.error = batch_size, fail_after, error or KeyboardInterrupt()

    def detect_batch(self, images: Sequence[np.ndarray[Any, Any]]) -> list[dict[str, np.ndarray[Any, Any]]]:
        if self.fail_after is not None and sum(self.batches) >= self.fail_after:
            raise self.error
        self.batches.append(len(images))
        return super().detect_batch(images)


def patch(left: int, size: tuple[int, int] = (160, 120)) -> np.ndarray[Any, Any]:
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    pixels[30:50, left : left + 50] = (255, 0, 0)
    return pixels


def config(inputs: Path, out: Path, **settings: Any) -> InferConfig:
    return InferConfig(inputs=(str(inputs),), out=out, **settings)


def results(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in RESULTS}


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / JOURNAL_NAME).read_text(encoding="utf-8").splitlines()]


def pictures(out: Path) -> dict[str, bytes]:
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted((out / "pictures").rglob("*.jpg"))}
    assert found
    return found


def interrupted(cfg: InferConfig, after: int, error: BaseException | None = None, **options: Any) -> None:
    engine = Recorder(after, error)
    with pytest.raises(type(engine.error)):
        infer(cfg, engine=engine, **options)
