"""Every template, rendered and parsed by the OD API's own protos."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_factories import mixed, pipeline_inputs, pliers

from kpt_tools.entities import Category
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.label_map import format_label_map, label_map_of
from kpt_tools.pipeline.override import apply_override
from kpt_tools.pipeline.render import PipelineInputs, render, skeleton_of
from kpt_tools.pipeline.resources import load_template, template_names
from kpt_tools.pipeline.template import Template

EVERY_TEMPLATE = pytest.mark.parametrize("name", template_names())


def parsed(name: str, inputs: PipelineInputs) -> Any:
    from kpt_tools.odapi import pipeline_config

    return pipeline_config.parse(render(load_template(name), inputs), name)


def flips_of(message: Any) -> list[list[int]]:
    options = [o.random_horizontal_flip for o in message.train_config.data_augmentation_options]
    return [list(o.keypoint_flip_permutation) for o in options if o.keypoint_flip_permutation]


@pytest.mark.odapi
@EVERY_TEMPLATE
def test_pliers(name: str) -> None:
    message = parsed(name, pipeline_inputs(pliers()))
    center_net, train = message.model.center_net, message.train_config
    assert center_net.num_classes == 1
    (task,) = center_net.keypoint_estimation_task
    assert (task.task_name, task.keypoint_class_name) == ("pliers", "pliers")
    assert dict(task.keypoint_label_to_std) == dict.fromkeys(pliers()[0].keypoints, 1.0)
    assert (task.keypoint_regression_loss_weight, task.offset_peak_radius) == (pytest.approx(0.1), 3)
    assert task.per_keypoint_offset
    assert flips_of(message) == [[1, 0, 2, 4, 3]]
    assert [(edge.start, edge.end) for edge in message.eval_config.keypoint_edge] == [(0, 2), (1, 2), (2, 3), (2, 4)]
    cosine = train.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert (train.num_steps, cosine.total_steps, cosine.warmup_steps) == (600, 600, 60)
    assert cosine.learning_rate_base == pytest.approx(1e-3)
    assert train.optimizer.use_moving_average is False
    assert train.unpad_groundtruth_tensors is False
    assert train.batch_size == 8
    assert not train.HasField("fine_tune_checkpoint")


@pytest.mark.odapi
@EVERY_TEMPLATE
def test_several_classes(name: str) -> None:
    message = parsed(name, pipeline_inputs(mixed()))
    center_net = message.model.center_net
    assert center_net.num_classes == 3
    tasks = [(task.task_name, task.keypoint_class_name) for task in center_net.keypoint_estimation_task]
    assert tasks == [("pliers", "pliers"), ("s_ge_1", 'Säge "1"')]
    labels = [set(task.keypoint_label_to_std) for task in center_net.keypoint_estimation_task]
    assert labels[1] == {'Säge "1"_middle', "l_tip", "r_tip"}
    metrics = [metric.coco_keypoint_metrics for metric in message.eval_config.parameterized_metric]
    assert [metric.class_label for metric in metrics] == ["pliers", 'Säge "1"']
    assert [set(metric.keypoint_label_to_sigmas) for metric in metrics] == labels
    assert flips_of(message) == [[1, 0, 2, 4, 3, 5, 7, 6]]
    for reader in (message.train_input_reader, *message.eval_input_reader):
        assert (reader.num_keypoints, reader.label_map_path) == (8, "label_maps/label_map.pbtxt")
        assert reader.max_number_of_boxes == 100
    assert center_net.keypoint_label_map_path == "label_maps/label_map.pbtxt"
    edges = [(edge.start, edge.end) for edge in message.eval_config.keypoint_edge]
    assert edges[4:] == [(5, 6), (5, 7)]


@pytest.mark.odapi
@EVERY_TEMPLATE
def test_no_keypoints_no_validation(name: str) -> None:
    message = parsed(name, pipeline_inputs((Category(1, "box"),), val_records=None))
    assert len(message.model.center_net.keypoint_estimation_task) == 0
    assert len(message.eval_config.parameterized_metric) == 0
    assert len(message.eval_input_reader) == 0
    assert message.train_input_reader.num_keypoints == 0


@pytest.mark.odapi
@EVERY_TEMPLATE
def test_checkpoint_and_many_objects(name: str) -> None:
    inputs = pipeline_inputs(pliers(), checkpoint="pretrained_models/x/checkpoint/ckpt-0", max_instances=250)
    message = parsed(name, inputs)
    train = message.train_config
    assert train.fine_tune_checkpoint == "pretrained_models/x/checkpoint/ckpt-0"
    assert train.fine_tune_checkpoint_type == "detection"
    assert train.DESCRIPTOR.fields_by_name["fine_tune_checkpoint_version"].enum_type.values_by_name["V2"].number == (
        train.fine_tune_checkpoint_version
    )
    assert train.max_number_of_boxes == message.train_input_reader.max_number_of_boxes == 250
    assert message.model.center_net.object_center_params.max_box_predictions == 250


@pytest.mark.odapi
def test_sigmas_reach_metric_and_heatmap() -> None:
    message = parsed("centernet_cpu_256_kpts", pipeline_inputs(pliers(), sigmas=(0.05, 0.107, 0.2, 0.5, 0.025)))
    (task,) = message.model.center_net.keypoint_estimation_task
    (metric,) = message.eval_config.parameterized_metric
    names = pliers()[0].keypoints
    stds = [task.keypoint_label_to_std[name] for name in names]
    sigmas = [metric.coco_keypoint_metrics.keypoint_label_to_sigmas[name] for name in names]
    assert stds == pytest.approx([1.0, 1.07, 2.0, 2.0, 1.0])
    assert sigmas == pytest.approx([0.05, 0.107, 0.2, 0.5, 0.025])


@pytest.mark.odapi
@pytest.mark.parametrize(
    ("assignment", "after"),
    [
        ("train_config.batch_size=3", "3"),
        ("train_config.optimizer.adam_optimizer.epsilon=1e-6", "1e-06"),
        ("train_config.fine_tune_checkpoint_version=V1", "V1"),
        ("model.center_net.keypoint_estimation_task[0].keypoint_label_to_std[middle]=0.7", "0.7"),
        ("train_config.data_augmentation_options[+]={random_rotation90 {}}", "{ random_rotation90 { } }"),
        ("train_config.data_augmentation_options=[]", "[]"),
        ("model.center_net.feature_extractor.channel_means=[1, 2.5, 3]", "[1, 2.5, 3]"),
        ("eval_config.metrics_set[0]=pascal_voc_detection_metrics", "pascal_voc_detection_metrics"),
    ],
)
def test_overrides_of_the_real_proto(assignment: str, after: str) -> None:
    message = parsed("centernet_hg104_512_kpts", pipeline_inputs(pliers()))
    assert apply_override(message, assignment).after == after


@pytest.mark.odapi
def test_another_optimizer_tells_what_it_replaces() -> None:
    message = parsed("centernet_hg104_512_kpts", pipeline_inputs(pliers()))
    done = apply_override(message, "train_config.optimizer.momentum_optimizer.momentum_optimizer_value=0.8")
    assert "train_config.optimizer.adam_optimizer" in done.replaced
    with pytest.raises(ConfigError, match=r"did you mean train_config\.batch_size or eval_config\.batch_size"):
        apply_override(message, "batch_size=3")


def test_skeletons_become_slots() -> None:
    assert skeleton_of(mixed()) == ((0, 2), (1, 2), (2, 3), (2, 4), (5, 6), (5, 7))


def test_task_names_are_safe_and_unique() -> None:
    categories = tuple(Category(i, name, (f"k{i}",)) for i, name in enumerate(("a b", "a-b", "钳子", "A B")))
    text = render(load_template("centernet_cpu_256_kpts"), pipeline_inputs(categories))
    names = [line.split('"')[1] for line in text.splitlines() if "task_name" in line]
    assert names == ["a_b", "a_b_2", "class", "a_b_4"]


@pytest.mark.parametrize("name", template_names())
def test_upside_down_and_turned_only_where_asked(name: str) -> None:
    template = load_template(name)
    inputs = pipeline_inputs((Category(1, "card", ("top_left", "top_right", "bottom_left", "bottom_right")),))
    plain = render(template, inputs)
    assert "random_vertical_flip" not in plain
    assert "random_rotation90" not in plain
    text = render(template, replace(inputs, any_orientation=True))
    flipped = " ".join(f"keypoint_flip_permutation: {slot}" for slot in (2, 3, 0, 1))
    turned = " ".join(f"keypoint_rot_permutation: {slot}" for slot in range(4))
    assert f"random_vertical_flip {{ {flipped} }}" in text
    assert f"random_rotation90 {{ {turned} }}" in text


@pytest.mark.odapi
def test_a_rectangle_is_not_turned_by_quarters() -> None:
    inputs = replace(pipeline_inputs(pliers()), any_orientation=True)
    square = parsed("centernet_cpu_256_kpts", inputs)
    rectangle = parsed("centernet_cpu_256_kpts", replace(inputs, input_hw=(224, 288)))
    assert square.model.center_net.image_resizer.keep_aspect_ratio_resizer.max_dimension == 256
    assert square.model.center_net.image_resizer.keep_aspect_ratio_resizer.pad_to_max_dimension
    resizer = rectangle.model.center_net.image_resizer.fixed_shape_resizer
    assert (resizer.height, resizer.width) == (224, 288)
    steps = [
        [option.WhichOneof("preprocessing_step") for option in message.train_config.data_augmentation_options]
        for message in (square, rectangle)
    ]
    assert [step for step in steps[0] if step not in steps[1]] == ["random_rotation90"]
    assert "random_vertical_flip" in steps[1]


@pytest.mark.parametrize(("most", "expected"), [(0, 100), (1, 4), (37, 37), (1000, 1000)])
def test_training_reads_as_many_boxes_as_there_are(most: int, expected: int) -> None:
    inputs = replace(pipeline_inputs((Category(1, "card", ("a",)),)), max_instances=most)
    assert inputs.max_boxes == expected


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(lambda body: body.replace("${num_steps}", "100"), "no placeholder takes num_steps", id="unused"),
        pytest.param(lambda body: body + "${colour}\n", r"no value for '\$\{colour\}'", id="missing"),
        pytest.param(
            lambda body: body.replace("${label_to_std}", ""),
            "'keypoint_class': no placeholder takes label_to_std",
            id="class",
        ),
    ],
)
def test_templates_fail_both_ways(change: Any, match: str) -> None:
    template = load_template("centernet_hg104_512_kpts")
    with pytest.raises(ConfigError, match=match):
        render(Template(template.name, template.info, change(template.body)), pipeline_inputs(pliers()))


BUILD = """
import gc, json, sys
from kpt_tools.odapi import batch_norm, compat, pipeline_config
compat.activate()
import tensorflow as tf
from object_detection.builders import model_builder
for path in sys.argv[1:]:
    config = pipeline_config.parse(open(path, encoding="utf-8").read(), path)
    model = model_builder.build(config.model, is_training=True)
    side = 128
    outputs = model.predict(tf.zeros([1, side, side, 3]), tf.constant([[side, side, 3]]))
    heads = {name: list(values[-1].shape) for name, values in outputs.items() if isinstance(values, list)}
    names = [layer.name for layer in model._feature_extractor.submodules if hasattr(layer, "name")]
    separable = sum("separable" in name for name in names)
    steps = config.train_config.num_steps
    fit = batch_norm.fit_momentum(model, steps)
    moving = sum("moving_mean" in variable.name for variable in model.variables)
    left = max(layer.momentum**steps for layer in batch_norm.layers_of(model))
    row = {"path": path, "heads": heads, "separable": separable, "norms": fit["layers"], "moving": moving, "left": left}
    print(json.dumps(row), flush=True)
    del model, outputs
    tf.keras.backend.clear_session()
    gc.collect()
