"""One small fix per break between the OD API 2.8.0.post1 and today's packages.

A fix acts on one module, right after its import. It returns False where the installed version does not
have the break, and raises `EngineError` when the thing that it repairs is not where it should be.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from kpt_tools.errors import EngineError


@dataclass(frozen=True)
class Fix:
    """A named repair.

    Attributes:
        name: short and stable.
        versions: the versions that have the break.
        reason: what happens without the fix.
        module: the module after whose import it acts.
        apply: the repair; False if this version does not need it.
    """

    name: str
    versions: str
    reason: str
    module: str
    apply: Callable[[ModuleType], bool]


def _expect(condition: bool, fix: str, what: str) -> None:
    if not condition:
        raise EngineError(
            f"compatibility fix '{fix}': {what} was not found; this version is not one that kpt-tools knows. "
            "Run kpt-tools doctor and compare the versions with the documentation."
        )


def _estimator_mode_keys(tensorflow: ModuleType) -> bool:
    compat_v1 = tensorflow.compat.v1
    if hasattr(compat_v1, "estimator"):
        return False
    stub = ModuleType("tensorflow.compat.v1.estimator")
    stub.ModeKeys = SimpleNamespace(TRAIN="train", EVAL="eval", PREDICT="infer")  # type: ignore[attr-defined]
    compat_v1.estimator = stub
    sys.modules[stub.__name__] = stub
    return True


def _control_flow_names(tf_slim: ModuleType) -> bool:
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_ops

    missing = [name for name in ("case", "cond", "while_loop") if not hasattr(control_flow_ops, name)]
    for name in missing:
        _expect(hasattr(tf.compat.v1, name), "tf-slim-control-flow", f"tf.compat.v1.{name}")
        setattr(control_flow_ops, name, getattr(tf.compat.v1, name))
    return bool(missing)


def _font_getsize(image_font: ModuleType) -> bool:
    changed = False
    for cls in (image_font.ImageFont, image_font.FreeTypeFont):
        if hasattr(cls, "getsize"):
            continue
        _expect(hasattr(cls, "getbbox"), "pillow-getsize", f"{cls.__name__}.getbbox")

        def getsize(self: Any, text: str, *args: Any, **kwargs: Any) -> tuple[int, int]:
            _, _, right, bottom = self.getbbox(text, *args, **kwargs)
            return int(right), int(bottom)

        cls.getsize = getsize
        changed = True
    return changed


def _legacy_resnet(resnet_v1: ModuleType) -> bool:
    legacy = importlib.util.find_spec("tf_keras")
    _expect(hasattr(resnet_v1, "resnet"), "resnet-legacy-keras", "the name 'resnet' in keras_models.resnet_v1")
    if legacy is None:
        return False
    from tf_keras.src.applications import resnet

    resnet_v1.resnet = resnet  # type: ignore[attr-defined]
    return True


def _mobilenet_without_download(mobilenet_v2: ModuleType) -> bool:
    """CenterNet's extractors leave Keras' default, ImageNet weights; a path to other weights stays."""
    fix = "mobilenet-no-download"
    _expect(hasattr(mobilenet_v2, "mobilenet_v2"), fix, "mobilenet_v2() in keras_models.mobilenet_v2")
    original = mobilenet_v2.mobilenet_v2

    @functools.wraps(original)
    def without_download(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("weights", "imagenet") == "imagenet":
            kwargs["weights"] = None
        return original(*args, **kwargs)

    mobilenet_v2.mobilenet_v2 = without_download  # type: ignore[attr-defined]
    return True


def _integers_in_int64_list(dataset_util: ModuleType) -> bool:
    import tensorflow as tf

    _expect(hasattr(dataset_util, "int64_list_feature"), "int64-list-bools", "dataset_util.int64_list_feature")

    def int64_list_feature(value: Any) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(v) for v in value]))

    def int64_feature(value: Any) -> Any:
        return int64_list_feature([value])

    dataset_util.int64_list_feature = int64_list_feature  # type: ignore[attr-defined]
    dataset_util.int64_feature = int64_feature  # type: ignore[attr-defined]
    return True


def _numpy_aliases(numpy: ModuleType) -> bool:
    aliases = {
        "float": float,
        "int": int,
        "bool": bool,
        "object": object,
        "NAN": numpy.nan,
        "string_": numpy.bytes_,
    }
    missing = [name for name in aliases if name not in vars(numpy)]
    for name in missing:
        setattr(numpy, name, aliases[name])
    return bool(missing)


def _binary_fromstring(numpy: ModuleType) -> bool:
    _expect(hasattr(numpy, "fromstring"), "numpy-fromstring", "numpy.fromstring")
    original = numpy.fromstring
    if _takes_bytes(original):
        return False

    @functools.wraps(original)
    def fromstring(string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", **kwargs: Any) -> Any:
        if sep:
            return original(string, dtype, count, sep=sep, **kwargs)
        return numpy.frombuffer(string, dtype, count).copy()

    numpy.fromstring = fromstring  # type: ignore[attr-defined]
    return True


def _takes_bytes(fromstring: Callable[..., Any]) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            fromstring(b"\0", dtype="uint8")
        except ValueError:
            return False
    return True


def _canvas_tostring_rgb(visualization_utils: ModuleType) -> bool:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg
    if hasattr(canvas, "tostring_rgb"):
        return False
    _expect(hasattr(canvas, "buffer_rgba"), "canvas-tostring-rgb", "FigureCanvasAgg.buffer_rgba")

    def tostring_rgb(self: Any) -> bytes:
        import numpy as np

        return np.asarray(self.buffer_rgba())[..., :3].tobytes()

    canvas.tostring_rgb = tostring_rgb
    return True


FIXES: tuple[Fix, ...] = (
    Fix(
        "estimator-stub",
        "TensorFlow >= 2.16",
        "tensorflow.compat.v1.estimator is gone; inputs and model_lib import it for its ModeKeys",
        "tensorflow",
        _estimator_mode_keys,
    ),
    Fix(
        "tf-slim-control-flow",
        "tf-slim 1.1.0 with TensorFlow >= 2.14",
        "control_flow_ops has no attribute 'case' (nor cond, while_loop)",
        "tf_slim",
        _control_flow_names,
    ),
    Fix(
        "pillow-getsize",
        "Pillow >= 10",
        "fonts have no getsize; evaluation dies when it draws",
        "PIL.ImageFont",
        _font_getsize,
    ),
    Fix(
        "resnet-legacy-keras",
        "Keras 3 installed beside tf-keras",
        "resnet_v1 imports Keras 3's applications.resnet, which cannot take the OD API's layers",
        "object_detection.models.keras_models.resnet_v1",
        _legacy_resnet,
    ),
    Fix(
        "mobilenet-no-download",
        "all",
        "CenterNet's MobileNetV2 extractors download ImageNet weights while the model is built (URLError offline)",
        "object_detection.models.keras_models.mobilenet_v2",
        _mobilenet_without_download,
    ),
    Fix(
        "int64-list-bools",
        "protobuf >= 7",
        "Int64List rejects bools, which the dataset tools write for is_crowd",
        "object_detection.utils.dataset_util",
        _integers_in_int64_list,
    ),
    Fix(
        "numpy-aliases",
        "numpy >= 1.24",
        "np.float, np.int, np.bool, np.object, np.NAN and np.string_ are gone or new; metrics and tests still use them",
        "numpy",
        _numpy_aliases,
    ),
    Fix(
        "numpy-fromstring",
        "numpy >= 2.3",
        "np.fromstring no longer takes bytes; image summaries of plots are made with it",
        "numpy",
        _binary_fromstring,
    ),
    Fix(
        "canvas-tostring-rgb",
        "matplotlib >= 3.10",
        "figures have no tostring_rgb; image summaries of plots are made with it",
        "object_detection.utils.visualization_utils",
        _canvas_tostring_rgb,
    ),
)
