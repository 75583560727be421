"""Every planted defect is found under its code; sound data gets no error; what can be repaired is gone afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from defective_data import DEFECTS, Defect, write_spoilt
from good_data import write_good

from kpt_tools.annotations.codes import CODES, NEEDS_IMAGES
from kpt_tools.annotations.repairs.registry import REPAIRS
from kpt_tools.config.check import CheckConfig
from kpt_tools.config.repair import RepairConfig
from kpt_tools.entities import Report
from kpt_tools.stages.check import check
from kpt_tools.stages.repair import repair_file

# Told by other commands than check, or about files that cannot be made by everyone (no rights to read).
# What a defect brings about: an object without its class, an image without its object, a pose spoilt by a point.
CONSEQUENCES = {
    "annotation-image-unknown", "annotation-category-unknown", "box-missing", "box-keypoints-mismatch",
    "image-all-objects-lost", "image-name-shared", "image-without-objects", "nothing-usable", "pose-outlier",
    "skeleton-invalid",
}  # fmt: skip
ELSEWHERE = {"image-unreadable", "group-unmatched", "shards-limited", "label-map-replaced"}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "data"
    write_good(folder)
    return folder


def report_of(annotations: Path, images: Path, options: tuple[str, ...] = ()) -> Report:
    config = CheckConfig(annotations, images, workers=1)
    for option in options:
        if option == "--against":
            config = replace(config, against=annotations.with_name("val.json"), against_images=images.with_name("val"))
            continue
        config = replace(config, **{option.removeprefix("--").replace("-", "_"): True})
    return check(config).report


def test_the_good_data_set_is_good(good: Path) -> None:
    assert report_of(good / "annotations.json", good / "images").findings == []


def test_the_catalogue_is_large_and_leaves_no_code_of_check_out() -> None:
    assert len(DEFECTS) >= 60
    from kpt_tools.annotations.code_texts_exchange import EXCHANGE_TEXTS

    others = {code for texts in EXCHANGE_TEXTS.values() for code in texts}
    assert set(CODES) - others - ELSEWHERE - {defect.code for defect in DEFECTS.values()} == set()


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_planted_defect_is_found(good: Path, tmp_path: Path, defect: Defect) -> None:
    folder = tmp_path / "data"
    write_spoilt(good, folder, defect)
    counts = report_of(folder / "annotations.json", folder / "images", defect.options).counts()
    assert counts.pop(defect.code) == defect.count
    others = {code for code in counts if CODES[code].severity != "info"}
    assert others <= CONSEQUENCES, "one defect, one code, and what follows from it"


REPAIRABLE = {name: defect for name, defect in DEFECTS.items() if defect.code in REPAIRS}


def test_something_is_repairable() -> None:
    assert {defect.code for defect in REPAIRABLE.values()} == set(REPAIRS)


@pytest.mark.parametrize("defect", REPAIRABLE.values(), ids=REPAIRABLE)
def test_repair_leaves_nothing_of_its_code_and_is_idempotent(good: Path, tmp_path: Path, defect: Defect) -> None:
    folder = tmp_path / "data"
    write_spoilt(good, folder, defect)
    source, images = folder / "annotations.json", folder / "images"
    before = source.read_bytes()
    given = images if defect.code in NEEDS_IMAGES else None
    first = repair_file(RepairConfig(source, given, out=tmp_path / "new.json", codes=defect.code))
    assert {change.code for change in first.changes} == {defect.code}
    assert source.read_bytes() == before
    assert defect.code not in report_of(tmp_path / "new.json", images, defect.options).counts()
    second = repair_file(RepairConfig(tmp_path / "new.json", given, out=tmp_path / "newer.json", codes=defect.code))
    assert second.changes == ()
    assert (tmp_path / "newer.json").read_bytes() == (tmp_path / "new.json").read_bytes()


SOUND = ("openfield", "sheep-train", "sheep-val", "BoardDetection", "BookDetection", "CardDetection",
         "plier_keypoint", "plier_train_data", "plier_validation_data")  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_real_data_get_no_false_error(shared_data: Path, name: str) -> None:
    if name == "openfield":
        config = CheckConfig(shared_data / name / "annotations.json", shared_data / name / "images", workers=1)
    elif name.startswith("sheep"):
        side, folder = name.partition("-")[2], shared_data / "sheep"
        config = CheckConfig(folder / "annotations" / f"{side}.coco.json", folder / "images" / side, workers=1)
    else:
        config = CheckConfig(shared_data / "coco_annotator_exports" / f"{name}.json", annotations_only=True)
    result = check(config)
    assert result.report.of_severity("error") == []
    assert result.usable_instances == result.instances > 0


def test_the_mouse_with_exchanged_ears_is_found(shared_data: Path) -> None:
    """Looked at by a person: in img0102.jpg of the openfield data the ears are exchanged."""
    folder = shared_data / "openfield"
    report = check(CheckConfig(folder / "annotations.json", folder / "images", workers=1)).report
    assert [(f.image, f.annotation_id) for f in report.findings if f.code == "sides-swapped"] == [("img0102.jpg", 103)]
