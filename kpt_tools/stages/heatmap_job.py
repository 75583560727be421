"""What `heatmap train` asks of its child process: the resolved recipe and the model, as a file in the run folder."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.base import from_dict
from kpt_tools.config.heatmap import RECIPES, HeatmapTrainConfig, Recipe
from kpt_tools.config.heatmap_manifest import HeatmapData, read_data
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json, write_json
from kpt_tools.heatmap.document import CROP_PX
from kpt_tools.heatmap.losses import loss_of
from kpt_tools.heatmap.networks import SIGMA_OF_TARGET, output_px
from kpt_tools.heatmap.spec import HeatmapSpec

JOB_NAME = "job.json"
_MOST_EPOCHS = 400
"""Each ends with a validation."""


@dataclass(frozen=True)
class HeatmapJob:
    """A training, ready to run.

    Attributes:
        data: folder of the patches, absolute.
        recipe: how.
        spec: the model.
        precision: "float32" or "bfloat16".
        seed: of weights, order and augmentation.
    """

    data: Path
    recipe: Recipe
    spec: HeatmapSpec
    precision: str
    seed: int

    def write(self, run: Path) -> Path:
        """Write ``run/job.json`` and return its path."""
        return write_json(run / JOB_NAME, {**dataclasses.asdict(self), "data": str(self.data)})


def read_job(run: Path) -> HeatmapJob:
    """Read ``run/job.json``.

    Raises:
        ConfigError: there is none.
        DataError: it is damaged.
    """
    path = run / JOB_NAME
    raw = read_json(path, what="job of a heatmap training (expected the run folder of kpt-tools heatmap train)")
    try:
        recipe, spec = from_dict(Recipe, raw["recipe"]), from_dict(HeatmapSpec, raw["spec"])
        return HeatmapJob(Path(raw["data"]), recipe, spec, str(raw["precision"]), int(raw["seed"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{path}: damaged ({exc!r}); expected what heatmap train wrote. Use another --run.") from exc


def job_of(config: HeatmapTrainConfig, precision: str) -> tuple[HeatmapJob, HeatmapData]:
    """The job that a configuration asks for, and its data.

    Raises:
        ConfigError: no data, or settings that do not fit one another.
        DataError: the data's manifest is damaged.
    """
    data = read_data(config.data)
    for side in ("train", "val"):
        data.files(config.data, side)
    metadata = read_metadata(config.data)
    recipe = resolved_recipe(config)
    if config.epochs is None:
        recipe = fitted_to(recipe, data.sides["train"].objects)
    if recipe.region == "document" and recipe.size != CROP_PX:
        raise ConfigError(f"--size {recipe.size}: the document's crops have {CROP_PX} px. Use --size {CROP_PX}.")
    spec = HeatmapSpec(
        model=recipe.model,
        target=recipe.target,
        region=recipe.region,
        whole=data.whole,
        num_keypoints=metadata.label_map.num_keypoints,
        input_px=recipe.size,
        output_px=output_px(recipe.model, recipe.target, recipe.size),
        sigma=SIGMA_OF_TARGET[recipe.target],
    )
    _check(spec, recipe)
    return HeatmapJob(config.data.resolve(), recipe, spec, precision, config.seed), data


def resolved_recipe(config: HeatmapTrainConfig) -> Recipe:
    """The named recipe with what was given beside it."""
    base = RECIPES[config.recipe]
    given = {field.name: getattr(config, field.name, None) for field in dataclasses.fields(Recipe)}
    recipe = dataclasses.replace(base, **{name: value for name, value in given.items() if value is not None})
    if config.model == "direct" and config.target is None:
        recipe = dataclasses.replace(recipe, target="points")
    if recipe.target != base.target and config.loss is None:
        recipe = dataclasses.replace(recipe, loss="own")
    return recipe


def fitted_to(recipe: Recipe, objects: int) -> Recipe:
    """The recipe with more epochs where there are few training objects, and an epoch is only a few steps."""
    per_epoch = math.ceil(objects / recipe.batch_size)
    enough = min(_MOST_EPOCHS, math.ceil(recipe.least_steps / per_epoch))
    return dataclasses.replace(recipe, epochs=max(recipe.epochs, enough))


def _check(spec: HeatmapSpec, recipe: Recipe) -> None:
    """Refuse what does not fit before a process is started."""
    loss_of(spec, recipe.loss)
    if spec.region == "document" and spec.target in ("gaussian", "circle") and spec.output_px != CROP_PX:
        raise ConfigError(
            f"--model {spec.model}: its heatmaps have {spec.output_px} px, the document's {CROP_PX}; use --model fcn, "
            "another --target, or another --region."
        )
