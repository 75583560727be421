"""Boxes of another model."""

import json

import pytest

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.heatmap_boxes import FoundBoxes

ROW = {"image_id": 1, "file_name": "a/x.jpg", "category_name": "cat", "bbox": [1, 2, 3, 4], "score": 0.9,
       "keypoints": [1, 1, 0.5, 2, 2, 0.5]}  # fmt: skip


def boxes(tmp_path, *rows: object, name: str = "cat", min_score: float = 0.3) -> FoundBoxes:
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(list(rows)))
    return FoundBoxes(path, name, min_score)


def test_boxes_belong_to_names(tmp_path) -> None:
    found = boxes(tmp_path, ROW, {**ROW, "bbox": [5, 6, 7, 8], "score": 0.2}, {**ROW, "file_name": "y.jpg"})
    assert [box.box_xywh_px for box in found.of("a/x.jpg")] == [(1, 2, 3, 4)]
    assert len(found.of("x.jpg")) == 1
    assert found.of("z.jpg") == ()
    assert (found.count(), found.num_points) == (2, 2)
    assert found.of("y.jpg")[0].points.tolist() == [[1, 1], [2, 2]]


def test_a_base_name_of_two_pictures_is_no_guess(tmp_path) -> None:
    found = boxes(tmp_path, ROW, {**ROW, "file_name": "b/x.jpg"})
    assert found.of("x.jpg") == ()


def test_the_only_class_is_taken_whatever_its_name(tmp_path) -> None:
    assert boxes(tmp_path, {**ROW, "category_name": "head"}).count() == 1
    assert boxes(tmp_path, ROW, {**ROW, "category_name": "dog"}).count() == 1
    with pytest.raises(ConfigError, match="has the classes dog, head; expected 'cat'"):
        boxes(tmp_path, {**ROW, "category_name": "head"}, {**ROW, "category_name": "dog"})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"bbox": [1, 2, 3, 4]}, "result 0: has no file_name", id="name"),
        pytest.param({**ROW, "bbox": [1, 2, "x", 4]}, "bbox is .*expected x, y, width, height", id="box"),
        pytest.param({**ROW, "keypoints": [1, 2]}, "keypoints are not x, y, score", id="points"),
        pytest.param({**ROW, "score": "high"}, "score is 'high'", id="score"),
    ],
)
def test_other_rows_are_refused(tmp_path, row, message) -> None:
    with pytest.raises(DataError, match=message):
        boxes(tmp_path, row)


def test_other_files_are_refused(tmp_path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(DataError, match="is no list; expected COCO results"):
        FoundBoxes(path, "cat", 0.0)
