"""`object_detection.exporter_main_v2` through the compatibility layer."""

from __future__ import annotations

import sys

from kpt_tools.odapi import compat, events


def main() -> None:
    """Run the OD API's export program with its own flags."""
    compat.activate()
    events.emit("phase", name="importing TensorFlow")
    from absl import app
    from object_detection import exporter_main_v2

    events.emit("phase", name="building and exporting the model")
    app.run(exporter_main_v2.main, argv=sys.argv)


if __name__ == "__main__":
    main()
