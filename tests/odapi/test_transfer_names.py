from __future__ import annotations

import re
from pathlib import Path

import pytest
from transfer_factories import config_text, label_map, model_config, parsed, task_text, tasks_of

from kpt_tools.errors import ConfigError
from kpt_tools.odapi import pipeline_config
from kpt_tools.odapi.transfer_names import (
    UNKNOWN_EXTRACTOR,
    ModelNames,
    TaskNames,
    extractor_of,
    names_from_heads,
    names_of,
    read_source,
    read_target,
    refuse_other_extractor,
    setting_differences,
)
from kpt_tools.pipeline.label_map import parse_label_map
from kpt_tools.pipeline.resources import load_label_map_text

pytest.importorskip("object_detection")
pytestmark = pytest.mark.odapi

COCO = tuple(k.label for k in parse_label_map(load_label_map_text("coco_person"), "coco").items[0].keypoints)


def mouse_and_box() -> ModelNames:
    tasks = (TaskNames("mouse_task", "mouse", ("snout", "tail"), per_keypoint_offset=True),)
    return ModelNames("hourglass_10", ("mouse", "box"), tasks)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param("object_center", (("mouse", 0), ("box", 0)), id="classes"),
        pytest.param("segmentation/heatmap", (("mouse", 0), ("box", 0)), id="masks"),
        pytest.param("mouse_task/keypoint/heatmap", (("snout", 0), ("tail", 0)), id="keypoints"),
        pytest.param(
            "mouse_task/keypoint/offset", (("snout", 0), ("snout", 1), ("tail", 0), ("tail", 1)), id="own-offsets"
        ),
        pytest.param(
            "mouse_task/keypoint/regression", (("snout", 0), ("snout", 1), ("tail", 0), ("tail", 1)), id="regression"
        ),
        pytest.param("mouse_task/keypoint/depth", (("", 0),), id="shared-depth"),
        pytest.param("box/scale", None, id="no-names"),
        pytest.param("cat/keypoint/heatmap", None, id="other-task"),
    ],
)
def test_channels(head: str, expected) -> None:
    assert mouse_and_box().channels(head) == expected


def test_a_shared_offset_has_two_nameless_channels() -> None:
    names = ModelNames("x", None, (TaskNames("t", "mouse", ("snout", "tail"), per_keypoint_offset=False),))
    assert names.channels("t/keypoint/offset") == (("", 0), ("", 1))
    assert names.channels("object_center") is None


def test_names_come_from_config_and_label_map() -> None:
    names = label_map(mouse=("snout", "tail"), box=(), cat=("nose", "tail"))
    found = names_of(parsed(config_text(3, tasks_of(names, "t_"))), names)
    assert found == ModelNames(
        "hourglass_10",
        ("mouse", "box", "cat"),
        (TaskNames("t_mouse", "mouse", ("snout", "tail")), TaskNames("t_cat", "cat", ("nose", "tail"))),
    )


@pytest.mark.parametrize(
    ("num_classes", "class_name", "labels", "classes", "keypoints"),
    [
        pytest.param(90, "/m/01g317", COCO, ("person", *[None] * 89), COCO, id="zoo-people-of-90-classes"),
        pytest.param(1, "/m/01g317", COCO, ("person",), COCO, id="zoo-people-alone"),
        pytest.param(1, "mouse", (), ("mouse",), None, id="one-class"),
        pytest.param(2, "mouse", ("snout",), None, None, id="cannot-be-told"),
    ],
)
def test_without_a_label_map_only_what_is_sure(num_classes: int, class_name: str, labels, classes, keypoints) -> None:
    found = names_of(parsed(config_text(num_classes, [task_text("t", class_name, labels=reversed(labels))])), None)
    assert found.classes == classes
    assert found.tasks[0].keypoints == keypoints


@pytest.mark.parametrize(
    ("extractor", "more", "expected"),
    [
        pytest.param("hourglass_104", "", "hourglass_104", id="plain"),
        pytest.param("mobilenet_v2_fpn", "", "mobilenet_v2_fpn", id="mobilenet"),
        pytest.param("mobilenet_v2_fpn_sep_conv", "", "mobilenet_v2_fpn_sep_conv", id="by-name"),
        pytest.param("mobilenet_v2_fpn", "use_separable_conv: true", "mobilenet_v2_fpn_sep_conv", id="by-field"),
        pytest.param(
            "mobilenet_v2_fpn_sep_conv", "use_separable_conv: true", "mobilenet_v2_fpn_sep_conv", id="by-both"
        ),
    ],
)
def test_extractor(extractor: str, more: str, expected: str) -> None:
    assert extractor_of(parsed(config_text(1, [], extractor=extractor, more=more))) == expected


