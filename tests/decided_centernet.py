"""A small CenterNet that answers like a trained one, laid out as an export, for tests of what is made of models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.entities import Category, ModelMetadata
from kpt_tools.odapi import compat, decoding, pipeline_config, serving
from kpt_tools.pipeline.label_map import format_label_map, label_map_of

SIDE = 64

_TASK = """keypoint_estimation_task {{ task_name: "{name}" keypoint_class_name: "{name}" {stds}
  per_keypoint_offset: true offset_peak_radius: 3
  loss {{ localization_loss {{ l1_localization_loss {{}} }}
         classification_loss {{ penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }} }} }} }}"""
_CONFIG = """model {{ center_net {{
  num_classes: {classes}
  feature_extractor {{ type: "hourglass_10" channel_means: [104, 114, 110] channel_stds: [70, 69, 73] }}
  image_resizer {{ keep_aspect_ratio_resizer {{ min_dimension: {side} max_dimension: {side}
    pad_to_max_dimension: true }} }}
  object_detection_task {{ task_loss_weight: 1 localization_loss {{ l1_localization_loss {{}} }} }}
  object_center_params {{ max_box_predictions: 10
    classification_loss {{ penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }} }} }}
  keypoint_label_map_path: "{label_map}"
  {tasks}
}} }}
"""
# Mean and spread of each head's map: enough spread that rounding does not order places.
_WANTED = {"object_center": (-1.0, 1.0), "scale": (4.0, 1.0), "heatmap": (1.0, 1.0), "regression": (0.0, 2.0)}
_OTHERS = (0.5, 0.2)


def picture(seed: int, height: int = 48, width: int = 80) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Blobs of colour, so that places of the maps differ."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def save_export(folder: Path, **classes: Sequence[str]) -> Any:
    """Write everything of an export but the SavedModel: ``save_export(path, mouse=("snout", "tail"), box=())``.

    Returns:
        The detector as the OD API runs it, with keypoints refined: [H, W, 3] uint8 to arrays by name.
    """
    import tensorflow as tf

    compat.activate()
    categories = [Category(number, name, tuple(points)) for number, (name, points) in enumerate(classes.items())]
    names = label_map_of(categories)
    folder.mkdir(parents=True)
    path = folder / "label_map.pbtxt"
    path.write_text(format_label_map(names), encoding="utf-8")
    tasks = [
        _TASK.format(name=item.name, stds=" ".join(_std(keypoint.label) for keypoint in item.keypoints))
        for item in names.items
        if item.keypoints
    ]
    text = _CONFIG.format(classes=len(names.items), side=SIDE, label_map=path, tasks=" ".join(tasks))
    config = pipeline_config.parse(text, "test")
    (folder / "pipeline.config").write_text(text, encoding="utf-8")
    model = decided(config)
    checkpoint = tf.train.Checkpoint(model=model)
    tf.train.CheckpointManager(checkpoint, str(folder / "checkpoint"), max_to_keep=1).save(checkpoint_number=0)
    write_metadata(folder, ModelMetadata(names, (), (0.05,) * names.num_keypoints, input_hw=(SIDE, SIDE)))
    decoding.refine(model)
    return serving.original(model)


def decided(config: Any) -> Any:
    """A network of random weights, each of its heads scaled so that its map of one picture has some spread."""
    import tensorflow as tf
    from object_detection.builders import model_builder

    tf.keras.utils.set_random_seed(0)
    model = model_builder.build(config.model, is_training=False)
    images, shapes = model.preprocess(tf.cast(picture(0), tf.float32)[tf.newaxis])
    for name, values in serving.head_maps(model, images, shapes).items():
        mean, spread = _WANTED.get(name.split("/")[-1], _OTHERS)
        was, by = tf.reduce_mean(values, [0, 1, 2]), spread / tf.math.reduce_std(values, [0, 1, 2])
        kernel, bias = model.prediction_head_dict[name][-1].variables[-2:]
        kernel.assign(kernel * by)
        bias.assign((bias - was) * by + mean)
    return model


def _std(label: str) -> str:
    return f'keypoint_label_to_std {{ key: "{label}" value: 1.0 }}'
