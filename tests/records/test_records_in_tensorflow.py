"""TensorFlow itself reads what this project writes, in one process with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from coco_factories import many_dict, write_project

from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.records.decode import read_records
from kpt_tools.records.example_proto import example_class, parse_example
from kpt_tools.records.tfrecord import read_tfrecord
from kpt_tools.stages.make_tfrecord import make_tfrecord


@pytest.mark.odapi
def test_tensorflow_reads_the_same(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    annotations, images = write_project(tmp_path, many_dict(5))
    config = MakeTfrecordConfig(annotations, images, tmp_path / "out", tmp_path / "map.pbtxt", val=None, shards=2)
    result = make_tfrecord(config)
    paths = [tmp_path / "out" / name for name in result.splits["train"].shards]
    ours = [data for path in paths for data in read_tfrecord(path)]
    theirs = [bytes(data.numpy()) for data in tf.data.TFRecordDataset([str(path) for path in paths])]
    assert len(ours) == 5
    assert ours == theirs
    for data in ours:
        message = tf.train.Example.FromString(data)
        assert message.SerializeToString(deterministic=True) == data
        found = {
            name: list(getattr(feature, feature.WhichOneof("kind")).value)
            for name, feature in message.features.feature.items()
        }
        assert found == parse_example(data, "x")
    for sample in read_records(paths, result.label_map):
        assert tf.io.decode_image(sample.encoded).shape == (48, 64, 3)
    assert example_class() is not tf.train.Example
