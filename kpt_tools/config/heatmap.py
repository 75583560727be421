"""Settings of `kpt-tools heatmap prepare`, `train`, `eval`, `infer` and `export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_choice, check_part
from kpt_tools.errors import ConfigError

MODELS = ("fcn", "unet", "hourglass", "mobile", "direct")
TARGETS = ("gaussian", "circle", "softargmax", "simcc", "points")
REGIONS = ("whole", "points", "both", "document")
WHOLES = ("picture", "box")
DECODINGS = ("argmax", "average", "around-peak", "taylor")
SPLITS = ("groups", "in-order")
SIDES = ("train", "val", "test")
FORMATS = ("saved_model", "tflite", "onnx")
CAT_GROUPS = r"^(?:.*/)?(\d+)_"
"""Pictures of CAT whose names begin with one number can show the same cat."""


@dataclass(frozen=True)
class HeatmapPrepareConfig:
    """What to prepare, and where it goes.

    Attributes:
        source: a folder of CAT, or a COCO JSON with keypoints.
        images: folder of the images of a COCO JSON.
        out: folder to write.
        category: class of the COCO JSON; None: its only one with keypoints.
        points: names of the keypoints to keep, separated by commas; None: left eye, right eye and mouth of CAT, all
            keypoints of a COCO JSON.
        whole: "picture": each picture shows one object; "box": one patch per object, cut out around its box. None:
            "picture" for CAT, "box" for a COCO JSON.
        boxes_from_keypoints: objects without a box get one around their points.
        split: "groups": by hash, groups and look-alikes together; "in-order": as the files stand, without shuffling.
        val: share or number of the pictures for val.
        test: the same for test.
        seed: of the split by hash.
        group_by: regular expression on file names; pictures of equal match stay together. None: for CAT the number
            that a name begins with.
        look_alikes: keep pictures that look nearly the same on one side.
        patch_px: patches are stored with at most this larger side.
        workers: processes that look at image files; None: one per core.
    """

    source: Path
    images: Path = Path("dataset/images")
    out: Path = Path("dataset/heatmap")
    category: str | None = None
    points: str | None = None
    whole: str | None = None
    boxes_from_keypoints: bool = False
    split: str = "groups"
    val: float = 0.2
    test: float = 0.2
    seed: int = 0
    group_by: str | None = None
    look_alikes: bool = True
    patch_px: int = 384
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        check_choice("--split", self.split, SPLITS)
        check_part("--val", self.val)
        check_part("--test", self.test)
        if self.whole is not None:
            check_choice("--whole", self.whole, WHOLES)
        if self.patch_px < 32:
            raise ConfigError(f"--patch-px is {self.patch_px}; expected at least 32.")
        if self.val <= 0:
            raise ConfigError("--val is 0; training needs pictures to choose its best weights by, such as 0.2.")


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        model: network.
        target: what it answers.
        region: what it is shown.
        size: side of its input in pixels.
        loss: "mse" or "awing" for heatmaps that are drawn; "own": mse for these, and the only loss of each other
            target.
        optimizer: "rmsprop" or "adamw".
        learning_rate: the highest.
        schedule: "constant", or "cosine" to 0 after a short rise.
        weight_decay: of adamw.
        epochs: passes over the training pictures.
        least_steps: there are more epochs where an epoch has so few steps that there would be fewer in all.
        batch_size: pictures per step.
        ema: share of the averaged weights that stays per step; 0: the weights themselves are used.
        shift: of the augmentation, as a share of the side.
        zoom: of the augmentation.
        flip: probability of a mirror image.
        rotate_deg: of the augmentation.
        colour: of the augmentation.
    """

    model: str = "mobile"
    target: str = "gaussian"
    region: str = "both"
    size: int = 128
    loss: str = "own"
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    weight_decay: float = 0.02
    epochs: int = 100
    least_steps: int = 2000  # with 81 mice, 600 left the end-to-end median at 4.1 px, 1800 at 3.0
    batch_size: int = 16
    ema: float = 0.998
    shift: float = 0.1
    zoom: float = 0.2
    flip: float = 0.5
    rotate_deg: float = 20.0
    colour: float = 0.3


RECIPES: dict[str, Recipe] = {
    "default": Recipe(),
    "document": Recipe(
        model="fcn",
        target="circle",
        region="document",
        size=64,
        loss="mse",
        optimizer="rmsprop",
        learning_rate=1e-3,
        schedule="constant",
        weight_decay=0.0,
        epochs=30,
        least_steps=0,
        batch_size=32,
        ema=0.0,
        rotate_deg=0.0,
        colour=0.0,
    ),
}

AUGMENTATION_LIMITS = {"shift": 1.0, "zoom": 10.0, "flip": 1.0, "rotate_deg": 180.0, "colour": 1.0}
"""The most that each setting of the augmentation can be; the least is 0."""


