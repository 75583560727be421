from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kpt_tools.config.eval import EvalConfig
from kpt_tools.entities import (
    Detection,
    ImageRecord,
    Instance,
    KeypointLabel,
    LabelMap,
    LabelMapItem,
    ModelMetadata,
    Report,
)
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import Engine
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.records.encode import encode_example
from kpt_tools.records.tfrecord import write_record
from kpt_tools.stages.eval import evaluate_model
from kpt_tools.stages.eval_coco import coco_truth as coco_truth_of
from kpt_tools.stages.eval_truth import count_records, find_shards

PLACES = [(40, 30), (60, 80), (10, 10)]


def patch_picture(left: int, top: int) -> Image.Image:
    pixels = np.full((120, 160, 3), 128, np.uint8)
    pixels[top : top + 20, left : left + 50] = (255, 0, 0)
    return Image.fromarray(pixels)


def patch_object(number: int, left: int, top: int, class_id: int = 1) -> Instance:
    points = ((left, top, 2), (left + 50, top, 1))
    return Instance(number, number, class_id, (left, top, 50, 20), 1000.0, points)


@pytest.fixture
def coco_truth(tmp_path: Path) -> tuple[Path, Path]:
    """A JSON with foreign ids, keypoints in another order and a class that the model lacks; its images."""
    folder = tmp_path / "images"
    folder.mkdir()
    images, annotations = [], []
    for number, (left, top) in enumerate(PLACES, start=1):
        patch_picture(left, top).save(folder / f"{number}.png")
        images.append({"id": 250 + number, "file_name": f"{number}.png", "width": 160, "height": 120})
        points = [left + 50, top, 1, left, top, 2]
        annotations.append(
            {
                "id": number,
                "image_id": 250 + number,
                "category_id": 15,
                "bbox": [left, top, 50, 20],
                "area": 500,
                "iscrowd": False,
                "segmentation": [],
                "keypoints": points,
                "num_keypoints": 2,
            }
        )
    annotations.append(
        {
            "id": 9,
            "image_id": 251,
            "category_id": 17,
            "bbox": [1, 1, 5, 5],
            "area": 25,
            "iscrowd": 0,
            "segmentation": [],
        }
    )
    categories = [
        {"id": 15, "name": "patch", "keypoints": ["right", "left"], "skeleton": []},
        {"id": 16, "name": "bolt"},
        {"id": 17, "name": "nut"},
    ]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    return path, folder


def run(engine: Engine, tmp_path: Path, **settings: Any) -> Any:
    return evaluate_model(EvalConfig(model=tmp_path / "model", out=tmp_path / "out", **settings), engine=engine)


