"""Compare what the OD API's tests did with what is expected of them. Pure: no pytest, no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Result = Literal["passed", "failed", "skipped"]
_RANK: dict[str, int] = {"passed": 0, "skipped": 1, "failed": 2}


@dataclass(frozen=True)
class Outcome:
    """What one test did: `text` is the reason of a skip or the report of a failure."""

    test: str
    result: Result
    text: str = ""


@dataclass(frozen=True)
class Expectation:
    """A test that is expected to fail.

    Attributes:
        test: ``file::Class::name``; the file is relative to the package object_detection.
        reason: why it cannot pass.
        match: regular expression that the report of the failure must contain, so that no other failure hides here.
        when: conditions such as ``tensorflow>=2.21`` or ``without lvis`` that must all hold; empty: always.
    """

    test: str
    reason: str
    match: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """What is to be run: number of tests per file, and number of skipped tests per reason."""

    files: Mapping[str, int]
    skips: Mapping[str, int]


@dataclass(frozen=True)
class Verdict:
    """Counts, and one line for everything that is not as expected."""

    passed: int
    expected: tuple[Expectation, ...]
    unexpected: int
    skips: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def skipped(self) -> int:
        """Number of skipped tests."""
        return sum(self.skips.values())


def parse_suite(data: Any) -> Suite:
    """Read ``suite.yaml``.

    Raises:
        ValueError: keys other than files and skips, or a count that is no whole number.
    """
    if not isinstance(data, dict) or set(data) != {"files", "skips"}:
        raise ValueError("suite.yaml: expected the keys 'files' and 'skips'")
    for name, count in [*data["files"].items(), *data["skips"].items()]:
        if type(count) is not int or count < 1:
            raise ValueError(f"suite.yaml: {name}: found {count!r}, expected a number of tests")
    return Suite(data["files"], data["skips"])


def parse_expectations(data: Any) -> list[Expectation]:
    """Read ``expected_failures.yaml``.

    Raises:
        ValueError: an entry lacks something, holds something else, or stands there twice.
    """
    found = []
    for entry in data or []:
        keys = set(entry)
        if not {"test", "reason", "match"} <= keys <= {"test", "reason", "match", "when"}:
            raise ValueError(
                f"expected_failures.yaml: {entry.get('test')}: expected test, reason, match, and maybe when"
            )
        found.append(Expectation(entry["test"], entry["reason"], entry["match"], tuple(entry.get("when", ()))))
    twice = [test for test, count in Counter((e.test, e.when) for e in found).items() if count > 1]
    if twice:
        raise ValueError(f"expected_failures.yaml: {twice[0][0]}: stands there twice")
    return found


def merge(reports: Iterable[Outcome]) -> list[Outcome]:
    """One outcome per test from the reports of its setup, call and teardown: the worst counts."""
    worst: dict[str, Outcome] = {}
    for report in reports:
        known = worst.get(report.test)
        if known is None or _RANK[report.result] > _RANK[known.result]:
            worst[report.test] = report
    return list(worst.values())


def judge(
    suite: Suite,
    expectations: Sequence[Expectation],
    outcomes: Sequence[Outcome],
    holds: Callable[[str], bool],
) -> Verdict:
    """Tell the expected from the unexpected.

    Args:
        suite: what was to be run.
        expectations: the tests that may fail.
        outcomes: one per test, as `merge` returns them.
        holds: whether a requirement such as ``tensorflow>=2.21`` holds here.
    """
    due = {e.test: e for e in expectations if all(holds(requirement) for requirement in e.when)}
    failed = [outcome for outcome in outcomes if outcome.result == "failed"]
    as_expected = [o for o in failed if o.test in due and re.search(due[o.test].match, o.text)]
    skips = Counter(outcome.text for outcome in outcomes if outcome.result == "skipped")
    problems = [
        *_unexpected_failures(failed, due),
        *_unexpected_ends(outcomes, due),
        *_wrong_counts(suite, outcomes),
        *_wrong_skips(suite, skips),
    ]
    return Verdict(
        passed=sum(outcome.result == "passed" for outcome in outcomes),
        expected=tuple(due[outcome.test] for outcome in as_expected),
        unexpected=len(failed) - len(as_expected),
        skips=dict(skips),
        problems=tuple(problems),
    )


def _unexpected_failures(failed: Iterable[Outcome], due: Mapping[str, Expectation]) -> Iterable[str]:
    for outcome in failed:
        if outcome.test not in due:
            yield f"unexpected failure: {outcome.test}: {last_error(outcome.text)}"
        elif not re.search(due[outcome.test].match, outcome.text):
            expected = due[outcome.test].match
            yield f"failed for another reason than {expected!r}: {outcome.test}: {last_error(outcome.text)}"


def _unexpected_ends(outcomes: Iterable[Outcome], due: Mapping[str, Expectation]) -> Iterable[str]:
    results = {outcome.test: outcome.result for outcome in outcomes}
    for test, expectation in due.items():
        if test not in results:
            yield f"missing test: {test}: expected to fail ({expectation.reason}), but was not run"
        elif results[test] == "passed":
            yield f"unexpected pass: {test}: take it out of expected_failures.yaml ({expectation.reason})"
        elif results[test] == "skipped":
            yield f"unexpected skip: {test}: take it out of expected_failures.yaml ({expectation.reason})"


def _wrong_counts(suite: Suite, outcomes: Iterable[Outcome]) -> Iterable[str]:
    found = Counter(outcome.test.partition("::")[0] for outcome in outcomes)
    for file in sorted({*suite.files, *found}):
        wanted = suite.files.get(file, 0)
        if found[file] != wanted:
            yield f"wrong number of tests: {file}: {found[file]} were run, {wanted} were expected"


def _wrong_skips(suite: Suite, skips: Mapping[str, int]) -> Iterable[str]:
    for reason in sorted({*suite.skips, *skips}):
        found, wanted = skips.get(reason, 0), suite.skips.get(reason, 0)
        if found != wanted:
            yield f"wrong number of skipped tests: {reason!r}: {found} were skipped, {wanted} were expected"


def last_error(text: str, limit: int = 200) -> str:
    """The line of a failure's report that says what went wrong."""
    lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    found = (errors or lines or [line.strip() for line in text.splitlines() if line.strip()] or ["no report"])[-1]
    return found if len(found) <= limit else found[: limit - 1] + "…"
