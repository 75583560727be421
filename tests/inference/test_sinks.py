from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kpt_tools.entities import Detection, KeypointLabel, LabelMap, LabelMapItem, Prediction
from kpt_tools.inference.sinks import (
    coco_results,
    coco_rows,
    csv_header,
    csv_rows,
    csv_table,
    json_row,
    prediction_of,
    rounded,
)


def label_map() -> LabelMap:
    plier = LabelMapItem(1, "plier", (KeypointLabel(0, "left", "left"), KeypointLabel(1, "right", "right")))
    return LabelMap((plier, LabelMapItem(2, "bolt"), LabelMapItem(3, "cup", (KeypointLabel(2, "rim", "rim"),))))


def prediction(name: str = "sub/ä, b.jpg") -> Prediction:
    plier = Detection(1, "plier", 0.91234567, (1.00049, 2, 3, 4), ((5.5, 6, 0.25), (7, 8, 1.0)))
    return Prediction(name, 640, 480, (plier, Detection(2, "bolt", 0.5, (10, 20, 30, 40))))


def test_coco_row() -> None:
    plier, bolt = coco_rows(prediction(), 7, {1: 15})
    assert plier == {
        "image_id": 7,
        "file_name": "sub/ä, b.jpg",
        "category_id": 15,
        "category_name": "plier",
        "bbox": [1.0, 2, 3, 4],
        "score": 0.912346,
        "keypoints": [5.5, 6, 0.25, 7, 8, 1.0],
    }
    assert bolt["category_id"] == 2
    assert "keypoints" not in bolt


@pytest.mark.parametrize("count", [0, 1, 3])
def test_file_is_json_with_all_rows(tmp_path: Path, count: int) -> None:
    path = tmp_path / "out" / "predictions.json"
    with coco_results(path, {}) as write:
        for number in range(count):
            write(prediction(f"{number}.jpg"), number + 1)
            write(Prediction("empty.jpg", 1, 1), 99)
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [row["image_id"] for row in rows] == [n + 1 for n in range(count) for _ in range(2)]


def test_pycocotools_takes_it(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    path = tmp_path / "predictions.json"
    with coco_results(path, {1: 15, 2: 16}) as write:
        write(prediction(), 7)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": [{"id": 7}], "categories": [{"id": 15}, {"id": 16}], "annotations": []}
        coco.createIndex()
        loaded = coco.loadRes(str(path))
    assert sorted(loaded.anns) == [1, 2]
    assert len(loaded.loadAnns(loaded.getAnnIds(catIds=[15]))) == 1


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    with csv_table(path, label_map()) as write:
        write(prediction())
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2
    assert list(rows[0]) == csv_header(label_map())
    assert rows[0]["file_name"] == "sub/ä, b.jpg"
    assert (rows[0]["class"], rows[0]["score"], rows[0]["width"]) == ("plier", "0.912346", "3")
    assert (rows[0]["left_x"], rows[0]["right_score"], rows[0]["rim_x"]) == ("5.5", "1.0", "")
    assert (rows[1]["class"], rows[1]["left_x"], rows[1]["rim_score"]) == ("bolt", "", "")


def test_nothing_half_written(tmp_path: Path) -> None:
    def broken_off() -> None:
        with (
            coco_results(tmp_path / "a.json", {}) as to_json,
            csv_table(tmp_path / "a.csv", label_map()) as to_csv,
        ):
            to_json(prediction(), 1)
            to_csv(prediction())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def tracked(track_id: int | None) -> Prediction:
    found = prediction()
    return replace(found, detections=tuple(replace(row, track_id=track_id) for row in found.detections))


@pytest.mark.parametrize("track_id", [None, 7])
def test_a_row_is_read_back_as_it_was(track_id: int | None) -> None:
    written = rounded(tracked(track_id))
    assert rounded(written) == written
    assert written.detections[0].box_xywh_px == (1.0, 2, 3, 4)
    row = json.loads(json.dumps(json_row(written, 5, {1: 15})))
    assert (row["image_id"], row["detections"][0]["category_id"]) == (5, 15)
    assert prediction_of(row, label_map()) == written


def test_numbers_of_objects() -> None:
    assert [row.get("track_id") for row in coco_rows(tracked(7), 1, {})] == [7, 7]
    header = csv_header(label_map(), tracked=True)
    for track_id, cell in ((7, 7), (None, "")):
        (row, _) = csv_rows(tracked(track_id), label_map(), tracked=True)
        assert row[header.index("track_id")] == cell
        assert len(row) == len(header)
        assert row[header.index("left_x")] == 5.5
    assert "track_id" not in csv_header(label_map())
