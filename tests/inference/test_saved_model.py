"""The engine on a real SavedModel with the exporter's signature, and `kpt-tools infer` from end to end."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kpt_tools.cli.main import run
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.saved_model import SavedModelEngine, is_exported

pytestmark = pytest.mark.odapi


def metadata() -> ModelMetadata:
    patch = LabelMapItem(1, "patch", (KeypointLabel(0, "left", "left"), KeypointLabel(1, "right", "right")))
    return ModelMetadata(LabelMap((patch,)), skeleton=((0, 1),), sigmas=(0.05, 0.05), input_hw=(64, 64))


def tensorflow() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
    return tf


def save_model(folder: Path, *, dtype: str = "uint8", leave_out: str = "") -> Path:
    """An export whose model finds the red patch of a picture, with the OD API exporter's names and shapes."""
    tf = tensorflow()

    class RedPatch(tf.Module):  # type: ignore[misc,name-defined]
        @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], dtype, name="input_tensor")])
        def __call__(self, input_tensor: Any) -> dict[str, Any]:
            pixels = tf.cast(input_tensor[0], tf.float32)
            red = (pixels[..., 0] > 180.0) & (pixels[..., 1] < 90.0) & (pixels[..., 2] < 90.0)
            places = tf.cast(tf.where(red), tf.float32)
            size = tf.cast(tf.shape(pixels)[:2], tf.float32)
            found = tf.shape(places)[0] > 20
            low = tf.cond(found, lambda: tf.reduce_min(places, 0) / size, lambda: tf.zeros(2))
            high = tf.cond(found, lambda: (tf.reduce_max(places, 0) + 1.0) / size, lambda: tf.ones(2))
            score = tf.cond(found, lambda: 0.9, lambda: 0.01)
            points = tf.stack([low, tf.stack([low[0], high[1]])])
            outputs = {
                "detection_boxes": tf.concat([low, high], 0)[tf.newaxis, tf.newaxis],
                "detection_classes": tf.ones([1, 1]),
                "detection_scores": tf.reshape(score, [1, 1]),
                "detection_keypoints": points[tf.newaxis, tf.newaxis],
                "detection_keypoint_scores": tf.fill([1, 1, 2], 0.8),
                "num_detections": tf.ones([1]),
            }
            return {name: value for name, value in outputs.items() if name != leave_out}

    module = RedPatch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(module, str(folder / "saved_model"), signatures=module.__call__.get_concrete_function())
    (folder / "label_map.pbtxt").write_text('item { id: 1 name: "patch" }\n')
    write_metadata(folder, metadata())
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def engine(exported: Path) -> SavedModelEngine:
    return SavedModelEngine(exported)


def patch_pixels(colour: tuple[int, int, int] = (255, 0, 0)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    pixels = np.full((120, 160, 3), 128, np.uint8)
    pixels[30:50, 40:90] = colour
    return pixels


def test_arrays_of_one_image(engine: SavedModelEngine) -> None:
    raw = engine.detect(patch_pixels())
    assert {name: array.shape for name, array in raw.items()} == {
        "detection_boxes": (1, 4),
        "detection_classes": (1,),
        "detection_scores": (1,),
        "detection_keypoints": (1, 2, 2),
        "detection_keypoint_scores": (1, 2),
    }
    np.testing.assert_allclose(raw["detection_boxes"][0], [30 / 120, 40 / 160, 50 / 120, 90 / 160], rtol=1e-6)
    assert raw["detection_scores"][0] == pytest.approx(0.9)


def test_blue_is_not_red(engine: SavedModelEngine) -> None:
    assert engine.detect(patch_pixels((0, 0, 255)))["detection_scores"][0] == pytest.approx(0.01)


def test_a_model_of_one_picture_looks_at_several_one_by_one(engine: SavedModelEngine) -> None:
    """As exports of kpt-tools up to now and of the OD API are."""
    pictures = [patch_pixels(), patch_pixels((0, 0, 255)), patch_pixels()[:60]]
    found = engine.detect_batch(pictures)
    assert len(found) == 3
    for raw, picture in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(raw["detection_boxes"], engine.detect(picture)["detection_boxes"])
    assert engine.detect_batch([]) == []
    assert engine.signatures() == {"serving_default": "uint8[1, ?, ?, 3]"}


def test_what_goes_in_and_comes_out(engine: SavedModelEngine, exported: Path) -> None:
    assert engine.input_specs() == {"input_tensor": "uint8[1, ?, ?, 3]"}
    assert engine.output_specs()["detection_boxes"] == "float32[1, 1, 4]"
    assert engine.metadata == metadata()
    assert is_exported(exported)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4)])
