"""The page of a run: from pictures with a known engine, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from html_page import Page

from kpt_tools.entities import Detection, Instance, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata, Report
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.stages.eval_gallery import SUSPECTS_PER_KIND, WORST, PictureCollector
from kpt_tools.stages.eval_report import EvaluationSource, write_report
from kpt_tools.stages.eval_truth import TruthImage

BOX = (20.0, 10.0, 60.0, 40.0)
SIGMAS = (0.05, 0.05)


def metadata(name: str = "patch", left: str = "left") -> ModelMetadata:
    keypoints = (KeypointLabel(0, left, left), KeypointLabel(1, "right", "right"))
    items = (LabelMapItem(1, name, keypoints), LabelMapItem(2, "bolt"))
    return ModelMetadata(LabelMap(items), skeleton=((0, 1),), sigmas=SIGMAS, flip_pairs=((0, 1),), input_hw=(64, 64))


def image(number: int, instances: tuple[Instance, ...]) -> TruthImage:
    pixels = np.full((80, 120, 3), 120, np.uint8)
    pixels[10:50, 20:80] = (200, 40, 40)
    return TruthImage(f"{number}.png", number, pixels, instances)


def annotated(number: int) -> Instance:
    return Instance(number, number, 1, BOX, 2400.0, ((25.0, 15.0, 2), (75.0, 15.0, 1)))


def found(shift: float = 0.0, score: float = 0.9, box: tuple[float, float, float, float] = BOX) -> Detection:
    return Detection(1, "patch", score, box, ((25.0 + shift, 15.0, 0.9), (75.0, 15.0, 0.9)))


def source(
    tmp_path: Path, shots: list[tuple[TruthImage, tuple[Detection, ...]]], described: ModelMetadata, **changes: Any
) -> EvaluationSource:
    pictures = PictureCollector(described, SIGMAS, "bbox")
    for shot, detections in shots:
        pictures.add(shot, detections)
    pairs = [ImagePair(shot.name, shot.instances, detections) for shot, detections in shots]
    result = evaluate(pairs, described, sigmas=SIGMAS)
    values: dict[str, Any] = {"run": None, "model": None, "truth": "val.json", "report": Report(), **changes}
    return EvaluationSource(out=tmp_path, metadata=described, result=result, pictures=pictures, **values)


def page_of(written: EvaluationSource) -> tuple[Page, str]:
    text = write_report(written).read_text(encoding="utf-8")
    return Page(text), text


def run_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "ok", "seconds": 600, "config": {"seed": 0}}))
    (folder / "pipeline.config").write_text("train_config {\n  batch_size: 8\n}\n")
    rows = [f"{step},10,0.001,{6 / step},{3 / step},{9 / step}" for step in (*range(1, 30), *range(20, 60))]
    header = "step,images_per_s,learning_rate,Loss/box/scale,Loss/box/offset,Loss/total_loss"
    (folder / "results.csv").write_text("\n".join([header, *rows]))
    (folder / "validation.csv").write_text("step,oks_ap,box_ap\n20,0.2,0.3\n40,0.4,0.5\n")
    (folder / "best").mkdir()
    best = {"step": 40, "metric": "oks_ap", "value": 0.4, "scores": {"oks_ap": 0.4}}
    (folder / "best" / "best.json").write_text(json.dumps(best))
    return folder


def test_page_of_a_run_holds_everything_and_fetches_nothing(tmp_path: Path) -> None:
    shots = [(image(n, (annotated(n),)), (found(n / 2),)) for n in range(1, 26)]
    shots.append((image(30, (annotated(30),)), ()))
    shots.append((image(31, (annotated(31),)), (found(50.0),)))
    shots.append((image(32, ()), (found(score=0.8),)))
    run = run_folder(tmp_path / "runs" / "first")
    page, text = page_of(source(tmp_path, shots, metadata(), run=run))
    assert page.fetches_nothing()
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert page.images == 2 * (WORST + 1), "the worst, and the detection without an object"
    for wanted in (
        "runs/first",
        "28 images of val.json",
        "26 of 27 objects found",
        "What to do next",
        "The 20 worst",
        "Detections without an object",
        "left &harr; right",
        "Errors of patch, in pixels",
        "PCK curve of patch",
        "OKS of patch",
        "Measured while training",
        "Dotted: the best checkpoint, oks_ap 0.400 at step 40.",
        "Parts of the loss",
        "Dotted: resumed at step 19.",
        "pipeline.config, as trained",
        "10 min",
        "batch size",
    ):
        assert wanted in text, wanted
    assert text.index("missed") < text.index("OKS 0."), "missed objects come first"
    assert "<th>patch</th>" in text
    assert "<th>bolt</th>" not in text, "the confusion matrix has the classes that occur"


def test_page_without_a_run_and_without_mistakes(tmp_path: Path) -> None:
    page, text = page_of(source(tmp_path, [(image(1, (annotated(1),)), (found(),))], metadata()))
    assert page.images == 2
    assert "The worst" in text
    assert "results.csv" not in text
    assert 'id="training"' not in text


def test_page_of_nothing_found(tmp_path: Path) -> None:
    page, text = page_of(source(tmp_path, [(image(1, (annotated(1),)), ())], metadata()))
    assert page.images == 2
    assert "The model finds nothing" in text
    assert 'class="verdict error"' in text


def test_page_of_images_without_objects(tmp_path: Path) -> None:
    page, text = page_of(source(tmp_path, [(image(1, ()), ())], metadata()))
    assert page.images == 0
    assert "Nothing to find in these images." in text


def test_names_are_text_not_html(tmp_path: Path) -> None:
    shot = TruthImage("<img src=x>.png", 1, image(1, ()).rgb, (annotated(1),))
    described = metadata("<b>patch</b> $x$", "<script>$")
    _, text = page_of(source(tmp_path, [(shot, (found(9.0),))], described, truth="<i>val</i>"))
    for raw in ("<img src=x", "<b>patch", "<script>", "<i>val"):
        assert raw not in text
    assert "&lt;b&gt;patch" in text


def test_the_worst_are_kept_whatever_the_order(tmp_path: Path) -> None:
    shifts = [float(n) for n in range(0, 60, 2)]
    for order in (shifts, shifts[::-1]):
        pictures = PictureCollector(metadata(), SIGMAS, "bbox")
        for number, shift in enumerate(order):
            pictures.add(image(number, (annotated(number),)), (found(shift),))
        worst = pictures.worst()
        assert len(worst) == WORST
        assert "left is 58 px off (97 % of the box)" in worst[0].note
        assert "left is 20 px off" in worst[-1].note


def test_clearest_suspicions_of_each_kind_are_kept_and_all_are_counted() -> None:
    pictures = PictureCollector(metadata(), SIGMAS, "bbox")
    for number in range(1, 11):
        pictures.add(image(number, ()), (found(score=0.5 + number / 100),))
    assert pictures.suspicions == {"unlabelled": 10}
    kept = pictures.suspects("unlabelled")
    assert len(kept) == SUSPECTS_PER_KIND
    assert kept[0].note == "patch with score 0.60, nothing is annotated there"
    assert [picture.caption for picture in kept[0].pictures] == ["nothing annotated", "patch 0.60"]
    assert pictures.suspects("sides") == ()


def test_a_missed_object_shows_what_was_found_beside_it() -> None:
    pictures = PictureCollector(metadata(), SIGMAS, "bbox")
    pictures.add(image(1, (annotated(1),)), (found(score=0.4, box=(50.0, 10.0, 60.0, 40.0)),))
    (only,) = pictures.worst()
    assert only.note == "missed; the nearest box has IoU 0.33"
    assert only.pictures[1].caption == "patch 0.40"
    assert only.pictures[0].jpeg[:2] == b"\xff\xd8"
    assert pictures.sides_at_input == [pytest.approx(32.0)]
