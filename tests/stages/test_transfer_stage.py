"""make-config and train from a run folder: what is taken over stands in the events and in run.json."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.train import TrainConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.errors import ConfigError
from kpt_tools.stages.make_config import make_config
from kpt_tools.stages.make_tfrecord import make_tfrecord
from kpt_tools.stages.train import train

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]

# The network that is built and traced fastest.
SMALL = (
    "model.center_net.feature_extractor.type=hourglass_10",
    "model.center_net.feature_extractor.channel_means=[0, 0, 0]",
    "model.center_net.feature_extractor.channel_stds=[255, 255, 255]",
)
NEW_NAMES = {"middle": "joint"}
"""The second data set names one of the five keypoints differently, and its class is another."""


def put_records(folder, *, renamed: bool) -> None:
    made = make_pliers(folder / "pictures", 4, 3, (160, 120))
    if renamed:
        coco = json.loads(made.annotations.read_text())
        for category in coco["categories"]:
            category["name"] = "tongs"
            category["keypoints"] = [NEW_NAMES.get(name, name) for name in category["keypoints"]]
        made.annotations.write_text(json.dumps(coco))
    records = MakeTfrecordConfig(
        made.annotations, made.images, folder / "records", folder / "map.pbtxt", keep_empty=True
    )
    make_tfrecord(records)


def config_of(folder, **changes) -> MakeConfigConfig:
    small = MakeConfigConfig(
        records=folder / "records",
        template="centernet_cpu_256_kpts",
        out=folder / "pipeline.config",
        batch_size=2,
        steps=1,
        input_size=64,
        overrides=SMALL,
    )
    return replace(small, **changes)


def test_from_a_run_folder_to_other_names(tmp_path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    put_records(first, renamed=False)
    put_records(second, renamed=True)
    make_config(config_of(first))
    train(TrainConfig(first / "pipeline.config", first / "run"))
    manifest = json.loads((first / "run" / "run.json").read_text())
    assert manifest["transfer"] is None

    result = make_config(config_of(second, pretrained=str(first / "run")))
    assert result.inputs.checkpoint == str(first / "run" / "ckpt-1")
    events: list[dict] = []
    config = TrainConfig(second / "pipeline.config", second / "run")
    train(config, events.append)
    (event,) = (event for event in events if event["kind"] == "transfer")
    steps = [index for index, one in enumerate(events) if one["kind"] == "step"]
    assert events.index(event) < steps[0]
    manifest = json.loads((second / "run" / "run.json").read_text())
    assert manifest["config"]["transfer"] == "match"
    assert {"kind": "transfer", **manifest["transfer"]} == event
    parts = {part["part"]: part for part in event["parts"]}
    assert parts["feature extractor"]["fresh"] == 0
    assert parts["object centre"]["new"] == ["tongs"]
    heat_map = parts["keypoint heat map"]
    assert (heat_map["task"], heat_map["source_task"], heat_map["new"]) == ("tongs", "pliers", ["joint"])
    assert heat_map["kept"] == ["right_handle", "left_handle", "right_head", "left_head"]
    assert heat_map["fresh"] == 0

    # What only TensorFlow can see is refused by the child process, and is one line here all the same.
    with pytest.raises(ConfigError, match=r"ckpt-1: --transfer full cannot restore \d+ of 94 variables, first '_pred"):
        train(replace(config, run=second / "full", transfer="full"))
    assert json.loads((second / "full" / "run.json").read_text())["status"] == "failed"

    # The command again: there is nothing left to train, and the report stays.
    assert train(config).resumed_from == 1
    assert json.loads((second / "run" / "run.json").read_text())["transfer"] == manifest["transfer"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(
            {"transfer": "fine_tune"}, "--transfer 'fine_tune'; expected one of match, detection, full", id="mode"
        ),
        pytest.param(
            {"run": "first"}, r"first: holds the fine-tune checkpoint .*ckpt-0\. Choose another", id="same-folder"
        ),
    ],
)
def test_refused_before_anything_is_written(tmp_path, monkeypatch, change, match: str) -> None:
    monkeypatch.chdir(tmp_path)
    put_records(tmp_path, renamed=False)
    checkpoint = tmp_path / "first" / "checkpoint"
    checkpoint.mkdir(parents=True)
    for name in ("ckpt-0.index", "ckpt-0.data-00000-of-00001"):
        (checkpoint / name).touch()
    make_config(config_of(tmp_path, pretrained="first"))
    config = TrainConfig(**{"config": tmp_path / "pipeline.config", "run": "run", **change})
    with pytest.raises(ConfigError, match=match):
        train(replace(config, run=tmp_path / config.run))
    assert not (tmp_path / config.run / "run.json").exists()
    assert not (tmp_path / config.run / "pipeline.config").exists()
