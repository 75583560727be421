"""Configuration of `kpt-tools eval`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checkpoint import check_checkpoint
from kpt_tools.config.engines import check_engine
from kpt_tools.errors import ConfigError

AREA_SOURCES = ("bbox", "bbox*0.53", "segm")


@dataclass(frozen=True)
class EvalConfig:
    """What to measure, against which truth, and how.

    Attributes:
        model: a run folder of `kpt-tools train`, an exported folder, or a model of the zoo (name, folder or archive).
        checkpoint: of the run, "best" or "last"; None: the best where one is kept. For run folders and their exports.
        engine: what runs the model, "saved_model", "onnx", "openvino", "litert", or "auto" for the fastest that was
            found good; None: the SavedModel if there is one, else "auto".
        precision: of the model's file; None: float32, and for "auto" also bfloat16 where it costs next to nothing.
        flip_test: look at each picture twice, once as its mirror image, and average: better, in twice the time.
        records: glob of TFRecord shards to measure on; None: the validation records of the run.
        annotations: a COCO JSON to measure on instead of records; needs `images`.
        images: the folder of its images.
        sigmas: one OKS sigma for all keypoints, or a JSON file with one per keypoint; None: those of the model.
        area: the A in the OKS formula: "bbox", "bbox*0.53" (as MMPose and Ultralytics) or "segm" (the
            annotation's own area).
        min_score: detections below are left out; anything above 0 lowers AP.
        out: folder for eval.json and predictions.json; None: ``eval`` in the run folder (beside an export).
        report: also write report.html.
    """

    model: Path = Path("runs/train")
    checkpoint: str | None = None
    engine: str | None = None
    precision: str | None = None
    flip_test: bool = False
    records: str | None = None
    annotations: Path | None = None
    images: Path | None = None
    sigmas: str | None = None
    area: str = "bbox"
    min_score: float = 0.0
    out: Path | None = None
    report: bool = True

    def __post_init__(self) -> None:
        """Refuse combinations that cannot be meant."""
        check_checkpoint(self.checkpoint)
        check_engine(self.engine, self.precision)
        if self.area not in AREA_SOURCES:
            raise ConfigError(f"area is '{self.area}'; expected one of {', '.join(AREA_SOURCES)}.")
        if not 0.0 <= self.min_score <= 1.0:
            raise ConfigError(f"min_score is {self.min_score}; expected a number from 0 to 1.")
        if (self.annotations is None) != (self.images is None):
            raise ConfigError("--annotations and --images belong together; give both or none.")
        if self.records is not None and self.annotations is not None:
            raise ConfigError("--records and --annotations both name a truth to measure on; give one of them.")
