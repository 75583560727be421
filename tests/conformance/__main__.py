"""Command line of the conformance run; the exit code is 0 only if everything was as expected."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from pathlib import Path

from . import run as conformance

DEFAULT_OUT = conformance.REPOSITORY / "build" / "conformance"


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=conformance.__doc__)
    parser.add_argument("files", nargs="*", help="only these files of suite.yaml (then skipped tests are not counted)")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="processes, of 2 to 3 GB each")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder for the log and the result; is emptied")
    arguments = parser.parse_args()
    try:
        found = conformance.versions()
        odapi = importlib.metadata.version(conformance.OD_API)
    except importlib.metadata.PackageNotFoundError as exc:
        print(f"{exc.name} is not installed here; the conformance run needs it. See docs/setup.md.", file=sys.stderr)
        return 4
    print(f"The tests of the OD API {odapi} on " + ", ".join(f"{name} {version}" for name, version in found.items()))
    try:
        done = conformance.run(arguments.out.resolve(), arguments.jobs, arguments.files)
    except ValueError as exc:
        parser.error(str(exc))
    except KeyboardInterrupt:
        return 130
    _print(done, arguments.out)
    return 1 if done.problems else 0


def _print(done: conformance.Run, out: Path) -> None:
    verdict = done.verdict
    for expectation in verdict.expected:
        print(f"expected failure: {expectation.test}: {expectation.reason}")
    for reason, count in sorted(verdict.skips.items(), key=lambda item: -item[1]):
        print(f"skipped {count}: {reason}")
    for problem in done.problems:
        print(problem)
    print(
        f"conformance: {verdict.passed} passed, {len(verdict.expected)} failed as expected, "
        f"{verdict.unexpected} failed unexpectedly, {verdict.skipped} skipped in {done.seconds:.0f} s. "
        + (f"{len(done.problems)} problems; log: {out / 'log.txt'}" if done.problems else "All as expected.")
    )


if __name__ == "__main__":
    sys.exit(main())
