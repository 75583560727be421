"""`infer` and `eval` on archives in the zoo's layout: 90 classes with random weights, and MoveNet with real ones."""

from __future__ import annotations

import json
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tfjs_graph import TfjsGraph

from kpt_tools.cli.main import run
from kpt_tools.config.eval import EvalConfig
from kpt_tools.config.import_movenet import ImportMovenetConfig
from kpt_tools.entities import Category
from kpt_tools.odapi import compat, pipeline_config
from kpt_tools.pipeline.coco_classes import zoo_label_map
from kpt_tools.pipeline.flips import find_flips
from kpt_tools.pipeline.label_map import format_label_map, label_map_of
from kpt_tools.pipeline.render import PipelineInputs, render
from kpt_tools.pipeline.resources import load_template
from kpt_tools.pipeline.schedule import Schedule
from kpt_tools.stages.eval import evaluate_model
from kpt_tools.stages.import_movenet import import_movenet

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

POINTS = [keypoint.label for keypoint in zoo_label_map().items[0].keypoints]
LOSS = """loss { localization_loss { l1_localization_loss {} }
  classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } } }"""

# What is to be seen of her in matplotlib's picture, read off it by eye; the rest is outside.
GRACE = {
    "nose": (262, 232), "left_eye": (308, 192), "right_eye": (224, 191), "left_ear": (364, 218),
    "right_ear": (172, 213), "left_shoulder": (458, 427), "right_shoulder": (80, 419),
}  # fmt: skip
GRACE_BOX = (16, 22, 480, 578)


def grace_hopper() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def pack(folder: Path, archive: Path, *, without: tuple[str, ...] = ()) -> Path:
    """An archive of a model's folder, as the zoo has them."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(folder, folder.name, filter=lambda info: None if Path(info.name).name in without else info)
    return archive


def truth_of(folder: Path, picture: Path, *, keypoints: bool = True) -> Path:
    """COCO ground truth of one picture, with ids and classes of its own."""
    width, height = Image.open(picture).size
    points = [value for name in POINTS for value in ((*GRACE[name], 2) if name in GRACE else (0, 0, 0))]
    person = {"id": 8, "name": "person"} | ({"keypoints": POINTS, "skeleton": []} if keypoints else {})
    annotation: dict[str, Any] = {"id": 1, "image_id": 5, "category_id": 8, "bbox": list(GRACE_BOX), "iscrowd": 0}
    annotation |= {"area": 200_000, "segmentation": []} | ({"keypoints": points} if keypoints else {})
    content = {
        "images": [{"id": 5, "file_name": picture.name, "width": width, "height": height}],
        "categories": [person, {"id": 9, "name": "flag"}],
        "annotations": [annotation],
    }
    path = folder / f"truth_{keypoints}.json"
    path.write_text(json.dumps(content))
    return path


# --- random weights, 90 classes


def zoo_config(label_map: Path) -> str:
    """A small network with the head of a zoo config: 90 classes, /m/01g317, no eval_config."""
    stds = " ".join(f'keypoint_label_to_std {{ key: "{label}" value: 1 }}' for label in POINTS)
    return f"""
model {{ center_net {{
  num_classes: 90
  feature_extractor {{ type: "hourglass_10" channel_means: [0, 0, 0] channel_stds: [255, 255, 255] }}
  image_resizer {{ keep_aspect_ratio_resizer {{ min_dimension: 64 max_dimension: 64 pad_to_max_dimension: true }} }}
  object_detection_task {{ task_loss_weight: 1 localization_loss {{ l1_localization_loss {{}} }} }}
  object_center_params {{ max_box_predictions: 30
    classification_loss {{ penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }} }} }}
  keypoint_label_map_path: "{label_map}"
  keypoint_estimation_task {{ task_name: "human_pose" keypoint_class_name: "/m/01g317" {stds}
    per_keypoint_offset: true offset_peak_radius: 3 {LOSS} }}
}} }}
"""


@pytest.fixture(scope="module")
def zoo_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive made with the OD API's own exporter; it has no label map and no kpt_tools.json."""
    compat.activate()
    import tensorflow as tf
    from object_detection import exporter_lib_v2
    from object_detection.builders import model_builder

    folder = tmp_path_factory.mktemp("zoo")
    label_map = folder / "mscoco.pbtxt"
    label_map.write_text(format_label_map(zoo_label_map()).replace('name: "person"', 'name: "/m/01g317"', 1))
    config = pipeline_config.parse(zoo_config(label_map), "zoo.config")
    tf.keras.utils.set_random_seed(3)
    model = model_builder.build(config.model, is_training=False)
    model.predict(*model.preprocess(tf.zeros([1, 64, 64, 3])))
    center = model.prediction_head_dict["object_center"][0].layers[-1]
    bias = np.full(90, -9.0, np.float32)
    bias[[0, 19]] = 1.0  # persons and sheep are seen everywhere
    center.bias.assign(bias)
    checkpoint = tf.train.Checkpoint(model=model)
    tf.train.CheckpointManager(checkpoint, str(folder / "ckpt"), max_to_keep=1).save(checkpoint_number=0)
    exporter_lib_v2.export_inference_graph("image_tensor", config, str(folder / "ckpt"), str(folder / "tiny_coco17"))
    return pack(folder / "tiny_coco17", folder / "tiny_coco17.tar.gz")


