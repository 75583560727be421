"""The SavedModel that is exported: three signatures, any number of pictures, and the OD API's own answers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decided_centernet import picture, save_export
from PIL import Image

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.odapi import pipeline_config, serving

# The OD API's own modules warn at import, and Keras while it builds.
pytestmark = [pytest.mark.odapi, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

KINDS = {"one class": {"mouse": ("snout", "tail")}, "two classes": {"mouse": ("snout", "tail"), "rat": ("nose",)}}


def encoded(image: np.ndarray, format: str) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, format)
    return sink.getvalue()


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """The original, what was saved of its checkpoint and loaded again, and the folder."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("served")
    original = save_export(folder / "made", **request.param)
    config = pipeline_config.read(folder / "made" / "pipeline.config")
    model = serving.restored_model(config, folder / "made" / "checkpoint" / "ckpt-0")
    serving.save(model, folder / "out")
    return original, tf.saved_model.load(str(folder / "out" / "saved_model")), folder


def call(loaded: Any, signature: str, values: Any) -> dict[str, np.ndarray]:
    import tensorflow as tf

    found = loaded.signatures[signature](input_tensor=tf.constant(values))
    return {name: value.numpy() for name, value in found.items()}


def assert_same(found: dict[str, np.ndarray], row: int, expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name][row], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_original_gives_what_the_test_can_tell_apart(served: tuple[Any, Any, Path]) -> None:
    """A test of the tests: scores differ within a picture, and pictures differ from one another."""
    detect, *_ = served
    first, second = detect(picture(1)), detect(picture(2))
    assert np.ptp(first["detection_scores"]) > 0.01, first["detection_scores"]
    for name in ("detection_boxes", "detection_keypoints", "detection_keypoint_scores"):
        assert len(np.unique(first[name].round(3))) > 3, name
        assert not np.allclose(first[name], second[name]), name
    assert first["detection_classes"].min() == 1


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("signature", [serving.UINT8_SIGNATURE, serving.FLOAT_SIGNATURE])
def test_any_number_of_pictures(served: tuple[Any, Any, Path], signature: str, count: int) -> None:
    detect, loaded, _ = served
    pictures = [picture(seed) for seed in range(count)]
    dtype = np.uint8 if signature == serving.UINT8_SIGNATURE else np.float32
    found = call(loaded, signature, np.stack(pictures).astype(dtype))
    for row, one in enumerate(pictures):
        assert_same(found, row, detect(one))


def test_encoded_pictures_of_different_sizes(served: tuple[Any, Any, Path]) -> None:
    detect, loaded, _ = served
    pictures = [picture(1, 48, 80), picture(2, 100, 40), picture(3, 64, 64)]
    found = call(loaded, serving.ENCODED_SIGNATURE, np.array([encoded(p, "PNG") for p in pictures], object))
    for row, one in enumerate(pictures):
        assert_same(found, row, detect(one))


def test_programs_made_for_the_od_api_go_on_to_work(served: tuple[Any, Any, Path]) -> None:
    """They call the loaded object itself, with one picture."""
    import tensorflow as tf

    detect, loaded, folder = served
    found = {name: value.numpy() for name, value in loaded(tf.constant(picture(1)[np.newaxis])).items()}
    assert_same(found, 0, detect(picture(1)))
    assert tf.train.latest_checkpoint(str(folder / "out" / "checkpoint")).endswith("ckpt-0")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "GIF"])
def test_pictures_are_decoded_as_pillow_decodes_them(format: str) -> None:
    data = encoded(picture(4, 90, 61), format)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(serving.decode_picture(data).numpy(), expected)


def test_a_checkpoint_of_another_model_is_refused(served: tuple[Any, Any, Path], tmp_path: Path) -> None:
    import tensorflow as tf

    tf.train.Checkpoint(model=tf.train.Checkpoint(x=tf.Variable(1.0))).write(str(tmp_path / "ckpt"))
    config = pipeline_config.read(served[2] / "made" / "pipeline.config")
    with pytest.raises(AssertionError, match="not bound to checkpointed values"):
        serving.restored_model(config, tmp_path / "ckpt")
