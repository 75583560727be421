from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpt_tools.annotations.coco import to_coco
from kpt_tools.config.records_manifest import RecordsManifest, SplitRecords
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.stages.run_story import duration_text, run_story

RESULTS = "step,images_per_s,learning_rate,Loss/total_loss\n1,2.0,0.001,4.0\n2,2.0,0.001,3.0\n"
CONFIG = """model {
  center_net {
    num_classes: 1
    feature_extractor {
      type: "mobilenet_v2_fpn"
      bgr_ordering: false
    }
  }
}
train_config {
  batch_size: 8
  data_augmentation_options {
    random_horizontal_flip {
    }
  }
}
eval_config {
  batch_size: 1
}
"""


def write_run(folder: Path, **manifest: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"seconds": 10.0, "config": {"seed": 3, "steps": None}, **manifest}))
    (folder / "pipeline.config").write_text(CONFIG)
    (folder / "results.csv").write_text(RESULTS)
    return folder


def test_a_run_tells_its_story(tmp_path: Path) -> None:
    story = run_story(write_run(tmp_path))
    assert story.settings == {"seed": "3", "batch size": "8", "feature extractor": "mobilenet_v2_fpn"}
    assert story.curve is not None
    assert (story.curve.steps, story.seconds, story.problems) == ((1, 2), 10.0, ())
    assert story.training_split is None
    assert story.labels(LabelMap(())) == {}


def test_what_was_measured_while_training(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "validation.csv").write_text("step,oks_ap,box_ap\n10,,0.1\n20,0.5,0.25\n")
    best = {"step": 20, "metric": "oks_ap", "value": 0.5, "scores": {"oks_ap": 0.5}}
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "best.json").write_text(json.dumps(best))
    story = run_story(tmp_path)
    assert story.best is not None
    assert story.best.text == "oks_ap 0.500 at step 20"
    assert story.validation is not None
    assert (story.validation.steps, story.validation.last("box_ap")) == ((10, 20), 0.25)
    (tmp_path / "best" / "best.json").write_text("{}")
    (told,) = run_story(tmp_path).problems
    assert "best.json: damaged" in told


def test_nothing_must_be_there(tmp_path: Path) -> None:
    story = run_story(tmp_path)
    assert (story.settings, story.curve, story.validation, story.best) == ({}, None, None, None)
    assert (story.seconds, story.problems) == (None, ())


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    (tmp_path / "results.csv").write_text(RESULTS + "3,2.0")
    first, second = run_story(tmp_path).problems
    assert "run.json: not valid JSON" in first
    assert second.endswith("results.csv: 1 row(s) that cannot be read were passed over.")


def test_labels_are_counted_in_the_json_beside_the_training_records(tmp_path: Path) -> None:
    records = tmp_path / "tfrecord"
    records.mkdir()
    category = Category(1, "mouse", ("nose", "tail"))
    points = [((1, 1, 2), (2, 2, 1)), ((1, 1, 2), (0, 0, 0))]
    instances = tuple(Instance(i, 1, 1, (0, 0, 5, 5), 25.0, tuple(p)) for i, p in enumerate(points, start=1))
    dataset = Dataset((ImageRecord(1, "a.jpg", 9, 9),), (category,), instances)
    (records / "train.json").write_text(json.dumps(to_coco(dataset)))
    split = SplitRecords("train.record-?????-of-00001", {}, 1, 2, 3)
    RecordsManifest("label_map.pbtxt", (category,), {"train": split}, (9, 9), {}).write(records)
    story = run_story(write_run(tmp_path / "run", train_records=[str(records / split.pattern)]))
    slots = (KeypointLabel(0, "mouse_nose", "nose"), KeypointLabel(1, "tail", "tail"))
    assert story.labels(LabelMap((LabelMapItem(1, "mouse", slots),))) == {"mouse_nose": 2, "tail": 1}
    assert story.training_split == (records / "train.json", split)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, None), (4.4, "4 s"), (89.0, "89 s"), (956.3, "16 min"), (5400.0, "1 h 30 min"), (7500.0, "2 h 05 min")],
)
def test_duration(seconds: float | None, text: str | None) -> None:
    assert duration_text(seconds) == text
