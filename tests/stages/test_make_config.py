"""make-config from records to file, and its command."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kpt_tools.cli.main import run
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.records_manifest import RecordsManifest, SplitRecords, read_manifest
from kpt_tools.entities import Category
from kpt_tools.errors import ConfigError, DataError, KptToolsError
from kpt_tools.pipeline.label_map import format_label_map, label_map_of

PLIERS = ("right_handle", "left_handle", "middle", "right_head", "left_head")


def split(name: str, images: int, shards: int = 1, **changes: int) -> SplitRecords:
    names = [f"{name}.record-{i:05d}-of-{shards:05d}" for i in range(shards)]
    values = SplitRecords(
        f"{name}.record-?????-of-{shards:05d}", dict.fromkeys(names, ""), images, images, images * 5, 1
    )
    return dataclasses.replace(values, **changes)


def put_records(project: Path, *splits: tuple[str, SplitRecords], categories: tuple[Category, ...] = ()) -> Path:
    """A folder of (empty) shards with label map and manifest, as make-tfrecord leaves it."""
    categories = categories or (Category(1, "pliers", PLIERS, ((0, 2), (1, 2))),)
    folder = project / "dataset" / "tfrecord"
    folder.mkdir(parents=True)
    (project / "label_maps").mkdir()
    text = format_label_map(label_map_of(categories))
    (project / "label_maps" / "label_map.pbtxt").write_text(text, encoding="utf-8")
    table = dict(splits or (("train", split("train", 93, 2)), ("val", split("val", 23))))
    for value in table.values():
        for shard in value.shards:
            (folder / shard).touch()
    RecordsManifest("../../label_maps/label_map.pbtxt", categories, table, (480, 640), {}).write(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, and the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def cpu(**changes: object) -> MakeConfigConfig:
    return MakeConfigConfig(template="centernet_cpu_256_kpts", **changes)  # type: ignore[arg-type]


@pytest.mark.odapi
def test_paths_are_relative_within_the_project(project: Path) -> None:
    from kpt_tools.odapi import pipeline_config
    from kpt_tools.stages.make_config import make_config

    put_records(project)
    result = make_config(cpu(records=project / "dataset" / "tfrecord"))
    message = pipeline_config.read(result.path)
    assert result.path == Path("pipeline.config")
    train, (val,) = message.train_input_reader, message.eval_input_reader
    assert list(train.tf_record_input_reader.input_path) == ["dataset/tfrecord/train.record-?????-of-00002"]
    assert list(val.tf_record_input_reader.input_path) == ["dataset/tfrecord/val.record-?????-of-00001"]
    assert train.label_map_path == "label_maps/label_map.pbtxt"
    assert result.flip_names == (("right_handle", "left_handle"), ("right_head", "left_head"))
    assert result.schedule.steps == message.train_config.num_steps
    assert result.warnings == ()
    assert "# Mirror images exchange: right_handle and left_handle" in result.path.read_text()


@pytest.mark.odapi
def test_paths_outside_are_absolute(project: Path, tmp_path: Path) -> None:
    from kpt_tools.stages.make_config import make_config

    folder = put_records(tmp_path / "elsewhere")
    inputs = make_config(cpu(records=Path("../elsewhere/dataset/tfrecord"))).inputs
    assert inputs.train_records == f"{folder}/train.record-?????-of-00002"
    assert inputs.label_map_path == str(tmp_path / "elsewhere" / "label_maps" / "label_map.pbtxt")


@pytest.mark.odapi
def test_options_reach_the_config(project: Path) -> None:
    from kpt_tools.odapi import pipeline_config
    from kpt_tools.stages.make_config import make_config

    put_records(project)
    (project / "s.json").write_text(json.dumps({"middle": 0.2}))
    index = project / "pretrained_models" / "mine" / "checkpoint" / "ckpt-0.index"
    index.parent.mkdir(parents=True)
    index.touch()
    result = make_config(
        cpu(
            batch_size=4,
            epochs=2,
            learning_rate=0.01,
            flip_pairs="right_head:left_head",
            sigmas="s.json",
            pretrained="mine",
            out=Path("configs/a.config"),
            overrides=("train_config.batch_size=3", "eval_config.min_score_threshold=0.5"),
        )
    )
    message = pipeline_config.read(project / "configs" / "a.config")
    train = message.train_config
    assert (train.batch_size, train.num_steps) == (3, 47)
    assert train.fine_tune_checkpoint == "pretrained_models/mine/checkpoint/ckpt-0"
    assert list(train.data_augmentation_options[0].random_horizontal_flip.keypoint_flip_permutation) == [0, 1, 2, 4, 3]
    (metric,) = message.eval_config.parameterized_metric
    assert metric.coco_keypoint_metrics.keypoint_label_to_sigmas["middle"] == pytest.approx(0.2)
    assert [(o.before, o.after) for o in result.overrides] == [("4", "3"), ("0.2", "0.5")]


@pytest.mark.odapi
def test_a_checkpoint_of_another_extractor_is_refused(project: Path) -> None:
    from kpt_tools.stages.make_config import make_config

    put_records(project)
    run_folder = project / "runs" / "old"
    run_folder.mkdir(parents=True)
    (run_folder / "ckpt-9.index").touch()
    text = 'model { center_net { feature_extractor { type: "resnet_v1_50_fpn" } } }'
    (run_folder / "pipeline.config").write_text(text)
    with pytest.raises(ConfigError, match=r"ckpt-9: .* is resnet_v1_50_fpn, this model's is mobilenet_v2_fpn:"):
        make_config(cpu(pretrained="runs/old"))
    (run_folder / "pipeline.config").write_text(text.replace("resnet_v1_50_fpn", "mobilenet_v2_fpn"))
    assert make_config(cpu(pretrained="runs/old")).inputs.checkpoint == "runs/old/ckpt-9"


@pytest.mark.odapi
def test_warnings(project: Path) -> None:
    from kpt_tools.stages.make_config import make_config

    train = split("train", 9, instances=500, max_instances=0)
    put_records(project, ("train", train), categories=(Category(1, "ear", ("left_ear", "tip")),))
    warnings = make_config(cpu()).warnings
    assert len(warnings) == 3
    assert "'left_ear' names a side" in warnings[0]
    assert "no validation records" in warnings[1]
    assert "objects beyond 100 would be cut off" in warnings[2]


def resizer_of(**changes: object) -> str:
    from kpt_tools.odapi import pipeline_config
    from kpt_tools.stages.make_config import make_config

    make_config(MakeConfigConfig(**changes))  # type: ignore[arg-type]
    return " ".join(str(pipeline_config.read(Path("pipeline.config")).model.center_net.image_resizer).split())


def square(side: int) -> str:
    return f"keep_aspect_ratio_resizer {{ min_dimension: {side} max_dimension: {side} pad_to_max_dimension: true }}"


@pytest.mark.odapi
def test_shape_and_size_of_the_input(project: Path) -> None:
    """A rectangle where all images have one shape and the template allows it."""
    folder = put_records(project)
    assert resizer_of(template="centernet_cpu_256_kpts") == square(256), "the manifest does not tell shapes"
    manifest = dataclasses.replace(read_manifest(folder), aspect_range=(4 / 3, 1.34))
    manifest.write(folder)
    assert read_manifest(folder) == manifest
    assert resizer_of(template="centernet_cpu_256_kpts") == "fixed_shape_resizer { height: 192 width: 256 }"
    found = resizer_of(template="centernet_cpu_256_kpts", input_size=384)
    assert found == "fixed_shape_resizer { height: 288 width: 384 }"
    assert "# Input: 384 x 288 px" in Path("pipeline.config").read_text()
    assert resizer_of(fresh=True) == square(512)
    assert resizer_of(fresh=True, input_size=384) == square(384)


@pytest.mark.odapi
def test_a_config_that_was_there_stays_when_the_new_one_fails(project: Path) -> None:
    from kpt_tools.stages.make_config import make_config

    put_records(project)
    Path("pipeline.config").write_text("old")
    with pytest.raises(ConfigError, match="has no field 'batch_sise'"):
        make_config(cpu(overrides=("train_config.batch_sise=3",)))
    assert Path("pipeline.config").read_text() == "old"
    assert sorted(path.name for path in project.iterdir()) == ["dataset", "label_maps", "pipeline.config"]


@pytest.mark.odapi
@pytest.mark.parametrize(
    ("config", "error", "match"),
    [
        pytest.param(
            MakeConfigConfig(), ConfigError, "pretrained model of this template is not there", id="no-zoo-model"
        ),
        pytest.param(
            cpu(records=Path("nothing")), ConfigError, "no such file; expected a manifest of records", id="no-records"
        ),
        pytest.param(cpu(steps=1, epochs=1), ConfigError, "--epochs 1 and --steps 1", id="steps-and-epochs"),
        pytest.param(
            cpu(input_size=300), ConfigError, r"--input-size 300; expected a multiple of 32, .*: 288 or 320", id="size"
        ),
        pytest.param(cpu(input_size=0), ConfigError, r"--input-size 0; expected a multiple of 32", id="no-size"),
        pytest.param(cpu(sigmas="5"), ConfigError, "sigma is 5", id="sigma-five"),
        pytest.param(cpu(flip_pairs="left_hed:right_head"), ConfigError, "did you mean 'left_head'", id="flip-typo"),
        pytest.param(
            cpu(label_map=Path("other.pbtxt")), DataError, r"has 'Pliers' \(tip\); the records .* 'pliers'", id="map"
        ),
    ],
)
def test_refused(project: Path, config: MakeConfigConfig, error: type[KptToolsError], match: str) -> None:
    from kpt_tools.stages.make_config import make_config

    put_records(project)
    other = label_map_of((Category(1, "Pliers", ("tip",)),))
    (project / "other.pbtxt").write_text(format_label_map(other))
    with pytest.raises(error, match=match):
        make_config(config)
    assert not Path("pipeline.config").exists()


@pytest.mark.odapi
def test_missing_shards(project: Path) -> None:
    from kpt_tools.stages.make_config import make_config

    folder = put_records(project)
    (folder / "train.record-00001-of-00002").unlink()
    with pytest.raises(DataError, match=r"1 of 2 shards .* are missing \(train\.record-00001-of-00002\)"):
        make_config(cpu())


@pytest.mark.odapi
def test_a_folder_that_the_od_api_would_read_as_a_pattern(project: Path) -> None:
    from kpt_tools.stages.make_config import make_config

    put_records(project / "set[1]")
    with pytest.raises(ConfigError, match=r"set\[1\].* has one of \* \? \["):
        make_config(cpu(records=Path("set[1]/dataset/tfrecord")))


@pytest.mark.odapi
def test_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_records(project, categories=(Category(1, "[red]pliers", PLIERS),))
    assert run(["make-config", "--template", "centernet_cpu_256_kpts", "--set", "train_config.batch_size=2"]) == 0
    out = capsys.readouterr().out
    assert "[red]pliers: 5 keypoints" in out
    assert "right_handle <-> left_handle" in out
    assert "set train_config.batch_size: 4 -> 2" in out
    assert "Wrote pipeline.config. Next: kpt-tools train pipeline.config" in out


@pytest.mark.odapi
def test_command_fails_in_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_records(project)
    assert run(["make-config"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("kpt-tools: error: pretrained_models/centernet_hg104_512x512")
    assert err.count("\n") == 1


def test_templates_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["make-config", "--list-templates"]) == 0
    assert capsys.readouterr().out.count("centernet_") == 7


@pytest.mark.odapi
def test_tensorflow_is_not_loaded(project: Path, repository: Path) -> None:
    put_records(project)
    code = (
        "import sys; from kpt_tools.cli.main import run;"
        "assert run(['make-config', '--template', 'centernet_cpu_256_kpts']) == 0;"
        "print(sorted({'tensorflow', 'cv2', 'matplotlib', 'pycocotools', 'tf_keras'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert told.stdout.splitlines()[-1] == "[]"
