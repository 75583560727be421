"""Build the OD API's CenterNet, give it MoveNet's weights, and write its checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpt_tools.odapi import compat, events


def main() -> None:
    """Arguments: ``--config`` (pipeline.config), ``--weights``, ``--out`` (folder of the checkpoint)."""
    parser = argparse.ArgumentParser()
    for name in ("config", "weights", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    compat.activate()
    events.emit("phase", name="importing TensorFlow")
    import tensorflow as tf
    from object_detection.builders import model_builder

    from kpt_tools.odapi import movenet_model, pipeline_config
    from kpt_tools.odapi.movenet_map import plan_weights
    from kpt_tools.odapi.movenet_weights import read_weights

    events.emit("phase", name="building the model")
    model = model_builder.build(pipeline_config.read(options.config).model, is_training=False)
    image, shape = model.preprocess(tf.zeros([1, 64, 64, 3]))
    model.predict(image, shape)
    events.emit("phase", name="taking over the weights")
    arrays = read_weights(options.weights)
    targets = plan_weights(arrays, str(options.weights)).targets
    values = movenet_model.new_values(model, targets, arrays)
    for variable, value in values:
        variable.assign(value)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(options.out), max_to_keep=1)
    manager.save(checkpoint_number=0)
    events.emit("imported", variables=len(values))


if __name__ == "__main__":
    main()
