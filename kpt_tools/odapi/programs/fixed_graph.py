"""Restore the checkpoint of an exported folder and write it as one graph of fixed size, for the converters."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpt_tools.odapi import checkpoints, compat, events, pipeline_config
from kpt_tools.odapi.memory import tell_peak_memory


def main() -> None:
    """Do what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="exported folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the SavedModel to make")
    flags = parser.parse_args()
    compat.activate()
    events.emit("phase", name="importing TensorFlow")
    import tensorflow as tf

    from kpt_tools.odapi import fixed_graph, serving

    tf.config.experimental.enable_tensor_float_32_execution(False)
    path = flags.model / "pipeline.config"
    config = pipeline_config.read(path)
    network = fixed_graph.network_input_of(config, str(path))
    fixed = fixed_graph.fixed_config(config, network, flags.model / "label_map.pbtxt")
    checkpoint = checkpoints.latest(flags.model / "checkpoint")
    events.emit("phase", name="building the graph of fixed size")
    model = serving.restored_model(fixed, checkpoint.prefix if checkpoint else flags.model / "checkpoint")
    fixed_graph.save(model, network, flags.out)
    tell_peak_memory()


if __name__ == "__main__":
    main()
