"""Small CenterNets and their checkpoints in the layouts that occur."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpt_tools.entities import Category, LabelMap
from kpt_tools.odapi import pipeline_config
from kpt_tools.pipeline.label_map import format_label_map, label_map_of

LOSS = """
  loss { localization_loss { l1_localization_loss {} }
         classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } } }"""


def label_map(**classes: Sequence[str]) -> LabelMap:
    """``label_map(mouse=("snout", "tail"), box=())``."""
    return label_map_of(
        [Category(number, name, tuple(points)) for number, (name, points) in enumerate(classes.items())]
    )


def task_text(name: str, class_name: str, *, labels: Sequence[str] = (), own_offset: bool = True) -> str:
    stds = " ".join(f'keypoint_label_to_std {{ key: "{label}" value: 1.0 }}' for label in labels)
    own = str(own_offset).lower()
    return (
        f'keypoint_estimation_task {{ task_name: "{name}" keypoint_class_name: "{class_name}" {stds} '
        f"per_keypoint_offset: {own} offset_peak_radius: 3 {LOSS} }}"
    )


def config_text(
    num_classes: int, tasks: Sequence[str], *, extractor: str = "hourglass_10", label_map_path: str = "", more: str = ""
) -> str:
    return f"""
model {{ center_net {{
  num_classes: {num_classes}
  feature_extractor {{ type: "{extractor}" {more} channel_means: [0, 0, 0] channel_stds: [1, 1, 1] }}
  image_resizer {{ fixed_shape_resizer {{ height: 64 width: 64 }} }}
  object_detection_task {{ task_loss_weight: 1 localization_loss {{ l1_localization_loss {{}} }} }}
  object_center_params {{ classification_loss {{ penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }} }} }}
  keypoint_label_map_path: "{label_map_path}"
  {" ".join(tasks)}
}} }}
train_input_reader {{ label_map_path: "{label_map_path}" }}
"""


def parsed(text: str) -> Any:
    return pipeline_config.parse(text, "x.config")


def tasks_of(names: LabelMap, prefix: str = "") -> list[str]:
    return [task_text(f"{prefix}{item.name}", item.name) for item in names.items if item.keypoints]


def model_config(folder: Path, names: LabelMap, *, prefix: str = "", **options: str) -> Any:
    """The config of a model with `names`, whose label map is written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "label_map.pbtxt"
    path.write_text(format_label_map(names), encoding="utf-8")
    tasks = tasks_of(names, prefix)
    return parsed(config_text(len(names.items), tasks, label_map_path=str(path), **options))


def build(config: Any, seed: int = 0) -> Any:
    """A built model of a config, with every variable different from zero."""
    import tensorflow as tf
    from object_detection.builders import model_builder

    tf.keras.utils.set_random_seed(seed)
    model = model_builder.build(config.model, is_training=True)
    image, shapes = model.preprocess(tf.zeros([1, 64, 64, 3]))
    model.predict(image, shapes)
    for variable in model.variables:
        variable.assign_add(tf.random.uniform(variable.shape, 0.01, 0.02))
    return model


def save_zoo(folder: Path, model: Any, config: Any | None) -> Path:
    """The zoo's layout, as an export has it; the prefix of the checkpoint."""
    import tensorflow as tf

    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(folder / "checkpoint"), max_to_keep=1)
    prefix = Path(manager.save(checkpoint_number=0))
    if config is not None:
        (folder / "pipeline.config").write_text(pipeline_config.format(config), encoding="utf-8")
    return prefix


def save_run(folder: Path, model: Any, config: Any, step: int = 7) -> Path:
    """A run folder with optimizer and step; the prefix of the checkpoint."""
    import tensorflow as tf

    optimizer = tf.keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    steps = tf.Variable(step, dtype=tf.int64)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(step=steps, model=model, optimizer=optimizer), str(folder), max_to_keep=1
    )
    (folder / "pipeline.config").write_text(pipeline_config.format(config), encoding="utf-8")
    return Path(manager.save(checkpoint_number=step))


def values(model: Any) -> dict[str, Any]:
    """Copies of all variables by name; names of heads are not unique, so numbered."""
    return {f"{number}:{variable.name}": variable.numpy() for number, variable in enumerate(model.variables)}


def output(model: Any, head: str) -> tuple[Any, Any]:
    """Kernel ``[inputs, channels]`` and bias of a head's output layer."""
    layer = model.prediction_head_dict[head][0].layers[-1]
    return layer.kernel.numpy()[0, 0], layer.bias.numpy()