@dataclass(frozen=True)
class HeatmapTrainConfig:
    """What to train on, how, and where.

    Attributes:
        data: folder that `prepare` wrote.
        run: folder for weights, log, curves and run.json; an existing one is resumed.
        recipe: a named set of the settings below; what is given beside it replaces its own.
        model: network.
        target: what the network answers.
        region: what the network is shown: "whole", "points", "both" or "document".
        size: side of the input in pixels.
        epochs: passes over the training pictures; the learning rate's schedule is stretched with it. None: the
            recipe's, and more where there are few objects, see `Recipe.least_steps`.
        batch_size: pictures per step.
        learning_rate: the highest.
        optimizer: "rmsprop" or "adamw".
        loss: "mse" or "awing" for heatmaps.
        shift: of the augmentation: at most this share of the side, to all sides.
        zoom: of the augmentation: scaled by a factor from 1 / (1 + zoom) to 1 + zoom.
        flip: of the augmentation: probability of a mirror image.
        rotate_deg: of the augmentation: turned by at most so many degrees to either side; 180: any orientation.
        colour: of the augmentation: brightness and contrast are changed by at most this share.
        precision: "float32", "bfloat16", or "auto" (bfloat16 where the CPU has it).
        seed: of weights, order and augmentation.
    """

    data: Path = Path("dataset/heatmap")
    run: Path = Path("runs/heatmap")
    recipe: str = "default"
    model: str | None = None
    target: str | None = None
    region: str | None = None
    size: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: str | None = None
    loss: str | None = None
    shift: float | None = None
    zoom: float | None = None
    flip: float | None = None
    rotate_deg: float | None = None
    colour: float | None = None
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse names that do not exist and numbers that cannot be meant."""
        check_choice("--recipe", self.recipe, tuple(RECIPES))
        choices = {
            "model": MODELS,
            "target": TARGETS,
            "region": REGIONS,
            "optimizer": ("rmsprop", "adamw"),
            "loss": ("mse", "awing", "own"),
        }
        for name, known in choices.items():
            if getattr(self, name) is not None:
                check_choice(f"--{name}", getattr(self, name), known)
        for name in ("size", "epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"--{name.replace('_', '-')} is {value}; expected more than 0.")
        for name, most in AUGMENTATION_LIMITS.items():
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise ConfigError(f"--{name.replace('_', '-')} is {value:g}; expected 0 to {most:g}.")


@dataclass(frozen=True)
class HeatmapEvalConfig:
    """What to measure, and on what.

    Attributes:
        model: run folder of `heatmap train`, or an exported folder.
        data: folder that `prepare` wrote.
        side: "test", "val" or "train".
        first: model that tells a model of crops where to look; None: the model itself, if it can.
        decoding: how heatmaps become points; None: what suits the model.
        out: folder for eval.json and pictures; None: ``eval`` in the run folder.
    """

    model: Path = Path("runs/heatmap")
    data: Path = Path("dataset/heatmap")
    side: str = "test"
    first: Path | None = None
    decoding: str | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        """Refuse names that do not exist."""
        check_choice("--side", self.side, SIDES)
        if self.decoding is not None:
            check_choice("--decoding", self.decoding, DECODINGS)


@dataclass(frozen=True)
class HeatmapInferConfig:
    """Where to find points, with which model, and where the answers go.

    Attributes:
        inputs: image files, folders, glob patterns, videos, http(s) addresses of images, or cameras as "camera:0".
        model: run folder of `heatmap train`, or an exported folder.
        out: folder for predictions.jsonl, predictions.json, predictions.csv, pictures/ and videos/.
        first: model that tells a model of crops where to look; None: the model itself, if it can.
        boxes: predictions.json of `kpt-tools infer` (or any COCO results with file_name): one search per box.
        annotations: a COCO JSON whose image and category ids predictions.json shall use.
        min_score: boxes below are left out.
        decoding: how heatmaps become points; None: what suits the model.
        min_keypoint_score: points below are not drawn; the files hold all points with their scores.
        no_images: write no annotated pictures and videos.
        contact_sheet: also write contact_sheet.jpg with up to 24 of the pictures.
        to_coco_annotator: also write pre_annotations.json, which coco-annotator's importer keeps.
        max_frames: at most so many frames of each video and camera; None: all, and of a camera until Ctrl-C.
        overwrite: start anew where an unfinished run would be gone on with.
    """

    inputs: tuple[str, ...] = ("dataset/images",)
    model: Path = Path("runs/heatmap")
    out: Path = Path("predictions")
    first: Path | None = None
    boxes: Path | None = None
    annotations: Path | None = None
    min_score: float = 0.3
    decoding: str | None = None
    min_keypoint_score: float = 0.1
    no_images: bool = False
    contact_sheet: bool = False
    to_coco_annotator: bool = False
    max_frames: int | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        for name in ("min_score", "min_keypoint_score"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number from 0 to 1.")
        if self.decoding is not None:
            check_choice("--decoding", self.decoding, DECODINGS)
        if not self.inputs:
            raise ConfigError("no input given; name an image, a folder or a glob pattern.")


@dataclass(frozen=True)
class HeatmapExportConfig:
    """What to export, and as what.

    Attributes:
        run: run folder of `heatmap train`.
        out: the folder to make; None: ``<run>/export``.
        formats: of "saved_model", "tflite", "onnx"; a SavedModel is always written.
        tolerance: the largest difference of a point in pixels of the input that parity allows.
    """

    run: Path = Path("runs/heatmap")
    out: Path | None = None
    formats: tuple[str, ...] = FORMATS[:1]
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        """Refuse formats that do not exist."""
        for name in self.formats:
            check_choice("--format", name, FORMATS)
