"""Which pictures an export is compared on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpt_tools.config.export import ExportConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.entities import LabelMap, ModelMetadata, Report
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.label_map import read_label_map
from kpt_tools.stages.export_calibration import calibration_images
from kpt_tools.stages.export_pictures import Picture, Pictures, pictures_for
from kpt_tools.stages.make_tfrecord import make_tfrecord

VAL = 6


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    made = make_pliers(folder / "pliers", 12, 3, (160, 120))
    make_tfrecord(
        MakeTfrecordConfig(
            made.annotations, made.images, folder / "tfrecord", folder / "map.pbtxt", val=VAL / 12, keep_empty=True
        )
    )
    return folder


def run_folder(folder: Path, records: Path | None) -> Path:
    folder.mkdir()
    splits = (
        {
            f"{s}_records": [str(records / "tfrecord" / f"{t}.record-*")]
            for s, t in (("eval", "val"), ("train", "train"))
        }
        if records
        else {}
    )
    (folder / "run.json").write_text(json.dumps(splits), encoding="utf-8")
    return folder


def label_map(records: Path) -> LabelMap:
    return read_label_map(records / "map.pbtxt")


def of(
    records: Path, config: ExportConfig, input_hw: tuple[int, int] = (64, 64)
) -> tuple[Pictures, list[Picture], Report]:
    report = Report()
    pictures = pictures_for(config, ModelMetadata(label_map(records), (), (), input_hw=input_hw), report)
    return pictures, list(pictures.read()), report


def photographs(folder: Path, count: int = 5) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.fromarray(np.full((20, 30 + number, 3), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_pictures_are_padded_for_a_rectangle(records: Path, tmp_path: Path) -> None:
    folder = photographs(tmp_path / "own", 1)
    pictures, (found,), _ = of(records, ExportConfig(run_folder(tmp_path / "run", None), images=folder), (96, 64))
    assert found.rgb.shape == (45, 30, 3)
    assert not found.rgb[20:].any()
    assert pictures.total == 1


def test_validation_records_are_the_default(records: Path, tmp_path: Path) -> None:
    pictures, found, report = of(records, ExportConfig(run_folder(tmp_path / "run", records)))
    assert (pictures.real, pictures.total, pictures.compared, pictures.annotated) == (True, VAL, VAL, VAL)
    assert len(found) == VAL
    assert all(picture.compared and picture.instances is not None for picture in found)
    assert sum(len(picture.instances or ()) for picture in found) > 0
    assert report.findings == []


def test_every_reading_gives_the_same(records: Path, tmp_path: Path) -> None:
    pictures, found, _ = of(records, ExportConfig(run_folder(tmp_path / "run", records), parity_images=3))
    again = list(pictures.read())
    assert [picture.name for picture in again] == [picture.name for picture in found]
    np.testing.assert_array_equal(again[0].rgb, found[0].rgb)


@pytest.mark.parametrize(
    ("limits", "compared", "annotated", "total"),
    [
        pytest.param({"parity_images": 2}, [0, 3], 6, 6, id="fewer compared"),
        pytest.param({"ap_images": 2}, [0, 1, 2, 3, 4, 5], 2, 6, id="fewer for AP"),
        pytest.param({"ap_images": 0, "parity_images": 3}, [0, 2, 4], 0, 3, id="no AP"),
        pytest.param({"ap_images": 3, "parity_images": 2}, [0, 3], 3, 4, id="some of both"),
    ],
)
def test_limits_spread_evenly(
    records: Path, tmp_path: Path, limits: dict[str, int], compared: list[int], annotated: int, total: int
) -> None:
    run = run_folder(tmp_path / "run", records)
    _, every, _ = of(records, ExportConfig(run))
    pictures, found, _ = of(records, ExportConfig(run, **limits))
    assert pictures.total == len(found) == total
    names = [picture.name for picture in every]
    assert [names.index(picture.name) for picture in found if picture.compared] == compared
    assert sum(picture.instances is not None for picture in found) == annotated == pictures.annotated


def test_a_folder_is_compared_on_and_ap_stays_with_the_records(records: Path, tmp_path: Path) -> None:
    config = ExportConfig(
        run_folder(tmp_path / "run", records), images=photographs(tmp_path / "photos"), parity_images=2
    )
    pictures, found, _ = of(records, config)
    assert [picture.name for picture in found if picture.compared] == ["0.png", "2.png"]
    assert sum(picture.instances is not None for picture in found) == VAL
    assert (pictures.total, pictures.compared, pictures.annotated) == (VAL + 2, 2, VAL)


def test_a_damaged_picture_is_told_once_and_passed_over(records: Path, tmp_path: Path) -> None:
    photos = photographs(tmp_path / "photos", 3)
    (photos / "1.png").write_bytes(b"no picture")
    pictures, found, report = of(records, ExportConfig(run_folder(tmp_path / "run", None), images=photos))
    assert [picture.name for picture in found] == ["0.png", "2.png"]
    assert len(list(pictures.read())) == 2
    assert [finding.code for finding in report.findings] == ["no-validation-records", "image-lost"]
    assert "1.png: not an image" in report.findings[1].message


@pytest.mark.parametrize("gone", [False, True], ids=["none named", "gone"])
def test_without_validation_records_pictures_are_made_up_and_it_is_said(
    records: Path, tmp_path: Path, gone: bool
) -> None:
    run = run_folder(tmp_path / "run", tmp_path / "gone" if gone else None)
    pictures, found, report = of(records, ExportConfig(run))
    assert not pictures.real
    assert len(found) == pictures.compared == 8
    assert len({picture.rgb.shape for picture in found}) == 4
    assert all(picture.rgb.std() > 5 for picture in found)
    assert pictures.annotated == 0
    assert [finding.code for finding in report.findings] == ["no-validation-records"]
    assert "AP was not compared" in report.findings[0].message


def test_a_folder_that_is_not_there(records: Path, tmp_path: Path) -> None:
    config = ExportConfig(run_folder(tmp_path / "run", records), images=tmp_path / "gone")
    with pytest.raises(ConfigError, match="gone: no such file or folder"):
        of(records, config)


def test_calibration_takes_training_pictures(records: Path, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", records)
    found = calibration_images(run, label_map(records), tmp_path / "calibration")
    assert [path.name for path in found] == [f"{number:03d}.jpg" for number in range(12 - VAL)]
    with Image.open(found[0]) as picture:
        assert picture.size == (160, 120)


def test_calibration_needs_training_records(records: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="int8 needs training pictures"):
        calibration_images(run_folder(tmp_path / "run", None), label_map(records), tmp_path / "calibration")