"""


@pytest.mark.slow
@pytest.mark.odapi
def test_every_template_builds_into_a_model(tmp_path: Path) -> None:
    label_map = tmp_path / "label_map.pbtxt"
    label_map.write_text(format_label_map(label_map_of(mixed())), encoding="utf-8")
    paths = []
    for name in template_names():
        path = tmp_path / f"{name}.config"
        path.write_text(
            render(load_template(name), pipeline_inputs(mixed(), label_map_path=str(label_map))), encoding="utf-8"
        )
        paths.append(str(path))
    told = subprocess.run([sys.executable, "-c", BUILD, *paths], capture_output=True, text=True, timeout=600)
    assert told.returncode == 0, told.stderr[-3000:]
    rows = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    assert [row["path"] for row in rows] == paths
    for row in rows:
        heads = row["heads"]
        assert heads["object_center"] == [1, 32, 32, 3]
        assert heads["pliers/keypoint/heatmap"] == [1, 32, 32, 5]
        assert heads["s_ge_1/keypoint/heatmap"] == [1, 32, 32, 3]
        assert heads["s_ge_1/keypoint/offset"] == [1, 32, 32, 6]
        assert (row["separable"] > 0) == ("mobilenetv2" in row["path"])
        # No layer escapes the fit, and of the initial statistics nothing is left at the end of the schedule.
        assert row["norms"] == row["moving"] > 0
        assert row["left"] < 1e-6
