"""Run the OD API's own tests in this environment and judge what they did."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

from . import plugin, standins
from .verdict import Outcome, Suite, Verdict, judge, merge, parse_expectations, parse_suite

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PACKAGES = ("tensorflow", "tf_keras", "numpy", "protobuf", "pillow", "matplotlib", "scipy", "pycocotools")
OD_API = "tf-models-research-object-detection"


@dataclass(frozen=True)
class Run:
    """A finished run: `returncode` is pytest's."""

    verdict: Verdict
    returncode: int
    seconds: float

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is not as expected, the end of pytest itself included."""
        if self.returncode in (0, 1):
            return self.verdict.problems
        return (f"pytest ended with status {self.returncode}, see its log", *self.verdict.problems)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the OD API stands on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def holds(requirement: str) -> bool:
    """Whether ``numpy>=2.4``, ``python>=3.13`` or ``without lvis`` is true of this environment."""
    if requirement.startswith("without "):
        return not any(importlib.metadata.distributions(name=requirement.removeprefix("without ")))
    wanted = Requirement(requirement)
    if wanted.name == "python":
        return wanted.specifier.contains(platform.python_version(), prereleases=True)
    return wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True)


def load_suite(files: Sequence[str] = ()) -> Suite:
    """What is to be run; `files` restricts it.

    Raises:
        ValueError: a file that is not in ``suite.yaml``.
    """
    suite = parse_suite(yaml.safe_load((HERE / "suite.yaml").read_text(encoding="utf-8")))
    unknown = [file for file in files if file not in suite.files]
    if unknown:
        raise ValueError(f"{unknown[0]}: not one of the {len(suite.files)} files of suite.yaml")
    return Suite({file: suite.files[file] for file in files}, {}) if files else suite


def run(out: Path, jobs: int, files: Sequence[str] = ()) -> Run:
    """Run the suite (or some of its files) and judge it; the log, the reports and the result stay in `out`.

    Raises:
        ValueError: a file that is not in ``suite.yaml``, or `out` holds something else than an earlier run.
    """
    suite = load_suite(files)
    _check_ours(out)
    expectations = parse_expectations(yaml.safe_load((HERE / "expected_failures.yaml").read_text(encoding="utf-8")))
    shutil.rmtree(out, ignore_errors=True)
    (out / "tmp").mkdir(parents=True)
    standins.write(out)
    begin = time.monotonic()
    returncode = _run_pytest(out, jobs, suite)
    outcomes = merge(_reports(out / plugin.REPORTS))
    if files:
        suite = Suite(suite.files, _skips_of(outcomes))
        expectations = [e for e in expectations if e.test.partition("::")[0] in files]
    done = Run(judge(suite, expectations, outcomes, holds), returncode, round(time.monotonic() - begin, 1))
    (out / "result.json").write_text(json.dumps(summary(done), indent=2) + "\n", encoding="utf-8")
    for folder in ("tmp", standins.PACKAGE):
        shutil.rmtree(out / folder)
    return done


def _check_ours(out: Path) -> None:
    """`out` is emptied, so it must be new, empty, or the folder of an earlier run."""
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    strange = sorted(names - {"log.txt", "result.json", "tmp", plugin.REPORTS, standins.PACKAGE})
    if strange:
        raise ValueError(f"{out}: holds {strange[0]}, which is not of an earlier run; expected a folder to be emptied")


def summary(done: Run) -> dict[str, Any]:
    """The result as the table of versions takes it."""
    verdict = done.verdict
    return {
        "versions": versions(),
        "passed": verdict.passed,
        "expected_failures": [expectation.test for expectation in verdict.expected],
        "unexpected_failures": verdict.unexpected,
        "skipped": dict(verdict.skips),
        "problems": list(done.problems),
        "seconds": done.seconds,
    }


def _run_pytest(out: Path, jobs: int, suite: Suite) -> int:
    package = plugin.package_folder()
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain"),
        *("-c", os.devnull, "--rootdir", str(package), "--timeout", "900", plugin.OPTION, str(out)),
        *("-n", str(jobs), "--dist", "worksteal"),
        *(str(package / file) for file in suite.files),
    ]
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "TMPDIR": str(out / "tmp"),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
    }
    with (out / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=out, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _show_progress(process, out / plugin.REPORTS, sum(suite.files.values()))
        finally:
            process.kill()
            process.wait()
    return process.returncode


def _show_progress(process: subprocess.Popen[bytes], reports: Path, total: int) -> None:
    """Print a line for every tenth of the tests until `process` ends."""
    shown = 0
    while process.poll() is None:
        time.sleep(1)
        done = sum(1 for _ in _reports(reports))
        if done * 10 // total > shown:
            shown = done * 10 // total
            print(f"{done} of {total} tests", flush=True)


def _reports(path: Path) -> Iterator[Outcome]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            if line.endswith("\n"):
                yield Outcome(**json.loads(line))


def _skips_of(outcomes: Sequence[Outcome]) -> dict[str, int]:
    reasons = [outcome.text for outcome in outcomes if outcome.result == "skipped"]
    return {reason: reasons.count(reason) for reason in reasons}
