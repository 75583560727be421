"""The doctor's rows about packages, in a full and in a lean environment."""

from __future__ import annotations

import importlib.metadata

import pytest

from kpt_tools.config.doctor import DoctorConfig
from kpt_tools.stages import doctor as stage

LEAN = {name: "1.0" for name, _, _ in stage._PACKAGES} | {"tensorflow": "2.21.0", "tf_keras": "2.21.0"}
FULL = LEAN | {name: "1.0" for name, _ in stage._REPLACEABLE}


def rows(monkeypatch, installed: dict[str, str]) -> dict[str, list[stage.Row]]:
    """The rows about packages, where just these are installed."""

    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    found: dict[str, list[stage.Row]] = {}
    for row in stage._packages():
        found.setdefault(row.item, []).append(row)
    return found


@pytest.mark.parametrize("installed", [LEAN, FULL], ids=["lean", "full"])
def test_both_environments_are_healthy(monkeypatch, installed: dict[str, str]) -> None:
    found = rows(monkeypatch, installed)
    assert len(found) == len(FULL)
    assert {row.state for group in found.values() for row in group} == {"ok"}


def test_what_has_a_stand_in_may_be_missing_and_says_what_for(monkeypatch) -> None:
    (row,) = rows(monkeypatch, LEAN)["tf-models-official"]
    assert row.found == "not installed"
    assert "use_moving_average" in row.advice


def test_a_missing_package_is_a_problem_with_advice(monkeypatch) -> None:
    (row,) = rows(monkeypatch, {name: version for name, version in FULL.items() if name != "tf-slim"})["tf-slim"]
    assert (row.found, row.state) == ("not installed", "problem")
    assert row.advice.startswith("Needed for train, export. Run in the folder of kpt-tools: pip install")


def test_keras_of_another_tensorflow_is_a_problem(monkeypatch) -> None:
    _, row = rows(monkeypatch, FULL | {"tf_keras": "2.20.1"})["tf_keras"]
    assert row.state == "problem"
    assert row.advice == "TensorFlow 2.21.0 needs the same minor version: pip install 'tf-keras==2.21.*'"


def test_packages_that_are_missing_are_not_compared(monkeypatch) -> None:
    found = rows(monkeypatch, {name: version for name, version in FULL.items() if name != "tensorflow"})
    assert [len(group) for group in found.values()] == [1] * len(FULL)


def test_a_quick_look_does_not_start_tensorflow(tmp_path) -> None:
    result = stage.doctor(DoctorConfig(folder=tmp_path, quick=True))
    assert [row.found for row in result.rows if row.section == "OD API"] == ["not tried (--quick)"]
    assert {"python", "package", "machine"} <= {row.section for row in result.rows}
