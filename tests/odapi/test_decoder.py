"""The OD API's own decoder reads what kpt_tools.records writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kpt_tools.entities import Category, ImageRecord, Instance
from kpt_tools.odapi import compat
from kpt_tools.pipeline.label_map import format_label_map, label_map_of
from kpt_tools.records.encode import encode_example

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]

CATEGORIES = (
    Category(1, "pliers", ("a", "b", "c", "d", "e")),
    Category(2, "box"),
    Category(3, "mouse", ("nose", "a")),
)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 10, 30)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("by_name", [False, True], ids=["by-slot", "by-keypoint-name"])
def test_every_instance_has_all_slots(tmp_path, by_name: bool) -> None:
    compat.activate()
    from object_detection.core.standard_fields import InputDataFields as fields
    from object_detection.data_decoders.tf_example_decoder import TfExampleDecoder

    label_map = label_map_of(CATEGORIES)
    path = tmp_path / "map.pbtxt"
    path.write_text(format_label_map(label_map))
    instances = (
        Instance(5, 9, 3, (4.0, 2.0, 16.0, 10.0), 160.0, ((8.0, 4.0, 2), (20.0, 10.0, 1))),
        Instance(6, 9, 2, (0.0, 0.0, 40.0, 20.0), 800.0, iscrowd=True),
        Instance(
            7, 9, 1, (10.0, 5.0, 10.0, 5.0), 50.0, ((12.0, 6.0, 2), (0, 0, 0), (14.0, 8.0, 2), (0, 0, 0), (0, 0, 0))
        ),
    )
    example = encode_example(ImageRecord(9, "a b.jpg", 40, 20), jpeg(), "jpeg", instances, label_map)
    decoder = TfExampleDecoder(
        num_keypoints=label_map.num_keypoints, label_map_proto_file=str(path), use_keypoint_label_map=by_name
    )
    found = {key: value.numpy() for key, value in decoder.decode(example).items()}

    assert found[fields.filename] == b"a b.jpg"
    assert found[fields.source_id] == b"9"
    assert found[fields.image].shape == (20, 40, 3)
    assert found[fields.image][10, 20, 0] > 180 > 60 > found[fields.image][10, 20, 2]
    np.testing.assert_array_equal(found[fields.groundtruth_classes], [3, 2, 1])
    np.testing.assert_allclose(found[fields.groundtruth_boxes][0], [0.1, 0.1, 0.6, 0.5], atol=1e-6)
    np.testing.assert_array_equal(found[fields.groundtruth_is_crowd], [False, True, False])
    np.testing.assert_array_equal(found[fields.groundtruth_weights], [1, 0, 1])
    np.testing.assert_allclose(found[fields.groundtruth_area], [160, 800, 50])
    points = found[fields.groundtruth_keypoints]
    assert points.shape == (3, 7, 2)
    visible = found[fields.groundtruth_keypoint_visibilities]
    np.testing.assert_array_equal(visible.sum(axis=1), [2, 0, 2])
    np.testing.assert_allclose(points[0, 5:], [[0.2, 0.2], [0.5, 0.5]], atol=1e-6)
    np.testing.assert_allclose(points[2, [0, 2]], [[0.3, 0.3], [0.4, 0.35]], atol=1e-6)
    assert np.isnan(points[0, :5]).all()
    assert np.isnan(points[1]).all()
