from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from html_page import Page

from kpt_tools.cli.main import run
from kpt_tools.config.compare import CompareConfig
from kpt_tools.entities import Detection, Instance, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import write_json
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.oks import AreaSource
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.report.comparison import Comparison
from kpt_tools.stages.checkpoint_choice import choose_checkpoint
from kpt_tools.stages.compare import compare

BOX = (0.0, 0.0, 100.0, 100.0)


def result(
    shift: float, sigma: float = 0.05, area: AreaSource = "bbox", names: tuple[str, ...] = ("mouse",)
) -> dict[str, Any]:
    """An evaluation in which every first point is `shift` px off."""
    items, slot = [], 0
    for number, name in enumerate(names, start=1):
        items.append(
            LabelMapItem(number, name, tuple(KeypointLabel(slot + i, f"{name}{i}", p) for i, p in enumerate("ab")))
        )
        slot += 2
    pairs = []
    for item in items:
        truth = Instance(1, 1, item.id, BOX, 900.0, ((10.0, 10.0, 2), (90.0, 90.0, 2)))
        found = Detection(item.id, item.name, 0.9, BOX, ((10.0 + shift, 10.0, 0.9), (90.0, 90.0, 0.9)))
        pairs.append(ImagePair(item.name, (truth,), (found,)))
    metadata = ModelMetadata(LabelMap(tuple(items)), flip_pairs=((0, 1),))
    return evaluate(pairs, metadata, sigmas=(sigma,) * slot, area=area).to_dict()


