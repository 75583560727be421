"""pytest plugin of the conformance run: the compatibility layer first, then a record of what each test did."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kpt_tools.odapi import compat

from . import shims

OPTION = "--conformance-folder"
REPORTS = "reports.jsonl"

# tf.test.TestCase offers a session under this name; it is no test, and TensorFlow skips it with "Not a test.".
NOT_A_TEST = "test_session"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder that holds the stand-in files and gets the record."""
    parser.addoption(OPTION, type=Path, required=True)


def package_folder() -> Path:
    """Where object_detection is installed; does not import it."""
    spec = importlib.util.find_spec("object_detection")
    if spec is None or spec.origin is None:
        raise pytest.UsageError("The OD API is not installed here.")
    return Path(spec.origin).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """Activate the layer as a user's program does; in the processes that run tests, also what the tests need."""
    compat.activate()
    if hasattr(config, "workerinput"):
        shims.install(config.getoption(OPTION), package_folder())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is no test."""
    helpers = [item for item in items if item.name == NOT_A_TEST]
    config.hook.pytest_deselected(items=helpers)
    items[:] = [item for item in items if item.name != NOT_A_TEST]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Each test gets a temporary folder of its own; TensorFlow gives all tests of a process the same."""
    from tensorflow.python.platform import googletest

    googletest._googletest_temp_dir = tempfile.mkdtemp()


class Recorder:
    """Writes one JSON line per report; lives in the process that hands out the tests."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("w", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Setup, call or teardown of a test."""
        if report.when == "call" or report.outcome != "passed":
            self._write(report.nodeid, report.outcome, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A test file that does not import."""
        if report.outcome == "failed":
            self._write(report.nodeid, report.outcome, report.longrepr)

    def _write(self, nodeid: str, outcome: str, longrepr: Any) -> None:
        text = longrepr[2].removeprefix("Skipped: ") if isinstance(longrepr, tuple) else str(longrepr or "")
        line = json.dumps({"test": nodeid.replace("\\", "/"), "result": outcome, "text": text})
        self._handle.write(line + "\n")
        self._handle.flush()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Register the recorder where the reports of all processes arrive."""
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Recorder(session.config.getoption(OPTION) / REPORTS))