def test_tasks_by_the_names_of_heads() -> None:
    heads = ["object_center", "pose/keypoint/offset", "pose/keypoint/heatmap", "a/b/keypoint/heatmap"]
    assert names_from_heads(heads) == ModelNames(UNKNOWN_EXTRACTOR, None, (TaskNames("a/b"), TaskNames("pose")))


def put(folder: Path, config, *, text: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.config").write_text(pipeline_config.format(config) if text is None else text)


@pytest.mark.parametrize("place", ["ckpt-5", "checkpoint/ckpt-0"], ids=["run", "zoo-or-export"])
def test_the_source_is_found_beside_its_checkpoint(tmp_path, place: str) -> None:
    config = model_config(tmp_path, label_map(mouse=("snout",)))
    put(tmp_path, config)
    found = read_source(tmp_path / place)
    assert found == ModelNames("hourglass_10", ("mouse",), (TaskNames("mouse", "mouse", ("snout",)),))
    assert read_target(config) == found


def test_a_config_above_a_folder_of_checkpoints_is_not_theirs(tmp_path) -> None:
    put(tmp_path, model_config(tmp_path, label_map(mouse=("snout",))))
    assert read_source(tmp_path / "my_checkpoints" / "ckpt-5") is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("model { ssd {} }", "its model is 'ssd', expected center_net", id="ssd"),
        pytest.param("model { nonsense", "not a pipeline.config", id="broken"),
    ],
)
def test_a_foreign_config_beside_the_checkpoint_is_refused(tmp_path, text: str, match: str) -> None:
    put(tmp_path, None, text=text)
    with pytest.raises(ConfigError, match=match):
        read_source(tmp_path / "ckpt-5")


def test_another_extractor_is_refused(tmp_path) -> None:
    config = model_config(tmp_path, label_map(mouse=("snout",)))
    put(tmp_path, config)
    refuse_other_extractor(tmp_path / "ckpt-5", config)
    refuse_other_extractor(tmp_path / "elsewhere" / "ckpt-5", config)
    other = model_config(tmp_path, label_map(mouse=("snout",)), extractor="resnet_v1_50_fpn")
    with pytest.raises(ConfigError, match=r"ckpt-5: .* is hourglass_10, this model's is resnet_v1_50_fpn:"):
        refuse_other_extractor(tmp_path / "ckpt-5", other)


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        pytest.param("", "", [], id="same"),
        pytest.param('upsampling_interpolation: "nearest"', "", [], id="default-spelled-out"),
        pytest.param("channel_means: [0, 0, 0] bgr_ordering: false", "channel_stds: [1, 1, 1]", [], id="defaults"),
        pytest.param(
            'upsampling_interpolation: "bilinear"',
            "",
            ["upsampling_interpolation is nearest, bilinear in the network that the weights were trained in"],
            id="upsampling",
        ),
        pytest.param(
            "bgr_ordering: true channel_means: [104, 114, 119.5]",
            "channel_means: [104, 114, 119.5]",
            ["bgr_ordering is false, true in"],
            id="colours",
        ),
        pytest.param(
            "", "channel_stds: [73.5, 70, 71]", ["channel_stds is .73.5, 70.0, 71.0., .1.0, 1.0, 1.0."], id="stds"
        ),
    ],
)
def test_settings_that_no_shape_shows(tmp_path: Path, theirs: str, ours: str, told: list[str]) -> None:
    def config(settings: str) -> str:
        return f'model {{ center_net {{ feature_extractor {{ type: "mobilenet_v2_fpn" {settings} }} }} }}'

    (tmp_path / "pipeline.config").write_text(config(theirs))
    found = setting_differences(tmp_path / "checkpoint" / "ckpt-0", parsed(config(ours)))
    assert len(found) == len(told)
    for line, expected in zip(found, told, strict=True):
        assert re.search(expected, line)
        assert "--set 'model.center_net.feature_extractor." in line
    assert setting_differences(tmp_path / "elsewhere" / "ckpt-0", parsed(config(ours))) == ()
