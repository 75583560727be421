"""The training input beside that of the OD API, on the same records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kpt_tools.odapi import compat, pipeline_config, train_input

pytest.importorskip("object_detection")
# The OD API's own modules warn at import, and Keras while it builds.
pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

CONFIG = """
model {{ center_net {{ num_classes: 1
  feature_extractor {{ type: "hourglass_10" channel_means: [104, 114, 110] channel_stds: [70, 69, 73] }}
  image_resizer {{ {resizer} }}
  object_detection_task {{ task_loss_weight: 1 localization_loss {{ l1_localization_loss {{}} }} }}
  object_center_params {{ max_box_predictions: 10
    classification_loss {{ penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }} }} }}
}} }}
train_config {{ batch_size: 4 unpad_groundtruth_tensors: false max_number_of_boxes: 3 {augmentation} }}
train_input_reader {{ shuffle: {shuffle} label_map_path: "{folder}/map.pbtxt" max_number_of_boxes: 3
  tf_record_input_reader {{ input_path: "{folder}/train.record" }} }}
"""
LETTERBOX = "keep_aspect_ratio_resizer { min_dimension: 64 max_dimension: 64 pad_to_max_dimension: true }"
SQUARE = "fixed_shape_resizer { height: 64 width: 64 }"
SIZES = [(200, 150), (150, 200), (640, 360), (50, 40), (64, 64), (90, 30), (65, 64), (300, 300)]


def write_records(folder: Path) -> None:
    import tensorflow as tf

    (folder / "map.pbtxt").write_text('item { id: 1 name: "thing" }')
    random = np.random.default_rng(0)

    def feature(**kind: Any) -> Any:
        return tf.train.Feature(**kind)

    with tf.io.TFRecordWriter(str(folder / "train.record")) as writer:
        for number, (width, height) in enumerate(SIZES):
            small = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
            path = folder / f"{number}.jpg"
            small.resize((width, height), Image.Resampling.BICUBIC).save(path, quality=95)
            values = {"ymin": 0.1, "xmin": 0.1 * (number % 5), "ymax": 0.5 + 0.01 * number, "xmax": 0.7}
            features = {
                "image/encoded": feature(bytes_list=tf.train.BytesList(value=[path.read_bytes()])),
                "image/format": feature(bytes_list=tf.train.BytesList(value=[b"jpeg"])),
                "image/filename": feature(bytes_list=tf.train.BytesList(value=[path.name.encode()])),
                "image/source_id": feature(bytes_list=tf.train.BytesList(value=[str(number).encode()])),
                "image/height": feature(int64_list=tf.train.Int64List(value=[height])),
                "image/width": feature(int64_list=tf.train.Int64List(value=[width])),
                "image/object/class/label": feature(int64_list=tf.train.Int64List(value=[1])),
            }
            for name, value in values.items():
                key = f"image/object/bbox/{name}"
                features[key] = feature(float_list=tf.train.FloatList(value=[value]))
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def batches(config: Any, count: int, *, own: bool, keep_decoded: bool = False) -> list[tuple[Any, Any]]:
    """Batches of the training input as arrays: image, boxes."""
    from object_detection import inputs
    from object_detection.builders import model_builder
    from object_detection.core import standard_fields

    fields = standard_fields.InputDataFields
    model = model_builder.build(config.model, is_training=True)
    theirs = inputs.INPUT_BUILDER_UTIL_MAP["dataset_build"]
    resizer = config.model.center_net.image_resizer
    if own:
        inputs.INPUT_BUILDER_UTIL_MAP["dataset_build"] = train_input.dataset_builder(
            resizer, config.train_config, keep_decoded=keep_decoded
        )
    try:
        dataset = inputs.train_input(config.train_config, config.train_input_reader, config.model, model=model)
    finally:
        inputs.INPUT_BUILDER_UTIL_MAP["dataset_build"] = theirs
    return [
        (features[fields.image].numpy(), labels[fields.groundtruth_boxes].numpy())
        for features, labels in dataset.take(count)
    ]


def make_config(folder: Path, resizer: str = LETTERBOX, augmentation: str = "", shuffle: str = "false") -> Any:
    compat.activate()
    write_records(folder)
    text = CONFIG.format(folder=folder, resizer=resizer, augmentation=augmentation, shuffle=shuffle)
    return pipeline_config.parse(text, "test")


@pytest.mark.parametrize("keep_decoded", [False, True])
@pytest.mark.parametrize("resizer", [LETTERBOX, SQUARE])
def test_the_network_sees_the_same_pixels(tmp_path: Path, resizer: str, keep_decoded: bool) -> None:
    config = make_config(tmp_path, resizer)
    expected = batches(config, 2, own=False)
    found = batches(config, 2, own=True, keep_decoded=keep_decoded)
    assert len(expected) == len(found) == 2
    level = 1 / 69  # of a grey value, after division by the spread of a channel
    for (images, boxes), (own_images, own_boxes), sizes in zip(expected, found, (SIZES[:4], SIZES[4:]), strict=True):
        assert images.shape == own_images.shape == (4, 64, 64, 3)
        np.testing.assert_allclose(own_boxes, boxes, atol=1e-6)
        for image, own_image, size in zip(images, own_images, sizes, strict=True):
            assert image.std() > 0.1
            difference = np.abs(own_image - image)
            if keep_decoded or max(size) < 4 * 64:
                assert difference.max() <= 0.501 * level, "rounded to whole grey values"
            else:
                assert difference.mean() < 3 * level, "decoded at a fraction of its size"


def test_kept_pictures_come_again_in_another_order_and_each_once_per_epoch(tmp_path: Path) -> None:
    config = make_config(tmp_path, SQUARE, shuffle="true")
    found = batches(config, 6, own=True, keep_decoded=True)
    bottoms = np.concatenate([boxes[:, 0, 2] for _, boxes in found]).round(2)
    epochs = bottoms.reshape(3, len(SIZES))
    for epoch in epochs:
        assert sorted(epoch) == pytest.approx([0.5 + 0.01 * number for number in range(len(SIZES))])
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize(
    ("augmentation", "scale"),
    [
        pytest.param("", 1, id="none"),
        pytest.param("data_augmentation_options { random_horizontal_flip {} }", 1, id="flip"),
        pytest.param("data_augmentation_options { random_adjust_hue {} }", 1, id="colour"),
        pytest.param("data_augmentation_options { random_square_crop_by_scale {} }", 2, id="crop"),
        pytest.param("data_augmentation_options { random_pad_image {} }", 2, id="unknown"),
    ],
)
def test_pictures_that_are_cropped_keep_twice_the_size(augmentation: str, scale: int) -> None:
    config = pipeline_config.parse(f"train_config {{ {augmentation} }}", "test")
    assert train_input.scale_of(config.train_config) == scale


@pytest.mark.parametrize(
    ("size_hw", "resizer", "scale", "expected_hw"),
    [
        pytest.param((200, 100), LETTERBOX, 1, (64, 32), id="letterbox"),
        pytest.param((200, 100), LETTERBOX, 2, (128, 64), id="letterbox-twice"),
        pytest.param((64, 60), LETTERBOX, 1, (64, 60), id="small-enough"),
        pytest.param((200, 100), SQUARE, 1, (64, 64), id="square"),
        pytest.param((200, 50), SQUARE, 1, (200, 50), id="one-side-is-smaller"),
    ],
)
def test_sizes(size_hw: tuple[int, int], resizer: str, scale: int, expected_hw: tuple[int, int]) -> None:
    compat.activate()
    message = pipeline_config.parse(f"model {{ center_net {{ image_resizer {{ {resizer} }} }} }}", "test")
    shrink = train_input.early_resize(message.model.center_net.image_resizer, scale)
    assert shrink is not None
    assert shrink(np.zeros((*size_hw, 3), np.uint8)).shape == (*expected_hw, 3)


@pytest.mark.parametrize(
    "resizer",
    [
        "identity_resizer {}",
        "keep_aspect_ratio_resizer { min_dimension: 64 max_dimension: 64 convert_to_grayscale: true }",
        "conditional_shape_resizer { size_threshold: 64 }",
    ],
)
def test_other_resizers_are_left_to_the_od_api(resizer: str) -> None:
    message = pipeline_config.parse(f"model {{ center_net {{ image_resizer {{ {resizer} }} }} }}", "test")
    assert train_input.early_resize(message.model.center_net.image_resizer, 1) is None
