"""What the OD API's *tests* themselves need on today's packages. Nothing of this is in kpt_tools.

A break in the OD API's own code is repaired in `kpt_tools.odapi.fixes`; these are only in its tests, so users do not
meet them.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any


def install(standins: Path, package: Path) -> None:
    """Install all of them; imports TensorFlow.

    Args:
        standins: the folder with the files of `standins.write`.
        package: the installed package object_detection.
    """
    _old_names_of_assertions()
    _one_element_tensor_to_int()
    _float_pixels_as_bytes()
    _data_files(standins, package)
    _two_cpus()


def _old_names_of_assertions() -> None:
    """``assertEquals`` and ``assertRaisesRegexp`` are gone from Python 3.12's unittest."""
    for old, new in (("assertEquals", "assertEqual"), ("assertRaisesRegexp", "assertRaisesRegex")):
        if not hasattr(unittest.TestCase, old):
            setattr(unittest.TestCase, old, getattr(unittest.TestCase, new))


def _one_element_tensor_to_int() -> None:
    """``int(detections['num_detections'])`` of shape [1]: numpy >= 2.4 converts arrays without dimensions only."""
    from tensorflow.python.framework import ops

    def to_int(self: Any) -> int:
        return int(self.numpy().item())

    ops.EagerTensor.__int__ = to_int


def _float_pixels_as_bytes() -> None:
    """``Image.fromarray(np.random.rand(256, 256, 3), 'RGB')``: Pillow >= 11.3 no longer reads floats as bytes."""
    import numpy as np
    from PIL import Image

    original = Image.fromarray

    def fromarray(obj: Any, mode: str | None = None) -> Image.Image:
        if mode == "RGB" and obj.dtype == np.float64:
            return original((obj * 255).astype(np.uint8))
        return original(obj, mode)

    Image.fromarray = fromarray


def _data_files(standins: Path, package: Path) -> None:
    """The tests look for their data beside themselves, where the sdist has none; show them `standins`."""
    import tensorflow as tf

    def get_data_files_path() -> str:
        caller = Path(sys._getframe(1).f_code.co_filename).resolve()
        return str(standins / package.name / caller.parent.relative_to(package))

    tf.compat.v1.resource_loader.get_data_files_path = get_data_files_path


def _two_cpus() -> None:
    """A test mirrors a model over '/cpu:0' and '/cpu:1'."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
