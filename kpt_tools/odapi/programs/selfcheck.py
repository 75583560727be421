"""Import the OD API through the compatibility layer and tell what happened."""

from __future__ import annotations

import time

from kpt_tools.odapi import compat, events


def main() -> None:
    """Emit one event ``selfcheck`` with the state of each fix and the devices that TensorFlow sees."""
    begin = time.monotonic()
    compat.activate()
    import tensorflow as tf
    from object_detection import exporter_lib_v2, model_main_tf2
    from object_detection.utils import dataset_util

    loaded = [module.__name__ for module in (model_main_tf2, exporter_lib_v2, dataset_util)]
    events.emit(
        "selfcheck",
        modules=loaded,
        states=compat.states(),
        gpus=[device.name for device in tf.config.list_physical_devices("GPU")],
        seconds=round(time.monotonic() - begin, 1),
    )


if __name__ == "__main__":
    main()
