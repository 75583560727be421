"""The runner's own files and the process it starts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from kpt_tools.records.example_proto import parse_example
from kpt_tools.records.tfrecord import read_tfrecord

from . import plugin, run, standins
from .verdict import parse_expectations


def test_expected_failures_are_tests_of_the_suite_and_say_why() -> None:
    suite = run.load_suite()
    expectations = parse_expectations(yaml.safe_load((run.HERE / "expected_failures.yaml").read_text(encoding="utf-8")))
    assert expectations
    for expectation in expectations:
        assert expectation.test.partition("::")[0] in suite.files
        assert len(expectation.reason) > 20
        assert re.compile(expectation.match)


def test_the_suite_can_be_restricted_to_its_files() -> None:
    assert dict(run.load_suite(["utils/metrics_test.py"]).files) == {"utils/metrics_test.py": 8}
    with pytest.raises(ValueError, match=r"utils/gone_test\.py: not one of the \d+ files"):
        run.load_suite(["utils/gone_test.py"])


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("python>=3.10", True),
        ("python<3", False),
        ("numpy>=1.26", True),
        ("numpy<1", False),
        ("without no-such-package", True),
        ("without numpy", False),
    ],
)
def test_conditions_are_compared_with_what_is_installed(requirement: str, expected: bool) -> None:
    assert run.holds(requirement) is expected


def test_stand_in_files_hold_what_the_tests_ask_for(tmp_path) -> None:
    standins.write(tmp_path)
    top = tmp_path / "object_detection"
    examples = [parse_example(data, "") for data in read_tfrecord(top / "test_data" / "pets_examples.record")]
    assert [example["image/object/class/text"] for example in examples] == [[b"Abyssinian"], [b"american_bulldog"]]
    with Image.open(top / "test_images" / "image1.jpg") as image:
        assert image.size == (512, 636)
        assert len(np.unique(np.asarray(image))) > 10
    assert "american_bulldog" in (top / "data" / "pet_label_map.pbtxt").read_text()
    assert (top / "samples" / "configs" / "ssd_mobilenet_v2_pets_keras.config").is_file()


@pytest.mark.odapi
def test_the_stand_in_config_is_a_config() -> None:
    pytest.importorskip("object_detection")
    from kpt_tools.odapi import pipeline_config

    assert pipeline_config.parse(standins.CONFIG, "stand-in").model.center_net.num_classes == 2


@pytest.mark.odapi
@pytest.mark.slow
def test_a_small_part_runs_from_the_command_line(repository, tmp_path) -> None:
    pytest.importorskip("object_detection")
    command = [sys.executable, "-m", "tests.conformance", "--jobs", "1", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "utils/json_utils_test.py"], cwd=repository, capture_output=True, text=True, timeout=300
    )
    assert "conformance: 11 passed, 0 failed as expected, 0 failed unexpectedly, 0 skipped" in done.stdout, done.stdout
    assert done.returncode == 0
    assert sorted(path.name for path in Path(tmp_path / "out").iterdir()) == [
        "log.txt",
        plugin.REPORTS,
        "result.json",
    ]


def test_a_folder_with_other_things_is_not_emptied(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"holds thesis\.txt, which is not of an earlier run"):
        run.run(tmp_path, 1)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_an_unknown_file_is_a_usage_error(repository, tmp_path) -> None:
    pytest.importorskip("object_detection")
    command = [sys.executable, "-m", "tests.conformance", "--out", str(tmp_path / "out"), "utils/gone_test.py"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "utils/gone_test.py: not one of the" in done.stderr