def write_run(folder: Path, numbers: dict[str, Any], *, truth: str = "aa", batch: int = 8, steps: int = 3) -> Path:
    """A run folder with an evaluation in it."""
    (folder / "eval").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"seconds": 600, "config": {"seed": 0, "run": str(folder)}}))
    (folder / "pipeline.config").write_text(f"train_config {{\n  batch_size: {batch}\n  num_steps: {steps}\n}}\n")
    rows = "\n".join(f"{step},5,{10 / step}" for step in range(1, steps + 1))
    (folder / "results.csv").write_text(f"step,images_per_s,Loss/total_loss\n{rows}\n")
    inputs = {"model": {"path": "m", "sha256": folder.name}, "val": {"path": "v", "sha256": truth}}
    content = {"truth": "val.record", "inputs": inputs, "result": numbers}
    (folder / "eval" / "eval.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    first = write_run(tmp_path / "first", result(0.0), steps=3)
    return first, write_run(tmp_path / "second", result(15.0), batch=4, steps=5)


def rows_of(found: Comparison) -> dict[str, tuple[Any, ...]]:
    return {f"{row.group}: {row.field or row.name}": row.values for row in found.rows}


def test_numbers_side_by_side(two: tuple[Path, Path]) -> None:
    found = compare(CompareConfig(two))
    assert found.names == ("first", "second")
    assert found.comparable
    rows = rows_of(found)
    assert rows["Settings that differ: batch size"] == ("8", "4")
    assert rows["Settings that differ: train_config.num_steps"] == ("3", "5")
    assert rows["Training: steps"] == (3, 5)
    assert rows["Training: time"] == ("10 min", "10 min")
    assert rows["Training: last loss"] == (pytest.approx(10 / 3), 2.0)
    assert rows["Result: box AP"] == (pytest.approx(1.0), pytest.approx(1.0))
    assert rows["Result: OKS AP"] == (pytest.approx(1.0), pytest.approx(0.4))
    assert rows["Result: PCK@.1"] == (1.0, 0.5)
    assert rows["Result: left/right swap rate"] == (0.0, 0.0)
    assert rows["PCK@.1 of mouse: a"] == (1.0, 0.0)
    assert rows["median px of mouse: a"] == (0.0, 15.0)
    settings = [row.name for row in found.rows if row.group == "Settings that differ"]
    assert settings == ["batch size", "num_steps"], "what is equal, and each run's own, is not listed"
    assert found.warnings == (
        "Few objects were measured (1): one of them is 100.0 % of the result, so small differences are chance.",
    )


@pytest.mark.parametrize(
    ("numbers", "truth", "warning"),
    [
        pytest.param(result(0.0), "bb", "measured on different images or annotations", id="truth"),
        pytest.param(result(0.0, 0.1), "aa", r"different OKS sigmas \(0.05; 0.1\)", id="sigma"),
        pytest.param(result(0.0, area="segm"), "aa", r"different areas in OKS \(bbox; segm\)", id="area"),
        pytest.param(
            result(0.0, names=("rat",)), "aa", r"different classes or keypoints \(mouse: 2 .*; rat: 2", id="classes"
        ),
    ],
)
def test_what_cannot_be_compared_is_told(two: tuple[Path, Path], numbers: Any, truth: str, warning: str) -> None:
    other = write_run(two[0].parent / "other", numbers, truth=truth)
    found = compare(CompareConfig((two[0], other)))
    assert not found.comparable
    with pytest.raises(ValueError, match=warning):
        raise ValueError(found.warnings[0])


def test_another_way_of_looking_is_told(two: tuple[Path, Path]) -> None:
    path = two[1] / "eval" / "eval.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "settings": {"flip_test": True}}))
    (warning,) = [text for text in compare(CompareConfig(two)).warnings if "flip" in text]
    assert warning == "Of first and second, one was measured with --flip-test: do not compare their numbers."


def test_truth_of_evaluations_of_older_versions(two: tuple[Path, Path]) -> None:
    """They have no inputs in eval.json, but in the run.json beside it."""
    for folder in two:
        content = json.loads((folder / "eval" / "eval.json").read_text())
        del content["inputs"]
        (folder / "eval" / "eval.json").write_text(json.dumps(content))
    assert compare(CompareConfig(two)).comparable, "the name is all that is known"
    for folder, digest in zip(two, ("cc", "dd"), strict=True):
        inputs = {"inputs": {"val": {"path": "v", "sha256": digest}, "model": {"path": "m", "sha256": "m"}}}
        (folder / "eval" / "run.json").write_text(json.dumps(inputs))
    assert not compare(CompareConfig(two)).comparable


def test_evaluations_are_found_from_everywhere(two: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = two
    export = second / "export"
    (export / "saved_model").mkdir(parents=True)
    (export / "saved_model" / "saved_model.pb").write_bytes(b"x")
    for where in (second / "eval", second / "eval" / "eval.json", export):
        assert compare(CompareConfig((first, where))).names == ("first", "second")
    alone = tmp_path / "elsewhere" / "result.json"
    alone.parent.mkdir()
    alone.write_text((second / "eval" / "eval.json").read_text())
    found = compare(CompareConfig((first, alone)))
    assert found.names == ("first", "result.json")
    assert rows_of(found)["Training: steps"] == (3, None)


def test_names_tell_runs_of_one_name_apart(tmp_path: Path) -> None:
    runs = tuple(write_run(tmp_path / project / "runs" / "train", result(0.0)) for project in ("mice", "rats"))
    assert compare(CompareConfig(runs)).names == ("mice/runs/train", "rats/runs/train")


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    both = write_run(tmp_path / "both", result(0.0, names=("mouse", "rat")))
    other = write_run(tmp_path / "other", result(15.0, names=("rat", "mouse")))
    rows = rows_of(compare(CompareConfig((both, other))))
    assert rows["rat: OKS AP"] == (pytest.approx(1.0), pytest.approx(0.4))
    assert rows["Result: mean OKS AP"] == (pytest.approx(1.0), pytest.approx(0.4))


def test_a_run_that_was_trained_on(two: tuple[Path, Path]) -> None:
    first, _ = two
    for name in ("ckpt-9.index", "ckpt-9.data-00000-of-00001"):
        (first / name).write_bytes(b"x")
    (first / "checkpoint").write_text('model_checkpoint_path: "ckpt-9"\n')
    measured = choose_checkpoint(first, None)
    assert measured is not None
    path = first / "eval" / "eval.json"
    write_json(path, {**json.loads(path.read_text()), "checkpoint": measured.origin.to_dict()})
    assert not any("trained on" in warning for warning in compare(CompareConfig(two)).warnings)
    (first / "ckpt-9.index").write_bytes(b"y")
    warnings = compare(CompareConfig(two)).warnings
    assert warnings[0].startswith("first: was trained on since it was measured. Run: kpt-tools eval ")


def test_page_and_json(two: tuple[Path, Path], tmp_path: Path) -> None:
    third = write_run(tmp_path / "third", result(5.0))
    found = compare(CompareConfig((*two, third), out=tmp_path / "page.html", json=tmp_path / "numbers.json"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert Page(text).fetches_nothing()
    for wanted in ("first · second · third", "Running means.", "PCK curves of mouse", "batch size"):
        assert wanted in text, wanted
    stored = json.loads((tmp_path / "numbers.json").read_text())
    assert [entry["name"] for entry in stored["runs"]] == list(found.names)
    assert len(stored["rows"]) == len(found.rows)
    assert {"group": "Result", "name": "PCK@.1", "values": [1.0, 0.5, 1.0], "better": 1} in stored["rows"]


def test_page_of_evaluations_without_curves(two: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in two:
        (folder / "results.csv").unlink()
        content = json.loads((folder / "eval" / "eval.json").read_text())
        del content["result"]["classes"][0]["errors"]["pck_curve"]
        (folder / "eval" / "eval.json").write_text(json.dumps(content))
    compare(CompareConfig(two, out=tmp_path / "page.html"))
    assert 'id="curves"' not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_one_run_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"1 run\(s\) given; expected at least two"):
        CompareConfig((tmp_path,))


def test_what_was_not_measured(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none: no eval.json found; .*Run: kpt-tools eval "):
        compare(CompareConfig((two[0], tmp_path / "none")))
    with pytest.raises(ConfigError, match="is given twice"):
        compare(CompareConfig((two[0], two[0] / "eval")))


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "holds no result"), ('{"result": {"images": 1}}', "its result has no 'box'"), ("{", "not valid JSON")],
)
def test_damaged_evaluations(two: tuple[Path, Path], tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "eval.json").write_text(text)
    with pytest.raises(DataError, match=message):
        compare(CompareConfig((two[0], tmp_path / "eval.json")))


def test_command(
    two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["compare", *map(str, two), "--json", str(tmp_path / "a.json")]) == 0
    printed = capsys.readouterr()
    for wanted in ("first", "second", "OKS AP", "0.400", "The best of a row is bold.", "Numbers: "):
        assert wanted in printed.out
    assert "warning: Few objects were measured" in printed.err
    assert run(["compare", str(two[0])]) == 2
    assert "expected at least two" in capsys.readouterr().err


def test_long_lists_of_settings_are_cut_on_the_screen_only(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, value in zip(two, "xy", strict=True):
        lines = "\n".join(f"setting{number}: {value}" for number in range(30))
        (folder / "pipeline.config").write_text(lines)
    assert run(["compare", *map(str, two)]) == 0
    assert "... and 10 more: --json, --out" in capsys.readouterr().out
    assert replace(compare(CompareConfig(two)), names=()).rows[29].name == "setting29"
