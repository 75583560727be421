from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from kpt_tools.config.records_manifest import RecordsManifest, SplitRecords
from kpt_tools.config.train import TrainConfig
from kpt_tools.entities import Category, KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import pipeline_config
from kpt_tools.stages import preflight as module
from kpt_tools.stages.preflight import preflight

pytest.importorskip("object_detection")

LABEL_MAP = LabelMap((LabelMapItem(1, "mouse", (KeypointLabel(0, "nose", "nose"),)),))
CONFIG = """
model { center_net {
  feature_extractor { type: "hourglass_104" } image_resizer { fixed_shape_resizer { height: 512 width: 512 } }
} }
train_config { batch_size: 12 }
"""


def resolved():
    return pipeline_config.parse(CONFIG, "pipeline.config")


def write_manifest(folder: Path, name: str = "mouse", labelled: int = 30) -> str:
    split = SplitRecords("train.record-*", {}, 10, 12, labelled)
    category = Category(1, name, ("nose",))
    RecordsManifest("label_map.pbtxt", (category,), {"train": split}, (480, 640), {}).write(folder)
    return str(folder / "train.record-*")


def run(tmp_path: Path, records: str | None = None, **settings: object) -> module.Preflight:
    config = dataclasses.replace(TrainConfig(run=tmp_path / "runs" / "new"), **settings)
    return preflight(config, resolved(), [records or write_manifest(tmp_path)], LABEL_MAP)


def test_it_tells_of_data_memory_and_disk(tmp_path) -> None:
    found = run(tmp_path)
    assert found.batch_size == 12
    assert [line.partition(":")[0] for line in found.lines] == ["data", "memory", "disk"]
    assert found.lines[0] == "data: 10 images, 12 objects, 30 labelled keypoints"


def test_records_of_another_program_have_no_manifest(tmp_path) -> None:
    found = run(tmp_path, str(tmp_path / "elsewhere" / "train.record"))
    assert [line.partition(":")[0] for line in found.lines] == ["memory", "disk"]


def test_records_without_a_labelled_keypoint_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="not one keypoint is labelled in its 12 objects"):
        run(tmp_path, write_manifest(tmp_path, labelled=0))


def test_records_of_other_classes_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="its records have the classes Mouse; the label map has mouse"):
        run(tmp_path, write_manifest(tmp_path, name="Mouse"))


@pytest.mark.parametrize(
    ("free_gb", "batch_size", "expected"),
    [
        pytest.param(1000.0, "auto", 12, id="all-fits"),
        pytest.param(20.0, "auto", 4, id="some-fits"),
        pytest.param(0.5, "auto", 1, id="nothing-fits"),
        pytest.param(0.5, "3", 3, id="a-number-is-a-number"),
        pytest.param(0.5, None, 12, id="the-config's"),
    ],
)
def test_the_batch_size_by_memory(tmp_path, monkeypatch, free_gb: float, batch_size: str | None, expected: int) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: free_gb * 1e9)
    found = run(tmp_path, batch_size=batch_size)
    assert found.batch_size == expected
    assert bool(found.warnings) == (free_gb < 1)


@pytest.mark.parametrize("value", ["0", "-1", "many", "2.5", ""])
def test_a_batch_size_that_makes_no_sense_is_refused(tmp_path, value: str) -> None:
    with pytest.raises(ConfigError, match=f"--batch-size '{value}'; expected a number from 1, or auto"):
        run(tmp_path, batch_size=value)


def test_a_full_disk_is_refused_before_anything_starts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_free_disk", lambda folder: 1e9)
    with pytest.raises(ConfigError, match=r"1\.0 GB free on this disk; one checkpoint takes about 2\.3 GB"):
        run(tmp_path)
    monkeypatch.setattr(module, "_free_disk", lambda folder: 5e9)
    assert run(tmp_path).warnings[-1] == "the disk may be full before the end of the training."