def test_annotations_perfect(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    outcome = run(engine, tmp_path, annotations=path, images=folder)
    patch, bolt = outcome.result.classes
    assert (patch.objects, patch.matched, patch.swapped, patch.swap_pairs) == (3, 3, 0, 3)
    assert patch.box.ap == pytest.approx(1)
    assert patch.oks is not None
    assert patch.oks.ap == pytest.approx(1)
    assert bolt.box.ap is None
    assert outcome.result.sigmas == (0.05, 0.1)
    assert [f.code for f in outcome.findings].count("class-not-in-model") == 1
    assert outcome.lost == ()


def test_what_is_written(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    outcome = run(engine, tmp_path, annotations=path, images=folder, min_score=0.5)
    stored = json.loads((outcome.out / "eval.json").read_text())
    inputs = {"model", "engine", "checkpoint", "truth", "inputs", "settings", "versions"}
    assert set(stored) == inputs | {"result", "report"}
    assert stored["inputs"]["annotations"]["path"] == str(path)
    assert len(stored["inputs"]["annotations"]["sha256"]) == 64
    assert stored["settings"]["area"] == "bbox"
    assert stored["result"]["classes"][0]["keypoints"][1]["sigma"] == 0.1
    assert "kpt-tools" in stored["versions"]
    rows = json.loads((outcome.out / "predictions.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(251, 15), (252, 15), (253, 15)]


@pytest.mark.parametrize(
    ("area", "sigmas", "fallbacks"),
    [("bbox", "0.05", 0), ("bbox*0.53", "0.2", 0), ("segm", "0.1", 0)],
)
def test_settings_reach_the_result(
    coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine, area: str, sigmas: str, fallbacks: int
) -> None:
    path, folder = coco_truth
    result = run(engine, tmp_path, annotations=path, images=folder, area=area, sigmas=sigmas).result
    assert (result.area, result.sigmas, result.area_fallbacks) == (area, (float(sigmas),) * 2, fallbacks)


def test_sigmas_from_a_file(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    (tmp_path / "sigmas.json").write_text('{"left": 0.02, "right": 0.03}')
    result = run(engine, tmp_path, annotations=path, images=folder, sigmas=str(tmp_path / "sigmas.json")).result
    assert result.sigmas == (0.02, 0.03)


def test_lost_images_are_told(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    (folder / "1.png").unlink()
    (folder / "2.png").write_bytes((folder / "3.png").read_bytes()[:40])
    outcome = run(engine, tmp_path, annotations=path, images=folder)
    assert outcome.result.images == 1
    assert [finding.image for finding in outcome.lost] == ["1.png", "2.png"]


def test_image_of_another_size_is_lost(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    patch_picture(10, 10).resize((80, 60)).save(folder / "1.png")
    outcome = run(engine, tmp_path, annotations=path, images=folder)
    assert len(outcome.lost) == 1
    assert "80x60 pixels; the JSON says 160x120" in outcome.lost[0].message


def test_exif_turned_image_is_measured_upright(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    """Annotated in the pixels as stored (as coco-annotator does it), measured on the upright picture."""
    path, folder = coco_truth
    exif = Image.Exif()
    exif[0x0112] = 3
    patch_picture(*PLACES[0]).save(folder / "1.png", exif=exif)
    outcome = run(engine, tmp_path, annotations=path, images=folder)
    assert outcome.lost == ()
    patch = outcome.result.classes[0]
    assert patch.box.ap == pytest.approx(1)
    assert (patch.swapped, patch.swap_pairs) == (1, 3), "upside down, the engine's left is the other corner"


def test_more_objects_than_coco_looks_at(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    content = json.loads(path.read_text())
    first = content["annotations"][0]
    content["annotations"] += [{**first, "id": 100 + i} for i in range(20)]
    path.write_text(json.dumps(content))
    outcome = run(engine, tmp_path, annotations=path, images=folder)
    told = [finding.message for finding in outcome.findings if finding.code == "many-objects"]
    assert len(told) == 1
    assert told[0].startswith("1.png: 21 objects of class 'patch'; OKS AP looks at 20")


def test_report_can_be_left_out(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    outcome = run(engine, tmp_path, annotations=path, images=folder, report=False)
    assert outcome.page is None
    assert sorted(file.name for file in outcome.out.iterdir()) == ["eval.json", "predictions.json", "run.json"]


def test_no_image_left(coco_truth: tuple[Path, Path], tmp_path: Path, engine: Engine) -> None:
    path, folder = coco_truth
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"nothing to measure on; the first problem: 1\.png"):
        run(engine, tmp_path, annotations=path, images=folder)
    assert not (tmp_path / "out" / "predictions.json").exists()


@pytest.fixture
def records(tmp_path: Path, engine: Engine) -> Path:
    """Two shards of validation records; returns their pattern."""
    folder = tmp_path / "tfrecord"
    folder.mkdir()
    for shard in range(2):
        with (folder / f"val.record-{shard:05d}-of-00002").open("wb") as handle:
            for number, (left, top) in list(enumerate(PLACES, start=1))[shard::2]:
                buffer = io.BytesIO()
                patch_picture(left, top).save(buffer, "PNG")
                image = ImageRecord(number, f"{number}.png", 160, 120)
                data = encode_example(
                    image, buffer.getvalue(), "png", [patch_object(number, left, top)], engine.metadata.label_map
                )
                write_record(handle, data)
    return folder / "val.record-?????-of-00002"


def test_records_given(records: Path, tmp_path: Path, engine: Engine) -> None:
    outcome = run(engine, tmp_path, records=str(records))
    assert outcome.result.images == 3
    assert outcome.result.box.ap == pytest.approx(1)
    assert outcome.result.oks.ap == pytest.approx(1)
    rows = json.loads((outcome.out / "predictions.json").read_text())
    assert sorted({row["image_id"] for row in rows}) == [1, 2, 3]


def test_records_of_the_run(records: Path, tmp_path: Path, engine: Engine) -> None:
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "pipeline.config").write_text("model {}")
    (run_folder / "run.json").write_text(json.dumps({"command": "train", "eval_records": [str(records)]}))
    outcome = evaluate_model(EvalConfig(model=run_folder), engine=engine)
    assert outcome.out == run_folder / "eval"
    assert outcome.result.images == 3
    manifest = json.loads((outcome.out / "run.json").read_text())
    assert sorted(manifest["inputs"]) == ["val.record-00000-of-00002", "val.record-00001-of-00002"]


def test_no_records_known(tmp_path: Path, engine: Engine) -> None:
    with pytest.raises(ConfigError, match=r"no validation records are known for this model.*--records"):
        run(engine, tmp_path)


def test_missing_shard(records: Path) -> None:
    (records.parent / "val.record-00001-of-00002").unlink()
    with pytest.raises(DataError, match="1 shards found; their names promise 2"):
        find_shards([str(records)])
    assert len(find_shards([str(records.parent / "val.record-00000-of-00002")])) == 1, "asked for by its full name"


def test_no_shard(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such records. Run kpt-tools make-tfrecord"):
        find_shards([str(tmp_path / "val*")])


@pytest.mark.parametrize("pattern", ["tfrecord", "tfrec*"])
def test_a_folder_is_no_shard(tmp_path: Path, pattern: str) -> None:
    """Was a traceback: IsADirectoryError."""
    (tmp_path / "tfrecord").mkdir()
    with pytest.raises(ConfigError, match=r"tfrecord: a folder; expected TFRecord shards.*val\.record-\*"):
        find_shards([str(tmp_path / pattern)])


def test_number_of_records_is_unknown_without_a_manifest(records: Path) -> None:
    assert count_records(find_shards([str(records)])) is None


def test_number_of_records_from_the_manifest(records: Path) -> None:
    from kpt_tools.config.records_manifest import RecordsManifest, SplitRecords

    shards = find_shards([str(records)])
    split = SplitRecords(records.name, {path.name: "" for path in shards}, 3, 3, 6)
    RecordsManifest("label_map.pbtxt", (), {"val": split}, (120, 160), {}).write(records.parent)
    assert count_records(shards) == 3
    assert count_records(shards[:1]) is None


def test_openfield_as_its_own_prediction(shared_data: Path) -> None:
    """Real annotations through the whole way of the truth; what was drawn, taken as detections, is perfect."""
    folder = shared_data / "openfield"
    report = Report()
    points = ("snout", "leftear", "rightear", "tailbase")
    item = LabelMapItem(1, "mouse", tuple(KeypointLabel(i, name, name) for i, name in enumerate(points)))
    truth = coco_truth_of(folder / "annotations.json", folder / "images", LabelMap((item,)), report)
    pairs = []
    for image in truth.read(report):
        detections = tuple(
            Detection(1, "mouse", 0.9, t.box_xywh_px, tuple((x, y, 1.0) for x, y, _ in t.keypoints_xyv))
            for t in image.instances
            if t.box_xywh_px
        )
        pairs.append(ImagePair(image.name, image.instances, detections))
        assert image.rgb.shape == (480, 640, 3)
    result = evaluate(pairs, ModelMetadata(LabelMap((item,)), flip_pairs=((1, 2),)), sigmas=(0.05,) * 4)
    assert result.images == 116
    assert (result.classes[0].objects, result.classes[0].swap_pairs, result.classes[0].swapped) == (116, 116, 0)
    assert result.box.ap == pytest.approx(1)
    assert result.oks.ap == pytest.approx(1)
    assert report.of_severity("error") == []