def test_infer_and_eval_on_an_archive_and_its_folder(
    zoo_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = Path(zoo_archive.name)
    archive.write_bytes(zoo_archive.read_bytes())
    picture = grace_hopper()
    assert run(["infer", str(picture), "--model", str(archive), "--out", "first", "--min-score", "0.5"]) == 0
    captured = capsys.readouterr()
    assert "tiny_coco17.tar.gz unpacked to tiny_coco17, which will be used from now on." in captured.err
    assert "90 classes, 17 keypoints, from its pipeline.config" in captured.err
    assert "classes without a detection" in captured.out
    assert "detections of bicycle" not in captured.out

    rows = json.loads(Path("first/predictions.json").read_text())
    assert {(row["category_id"], row["category_name"]) for row in rows} == {(1, "person"), (20, "sheep")}
    assert {len(row.get("keypoints", [])) for row in rows if row["category_id"] == 1} == {51}
    assert not any("keypoints" in row for row in rows if row["category_id"] == 20)

    truth = truth_of(tmp_path, picture)
    command = ["infer", str(picture), "--model", "tiny_coco17", "--out", "second", "--annotations", str(truth)]
    assert run([*command, "--min-score", "0.5", "--no-images"]) == 0
    mapped = json.loads(Path("second/predictions.json").read_text())
    assert {row["category_id"] for row in mapped} == {8}
    assert len(mapped) == sum(row["category_id"] == 1 for row in rows) > 0
    assert len(Path("second/predictions.csv").read_text().splitlines()) == 1 + len(rows)

    arguments = ["--annotations", str(truth), "--images", str(picture.parent)]
    assert run(["eval", str(archive), *arguments]) == 0
    result = json.loads(Path("runs/tiny_coco17/eval/eval.json").read_text())
    (person,) = result["result"]["classes"]
    assert (person["name"], person["objects"], len(person["keypoints"])) == ("person", 1, 17)
    assert [keypoint["sigma"] for keypoint in person["keypoints"]][:2] == [0.026, 0.025]
    codes = {finding["code"] for finding in result["report"]["findings"]}
    assert {"classes-not-in-truth", "class-not-in-model"} & codes == {"classes-not-in-truth"}

    boxes = EvalConfig(Path("tiny_coco17"), annotations=truth_of(tmp_path, picture, keypoints=False),
                       images=picture.parent, out=Path("boxes"))  # fmt: skip
    outcome = evaluate_model(boxes)
    assert (outcome.result.classes[0].name, outcome.result.classes[0].keypoints) == ("person", ())
    assert outcome.result.sigmas == ()
    capsys.readouterr()

    assert run(["eval", "tiny_coco17", "--records", "x-*"]) == 2
    assert run(["eval", "tiny_coco17"]) == 2
    assert run(["infer", str(picture), "--model", "centernet_mobilenetv2fpn_512x512_coco17_od"]) == 2
    first, second, third = capsys.readouterr().err.splitlines()
    assert "x-*: no such records" in first
    assert "give --annotations and --images" in second
    assert third.endswith("Run: kpt-tools fetch centernet_mobilenetv2fpn_512x512_coco17_od")


# --- real weights

TOP = "StatefulPartitionedCall/"
PYRAMID = f"{TOP}center_net_mobile_net_v2fpn_feature_extractor/model_1/"
HEADS = {
    "object_center": f"{TOP}center_0/conv2d_4/BiasAdd",
    "person/keypoint/heatmap": f"{TOP}kpt_heatmap_0/conv2d_5/BiasAdd",
    "person/keypoint/regression": f"{TOP}kpt_regress_0/conv2d_6/BiasAdd",
    "person/keypoint/offset": f"{TOP}kpt_offset_0/conv2d_7/BiasAdd",
}
RELATIVE = 1e-4
"""Largest difference, as a share of the largest value; 1/127.5 is stored with 16 bits there."""


@pytest.fixture(scope="module")
def movenet(shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The imported model, packed as an archive and gone, so that only that is left."""
    out = tmp_path_factory.mktemp("movenet") / "movenet_lightning"
    weights = shared_weights / "movenet_lightning" / "movenet_lightning_v4_float16.npz"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = import_movenet(ImportMovenetConfig(weights, out))
    assert (sum(result.arrays.values()), result.variables, result.constants) == (141, 309, 39)
    return out


@pytest.fixture(scope="module")
def graph(shared_weights: Path) -> TfjsGraph:
    return TfjsGraph(shared_weights / "movenet_lightning" / "movenet-lightning.json")


@pytest.fixture(scope="module")
def network(movenet: Path) -> Any:
    """The OD API's model of the imported config with the imported checkpoint, and the output of its backbone."""
    compat.activate()
    import tensorflow as tf
    from object_detection.builders import model_builder

    model = model_builder.build(pipeline_config.read(movenet / "pipeline.config").model, is_training=False)
    model.predict(*model.preprocess(tf.zeros([1, 192, 192, 3])))
    status = tf.train.Checkpoint(model=model).restore(str(movenet / "checkpoint" / "ckpt-0"))
    status.assert_existing_objects_matched()
    extractor = model._feature_extractor
    outputs = [extractor._base_model.get_layer("out_relu").output, extractor._feature_extractor_model.output]
    return model, tf.keras.Model(extractor._base_model.input, outputs)


def pictures(shared_data: Path) -> list[Path]:
    sheep = sorted((shared_data / "sheep" / "images" / "val").glob("*.jpg"))
    cats = sorted((shared_data / "cat" / "CAT_00").glob("*.jpg"))
    return [grace_hopper(), sheep[0], cats[0]]


def test_activations_are_those_of_the_original_graph(network: Any, graph: TfjsGraph, shared_data: Path) -> None:
    import tensorflow as tf

    model, inner = network
    tf.keras.backend.set_learning_phase(False)
    paths = pictures(shared_data)
    assert len(paths) == 3
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB").resize((192, 192), Image.Resampling.BILINEAR))[None]
        image, shape = model.preprocess(tf.constant(pixels, tf.float32))
        backbone, pyramid = inner(image, training=False)
        found = {f"{PYRAMID}model/out_relu/Relu6": backbone, f"{PYRAMID}re_lu_2/Relu": pyramid}
        found |= {HEADS[name]: values[-1] for name, values in model.predict(image, shape).items() if name in HEADS}
        assert len(found) == 6
        original = graph.run({"input": tf.constant(pixels, tf.int32)})
        for name, value in found.items():
            expected = np.asarray(original[name])
            assert value.shape == expected.shape
            difference = float(np.abs(value.numpy() - expected).max())
            print(f"{path.name} {name.removeprefix(TOP)}: {difference:.2g} of {np.abs(expected).max():.3g}")
            assert 1 < 1e6 * np.abs(expected).max()
            assert difference < RELATIVE * np.abs(expected).max(), (path.name, name)


def test_keypoints_are_those_of_the_original_graph(movenet: Path, graph: TfjsGraph) -> None:
    """The whole way, decoding included, on a square picture: nothing is padded."""
    import tensorflow as tf

    from kpt_tools.inference.saved_model import SavedModelEngine

    pixels = np.asarray(Image.open(grace_hopper()).convert("RGB").resize((192, 192), Image.Resampling.BILINEAR))
    raw = SavedModelEngine(movenet).detect(pixels)
    original = np.asarray(graph.run({"input": tf.constant(pixels[None], tf.int32)})["Identity"])[0, 0]
    # MoveNet prefers the person in the middle of the picture, which may move the object's centre by a cell, and points
    # that are guessed with it. 1/48 is stored with 16 bits there.
    sure = original[:, 2] > 0.3
    assert sure.sum() == len(GRACE)
    np.testing.assert_allclose(raw["detection_keypoints"][0][sure], original[sure, :2], rtol=5e-4)
    np.testing.assert_allclose(raw["detection_keypoint_scores"][0][sure], original[sure, 2], atol=1e-4)


def test_the_checkpoint_has_no_heads_for_boxes(movenet: Path) -> None:
    import tensorflow as tf

    names = [name for name, _ in tf.train.list_variables(str(movenet / "checkpoint" / "ckpt-0"))]
    assert len([name for name in names if name.startswith("model/")]) == 309
    assert not any("box" in name for name in names)
    assert json.loads((movenet / "imported.json").read_text())["lacking"] == ["box size", "box offset"]
    assert "object_detection_task" not in (movenet / "pipeline.config").read_text()


def test_movenet_packed_as_an_archive_finds_a_person(
    movenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pretrained_models").mkdir()
    pack(movenet, Path("pretrained_models/movenet.tar.gz"), without=("kpt_tools.json", "label_map.pbtxt"))
    picture = grace_hopper()
    truth = truth_of(tmp_path, picture)
    arguments = ["--annotations", str(truth), "--images", str(picture.parent), "--sigmas", "0.05"]
    assert run(["eval", "movenet.tar.gz", *arguments]) == 0
    result = json.loads(Path("runs/movenet/eval/eval.json").read_text())["result"]
    (person,) = result["classes"]
    assert (person["name"], person["matched"], person["errors"]["pck@0.05"]) == ("person", 1, 1.0)
    assert run(["infer", str(picture), "--model", "movenet", "--out", "seen"]) == 0
    (row,) = json.loads(Path("seen/predictions.json").read_text())
    for name, (x, y) in GRACE.items():
        place = 3 * POINTS.index(name)
        assert row["keypoints"][place : place + 2] == pytest.approx([x, y], abs=12), name


def test_a_mouse_that_starts_from_movenet(movenet: Path, tmp_path: Path) -> None:
    """All of the network fits the template but the outputs; its batch normalisations are known to be folded."""
    compat.activate()
    import tensorflow as tf
    from object_detection.builders import model_builder

    from kpt_tools.odapi.batch_norm_unfold import folded_layers
    from kpt_tools.odapi.transfer import transfer
    from kpt_tools.odapi.transfer_names import setting_differences

    names = label_map_of([Category(1, "mouse", ("snout", "left_ear"))])
    (tmp_path / "map.pbtxt").write_text(format_label_map(names))
    inputs = PipelineInputs(
        label_map=names,
        skeleton=(),
        sigmas=(0.05, 0.05),
        flips=find_flips(names),
        schedule=Schedule(8, 10, 1.0, 1e-3, 1e-4, 1, "as given"),
        label_map_path=str(tmp_path / "map.pbtxt"),
        train_records="none",
    )
    template = load_template("centernet_mobilenetv2_fpn_256_kpts")
    config = pipeline_config.parse(render(template, inputs), template.name)
    model = model_builder.build(config.model, is_training=True)
    model.predict(*model.preprocess(tf.zeros([1, 64, 64, 3])))
    prefix = movenet / "checkpoint" / "ckpt-0"
    report = transfer(model, config, prefix)
    parts = {part.part: (part.restored, part.adapted, part.fresh, part.kept) for part in report.parts}
    assert parts == {
        "feature extractor": (289, 0, 0, ()),
        "object centre": (3, 0, 2, ()),
        "box size": (0, 0, 5, ()),
        "box offset": (0, 0, 5, ()),
        "keypoint heat map": (3, 2, 0, ("left_ear",)),
        "keypoint regression": (3, 2, 0, ("left_ear",)),
        "keypoint offset": (3, 2, 0, ("left_ear",)),
    }
    assert report.differences == ()
    assert len(folded_layers(model)) == 55
    center = model.prediction_head_dict["object_center"][0].layers[-1]
    assert not center.kernel.numpy().any()
    other = pipeline_config.parse(render(load_template("centernet_mobilenetv2_fpn_512_kpts"), inputs), "512")
    (difference,) = setting_differences(prefix, other)
    assert "upsampling_interpolation is nearest, bilinear in the network" in difference
