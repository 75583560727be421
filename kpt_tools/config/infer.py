"""Configuration of `kpt-tools infer`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checkpoint import check_checkpoint
from kpt_tools.config.engines import AUTO, check_engine
from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class InferConfig:
    """What to detect in, with which model, and where the answers go.

    Attributes:
        inputs: image files, folders (searched with their sub-folders), glob patterns, videos, http(s) addresses of
            images, or cameras as "camera:0".
        model: an exported folder, a run folder that holds one as ``export``, or a model of the zoo (name, folder or
            archive).
        checkpoint: of the run, "best" or "last"; None: the best where one is kept. For run folders and their exports.
        engine: what runs the model, "saved_model", "onnx", "openvino", "litert", or "auto" for the fastest that was
            found good, which is the SavedModel if no other was made; None: the SavedModel if there is one, else "auto".
        precision: of the model's file; None: float32, and for "auto" also bfloat16 where it costs next to nothing.
        out: folder for predictions.jsonl, predictions.json, predictions.csv, pictures/ and videos/.
        annotations: a COCO JSON whose image and category ids predictions.json shall use.
        min_score: detections below are left out everywhere.
        min_keypoint_score: points below are not drawn; the files hold all points with their scores.
        max_detections: at most so many detections per image, best first.
        no_images: write no annotated pictures and videos.
        contact_sheet: also write contact_sheet.jpg with up to 24 of the pictures.
        to_coco_annotator: also write pre_annotations.json, which coco-annotator's importer keeps.
        name_map: JSON with the names that images and classes have in coco-annotator.
        confident_keypoint_score: points from here up get v = 2 there, weaker ones down to `min_keypoint_score` v = 1.
        track: number objects over the frames of each video, and over the pictures of each folder in their order.
        max_frames: at most so many frames of each video and camera; None: all, and of a camera until Ctrl-C.
        flip_test: look at each picture twice, once as its mirror image, and average: better, in twice the time.
        batch_size: pictures that the engine is given at once; None: what suits it.
        workers: threads that decode and draw; None: as many as there are cores.
        overwrite: start anew where an unfinished run would be gone on with.
    """

    inputs: tuple[str, ...] = ("dataset/images",)
    model: Path = Path("runs/train/export")
    checkpoint: str | None = None
    engine: str | None = AUTO
    precision: str | None = None
    out: Path = Path("predictions")
    annotations: Path | None = None
    min_score: float = 0.3
    min_keypoint_score: float = 0.1
    max_detections: int = 100
    no_images: bool = False
    contact_sheet: bool = False
    to_coco_annotator: bool = False
    name_map: Path | None = None
    confident_keypoint_score: float = 0.5
    track: bool = False
    max_frames: int | None = None
    flip_test: bool = False
    batch_size: int | None = None
    workers: int | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        check_checkpoint(self.checkpoint)
        check_engine(self.engine, self.precision)
        for name in ("min_score", "min_keypoint_score", "confident_keypoint_score"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name} is {value}; expected a number from 0 to 1.")
        if self.name_map is not None and not self.to_coco_annotator:
            raise ConfigError("--name-map is for --to-coco-annotator; give both, or none.")
        for name in ("max_detections", "max_frames", "batch_size", "workers"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ConfigError(f"{name} is {number}; expected at least 1.")
        if not self.inputs:
            raise ConfigError("no input given; name an image, a folder or a glob pattern.")
