"""The judgement on the OD API's tests: nothing unexpected goes through."""

from __future__ import annotations

import pytest

from .verdict import Expectation, Outcome, Suite, judge, last_error, merge, parse_expectations, parse_suite

BROKEN = "a_test.py::Case::test_broken"
REPORT = "    assert it\nE   ValueError: no such file: data.mat\n\na_test.py:3: ValueError"


def suite(**changed) -> Suite:
    return Suite(**{"files": {"a_test.py": 2, "b_test.py": 1}, "skips": {"TF1 only": 1}} | changed)


def expectation(**changed) -> Expectation:
    return Expectation(**{"test": BROKEN, "reason": "no data.mat", "match": r"data\.mat"} | changed)


def outcomes(broken: str = "failed", text: str = REPORT) -> list[Outcome]:
    return [
        Outcome("a_test.py::Case::test_fine", "passed"),
        Outcome(BROKEN, broken, text),
        Outcome("b_test.py::Case::test_old", "skipped", "TF1 only"),
    ]


def verdict(expectations=None, found=None, run=None, requirements: tuple[str, ...] = ()):
    return judge(
        run or suite(),
        [expectation()] if expectations is None else expectations,
        outcomes() if found is None else found,
        lambda requirement: requirement in requirements,
    )


def test_all_as_expected() -> None:
    found = verdict()
    assert found.problems == ()
    assert (found.passed, found.expected, found.unexpected, found.skipped) == (1, (expectation(),), 0, 1)
    assert found.skips == {"TF1 only": 1}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(
            {"expectations": []},
            f"unexpected failure: {BROKEN}: ValueError: no such file: data.mat",
            id="unexpected-failure",
        ),
        pytest.param(
            {"found": outcomes("passed", "")},
            f"unexpected pass: {BROKEN}: take it out of expected_failures.yaml (no data.mat)",
            id="unexpected-pass",
        ),
        pytest.param(
            {"found": outcomes(text="E   OSError: disk full")},
            rf"failed for another reason than 'data\\.mat': {BROKEN}: OSError: disk full",
            id="other-reason",
        ),
        pytest.param(
            {"found": outcomes("skipped", "TF1 only"), "run": suite(skips={"TF1 only": 2})},
            f"unexpected skip: {BROKEN}: take it out of expected_failures.yaml (no data.mat)",
            id="expected-failure-skipped",
        ),
        pytest.param(
            {"expectations": [expectation(), expectation(test="b_test.py::Case::test_gone")]},
            "missing test: b_test.py::Case::test_gone: expected to fail (no data.mat), but was not run",
            id="missing-test",
        ),
        pytest.param(
            {"run": suite(files={"a_test.py": 2, "b_test.py": 1, "c_test.py": 3})},
            "wrong number of tests: c_test.py: 0 were run, 3 were expected",
            id="missing-file",
        ),
        pytest.param(
            {"run": suite(files={"a_test.py": 3, "b_test.py": 1})},
            "wrong number of tests: a_test.py: 2 were run, 3 were expected",
            id="fewer-tests",
        ),
        pytest.param(
            {"run": suite(files={"a_test.py": 2})},
            "wrong number of tests: b_test.py: 1 were run, 0 were expected",
            id="unknown-file",
        ),
        pytest.param(
            {"run": suite(skips={})},
            "wrong number of skipped tests: 'TF1 only': 1 were skipped, 0 were expected",
            id="unexpected-skip",
        ),
        pytest.param(
            {"run": suite(skips={"TF1 only": 1, "no GPU": 2})},
            "wrong number of skipped tests: 'no GPU': 0 were skipped, 2 were expected",
            id="skip-that-ended",
        ),
    ],
)
def test_what_is_not_expected_is_a_problem(arguments: dict, problem: str) -> None:
    assert verdict(**arguments).problems == (problem,)


def test_a_condition_that_holds_makes_a_failure_expected() -> None:
    conditional = [expectation(when=("numpy>=2.4", "python>=3.13"))]
    assert verdict(conditional, requirements=("numpy>=2.4", "python>=3.13")).problems == ()


def test_a_condition_that_does_not_hold_makes_it_unexpected() -> None:
    conditional = [expectation(when=("numpy>=2.4", "python>=3.13"))]
    found = verdict(conditional, requirements=("numpy>=2.4",))
    assert found.unexpected == 1
    assert found.problems == (f"unexpected failure: {BROKEN}: ValueError: no such file: data.mat",)
    assert verdict(conditional, outcomes("passed", "")).problems == ()


def test_the_worst_of_setup_call_and_teardown_counts() -> None:
    reports = [
        Outcome("t", "passed"),
        Outcome("t", "failed", "E   boom"),
        Outcome("t", "passed"),
        Outcome("u", "passed"),
    ]
    assert merge(reports) == [Outcome("t", "failed", "E   boom"), Outcome("u", "passed")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(REPORT, "ValueError: no such file: data.mat", id="pytest"),
        pytest.param("E   tf.errors.NotFoundError: x\nE     more", "tf.errors.NotFoundError: x", id="dotted"),
        pytest.param("E   assert 1 == 2", "assert 1 == 2", id="assertion"),
        pytest.param("worker crashed\n", "worker crashed", id="no-exception"),
        pytest.param("", "no report", id="empty"),
    ],
)
def test_the_line_that_says_what_went_wrong(text: str, line: str) -> None:
    assert last_error(text) == line


def test_a_long_line_is_cut() -> None:
    assert len(last_error("E   ValueError: " + "x" * 500)) == 200


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param([], "expected the keys", id="no-mapping"),
        pytest.param({"files": {}}, "expected the keys", id="no-skips"),
        pytest.param({"files": {"a_test.py": 0}, "skips": {}}, r"a_test\.py: found 0", id="no-tests"),
        pytest.param({"files": {}, "skips": {"TF1": "many"}}, "TF1: found 'many'", id="no-number"),
    ],
)
def test_a_wrong_suite_is_refused(data, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_suite(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param([{"test": "t", "match": "x"}], "t: expected test, reason, match", id="no-reason"),
        pytest.param([{"test": "t", "reason": "r"}], "t: expected test, reason, match", id="no-match"),
        pytest.param([{"test": "t", "reason": "r", "match": "x", "only": 1}], "t: expected test", id="unknown-key"),
        pytest.param([{"test": "t", "reason": "r", "match": "x"}] * 2, "t: stands there twice", id="twice"),
    ],
)
def test_a_wrong_expectation_is_refused(data, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_expectations(data)


def test_no_expectations_is_an_empty_list() -> None:
    assert parse_expectations(None) == []