def test_refuses_other_arrays(engine: SavedModelEngine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \[H, W, 3\] uint8"):
        engine.detect(np.zeros(shape, np.uint8))


def test_refuses_another_input(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="expected images 'input_tensor' of uint8"):
        SavedModelEngine(save_model(tmp_path, dtype="float32"))


def test_refuses_a_model_without_keypoints(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"gives no detection_keypoints, which kpt_tools\.json promises"):
        SavedModelEngine(save_model(tmp_path, leave_out="detection_keypoints"))


def test_damaged_model(exported: Path, tmp_path: Path) -> None:
    tensorflow()
    (tmp_path / "saved_model").mkdir()
    for name in ("label_map.pbtxt", "kpt_tools.json"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(
        EngineError, match=r"saved_model\.pb: TensorFlow .* cannot load it .*Run kpt-tools export again"
    ):
        SavedModelEngine(tmp_path)


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder; expected an exported model"):
        SavedModelEngine(tmp_path / "gone")


def make_images(folder: Path) -> Path:
    """The same scene as JPEG: plain, turned by EXIF, CMYK; grey; blue; and a damaged file."""
    folder.mkdir()
    scene = Image.fromarray(patch_pixels())
    exif = Image.Exif()
    exif[0x0112] = 6
    scene.save(folder / "1-plain.jpg", quality=97)
    scene.transpose(Image.Transpose.ROTATE_90).save(folder / "2-turned.jpg", exif=exif, quality=97)
    scene.convert("CMYK").save(folder / "3-cmyk.jpg", quality=97)
    scene.convert("L").save(folder / "4-grey.jpg", quality=97)
    Image.fromarray(patch_pixels((0, 0, 255))).save(folder / "5-blue.jpg", quality=97)
    (folder / "6-broken.jpg").write_bytes((folder / "1-plain.jpg").read_bytes()[:600])
    return folder


def test_infer_from_end_to_end(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, out = make_images(tmp_path / "images"), tmp_path / "out"
    code = run(["infer", str(images), "--model", str(exported), "--out", str(out), "--contact-sheet"])
    captured = capsys.readouterr()
    assert code == 3, "one image is damaged"
    assert "6-broken.jpg: cannot be decoded" in captured.err
    assert "Traceback" not in captured.err
    assert "detections of patch" in captured.out
    rows = json.loads((out / "predictions.json").read_text())
    assert [row["file_name"] for row in rows] == ["1-plain.jpg", "2-turned.jpg", "3-cmyk.jpg"]
    for row in rows:
        assert row["bbox"] == pytest.approx([40, 30, 50, 20], abs=1.5)
        assert row["keypoints"] == pytest.approx([40, 30, 0.8, 90, 30, 0.8], abs=1.5)
    assert len((out / "predictions.csv").read_text().splitlines()) == 4
    assert len(list((out / "pictures").iterdir())) == 5
    assert (out / "contact_sheet.jpg").is_file()


def test_infer_of_one_good_image_is_0(exported: Path, tmp_path: Path) -> None:
    image = make_images(tmp_path / "images") / "1-plain.jpg"
    assert run(["infer", str(image), "--model", str(exported), "--out", str(tmp_path / "out"), "--no-images"]) == 0
