"""Files of ours in place of those that the OD API's tests read and its sdist does not ship.

The tests ask for a picture, a label map, a pipeline.config and records of the pet data set. What they then test is
not these files, so they get a picture, a label map with the class names that they use, a small CenterNet and two
records of our own. The file names are those that the tests ask for.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from kpt_tools.records.example_builder import ExampleBuilder
from kpt_tools.records.shards import Record, write_shard
from kpt_tools.records.tfrecord import framed

PACKAGE = "object_detection"
CLASSES = ("Abyssinian", "american_bulldog")

LABEL_MAP = "".join(f"item {{ id: {number} name: '{name}' }}\n" for number, name in enumerate(CLASSES, start=1))

# Both splits and the label map get their paths from the tests.
CONFIG = """
model {
  center_net {
    num_classes: 2
    feature_extractor { type: "mobilenet_v2_fpn" }
    image_resizer { fixed_shape_resizer { height: 64 width: 64 } }
    object_detection_task {
      task_loss_weight: 1.0
      offset_loss_weight: 1.0
      scale_loss_weight: 0.1
      localization_loss { l1_localization_loss {} }
      scale_head_params { num_filters: 8 kernel_sizes: 3 }
      offset_head_params { num_filters: 8 kernel_sizes: 3 }
    }
    object_center_params {
      object_center_loss_weight: 1.0
      min_box_overlap_iou: 0.7
      max_box_predictions: 5
      classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2.0 beta: 4.0 } }
      center_head_params { num_filters: 8 kernel_sizes: 3 }
    }
  }
}
train_config {
  batch_size: 2
  num_steps: 2
  optimizer {
    adam_optimizer { learning_rate { constant_learning_rate { learning_rate: 0.001 } } }
    use_moving_average: false
  }
  max_number_of_boxes: 4
  unpad_groundtruth_tensors: false
  fine_tune_checkpoint_version: V2
}
train_input_reader {
  label_map_path: ""
  tf_record_input_reader { input_path: "" }
}
eval_config {
  metrics_set: "coco_detection_metrics"
  use_moving_averages: false
  batch_size: 1
}
eval_input_reader {
  label_map_path: ""
  shuffle: false
  num_epochs: 1
  tf_record_input_reader { input_path: "" }
}
"""


def write(folder: Path) -> None:
    """Write all of them below ``folder/object_detection``, a folder as the package's is in its repository."""
    top = folder / PACKAGE
    for name in ("data", "samples/configs", "test_data", "test_images"):
        (top / name).mkdir(parents=True)
    (top / "data" / "pet_label_map.pbtxt").write_text(LABEL_MAP, encoding="utf-8")
    (top / "samples" / "configs" / "ssd_mobilenet_v2_pets_keras.config").write_text(CONFIG, encoding="utf-8")
    write_shard(top / "test_data" / "pets_examples.record", [Record(framed([_example(number)])) for number in range(2)])
    (top / "test_images" / "image1.jpg").write_bytes(_jpeg(512, 636, 0))


def _jpeg(width: int, height: int, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
    with io.BytesIO() as buffer:
        Image.fromarray(colours).resize((width, height)).save(buffer, format="JPEG")
        return buffer.getvalue()


def _example(number: int) -> bytes:
    width, height = 96, 64
    builder = ExampleBuilder()
    builder.add_ints("image/height", [height])
    builder.add_ints("image/width", [width])
    builder.add_bytes("image/filename", [f"{number}.jpg"])
    builder.add_bytes("image/source_id", [str(number)])
    builder.add_bytes("image/encoded", [_jpeg(width, height, number)])
    builder.add_bytes("image/format", ["jpeg"])
    for name, value in (("xmin", 0.2), ("xmax", 0.7), ("ymin", 0.3), ("ymax", 0.8)):
        builder.add_floats(f"image/object/bbox/{name}", [value])
    builder.add_bytes("image/object/class/text", [CLASSES[number]])
    builder.add_ints("image/object/class/label", [number + 1])
    return builder.serialize()
