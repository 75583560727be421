"""The whole road on a made-up data set: draw, check, records, config, train, eval, export, infer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpt_tools.config.check import CheckConfig
from kpt_tools.config.demo import DemoConfig
from kpt_tools.config.eval import EvalConfig
from kpt_tools.config.export import ExportConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.train import TrainConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.metrics.result import EvalResult
from kpt_tools.stages.check import check
from kpt_tools.stages.eval import evaluate_model
from kpt_tools.stages.export import export_run
from kpt_tools.stages.infer import infer
from kpt_tools.stages.make_config import make_config
from kpt_tools.stages.make_tfrecord import make_tfrecord
from kpt_tools.stages.train import train

TEMPLATE = "centernet_cpu_256_kpts"
CHECK_PAGE_NAME = "check.html"

OnEvent = Callable[[dict[str, Any]], None]
OnStep = Callable[[str, str], None]
"""Called with the command line that a user would type and with what it does, before each step."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo reached.

    Attributes:
        out: its folder.
        evaluation: the numbers on the held-out pictures.
        contact_sheet: pictures of predictions.
        check_page: what `check` found, as HTML.
        steps: trained steps.
        seconds: per command, in order.
        goal: what box AP50 and OKS AP50 had to reach.
    """

    out: Path
    evaluation: EvalResult
    contact_sheet: Path
    check_page: Path
    steps: int
    seconds: dict[str, float]
    goal: float

    @property
    def reached(self) -> bool:
        """Whether box AP50 and OKS AP50 are at the goal."""
        return min(self.evaluation.box.ap50 or 0.0, self.evaluation.oks.ap50 or 0.0) >= self.goal


@dataclass
class _Steps:
    """Announces each step and measures it."""

    on_step: OnStep
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, command: str, what: str) -> Iterator[None]:
        self.on_step(command, what)
        begin = time.monotonic()
        yield
        self.seconds[command.split()[0]] = round(time.monotonic() - begin, 1)


def demo(
    config: DemoConfig,
    on_step: OnStep = lambda command, what: None,
    on_event: OnEvent = lambda event: None,
) -> DemoResult:
    """Run the road. Raises what its stages raise.

    Args:
        config: the settings.
        on_step: called before each command.
        on_event: events of train, eval, export and infer.
    """
    out, steps = config.out, _Steps(on_step)
    annotations, images = _data(config, steps)
    page = out / CHECK_PAGE_NAME
    with steps.step(f"check {annotations} {images} --keep-empty --html {page}", "look for mistakes in the data"):
        check(CheckConfig(annotations=annotations, images=images, keep_empty=True, html=page))
    records, label_map = out / "tfrecord", out / "label_map.pbtxt"
    with steps.step(f"make-tfrecord {annotations} --images {images} --out {records} --keep-empty", "convert"):
        make_tfrecord(
            MakeTfrecordConfig(
                annotations=annotations,
                images=images,
                out=records,
                label_map=label_map,
                seed=config.seed,
                keep_empty=True,
            )
        )
    pipeline = out / "pipeline.config"
    with steps.step(
        f"make-config --records {records} --template {TEMPLATE} --steps {config.steps} --out {pipeline}",
        "render the config",
    ):
        make_config(MakeConfigConfig(records=records, template=TEMPLATE, out=pipeline, steps=config.steps))
    run = out / "run"
    with steps.step(f"train {pipeline} --run {run}", "train, some minutes"):
        trained = train(TrainConfig(config=pipeline, run=run, seed=config.seed), on_event)
    if trained.interrupted:
        raise KeyboardInterrupt
    with steps.step(f"eval {run}", "measure on the held-out pictures"):
        evaluation = evaluate_model(EvalConfig(model=run), on_event).result
    with steps.step(f"export {run}", "write the SavedModel"):
        model = export_run(ExportConfig(run=run), on_event).folder
    with steps.step(f"infer --model {model} --contact-sheet ...", "detect in the held-out pictures"):
        detected = infer(
            InferConfig(inputs=_held_out(records, images), model=model, out=out / "predictions", contact_sheet=True),
            on_event,
        )
    sheet = detected.contact_sheet or detected.out
    return DemoResult(out, evaluation, sheet, page, trained.step, steps.seconds, config.goal)


def _data(config: DemoConfig, steps: _Steps) -> tuple[Path, Path]:
    with steps.step("demo", f"draw {config.count} pictures of pliers, annotated as coco-annotator exports them"):
        made = make_pliers(config.out / "dataset", config.count, config.seed)
    return made.annotations, made.images


def _held_out(records: Path, images: Path) -> tuple[str, ...]:
    content = json.loads((records / "val.json").read_text(encoding="utf-8"))
    return tuple(str(images / row["file_name"]) for row in content["images"])
