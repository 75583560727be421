"""Templates: facts, placeholders, sections; wrong ones are refused both ways."""

from __future__ import annotations

import dataclasses
import json

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.template import Template, TemplateInfo, fill, parse_template


def facts(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "title": "T",
        "use": "never",
        "extractor": "e",
        "input_size": 64,
        "zoo_model": "",
        "zoo_url": "",
        "batch_size": 2,
        "input_multiple": 32,
        "rectangular": False,
        "max_box_predictions": 20,
        "epochs": 3,
        "min_steps": 1,
        "max_steps": 9,
        "reference_batch_size": 8,
        "reference_learning_rate": 0.001,
        "warmup_start": 0.25,
        "max_warmup_steps": 5,
    }
    return {**values, **changes}


def text(body: str, **changes: object) -> str:
    return "".join(f"#@ {key} = {json.dumps(value)}\n" for key, value in facts(**changes).items()) + body


def template(body: str) -> Template:
    return parse_template("t", text(body))


def test_facts_are_taken_out_of_the_body() -> None:
    parsed = template("# comment\na: ${a}\n")
    assert parsed.info == TemplateInfo(**facts())  # type: ignore[arg-type]
    assert parsed.body == "# comment\na: ${a}\n"
    assert parsed.placeholders == {"a"}
    reference = dataclasses.asdict(parsed.info.reference)
    assert reference["batch_size"] == 8
    assert reference["epochs"] == 3


@pytest.mark.parametrize(
    ("source", "match"),
    [
        pytest.param(text("", color="red"), "template t: .*unknown setting 'color'", id="unknown"),
        pytest.param(text("").replace('#@ title = "T"\n', ""), r"missing setting\(s\) title", id="missing"),
        pytest.param(text('#@ title = "again"\n'), "t:18: 'title' occurs twice", id="twice"),
        pytest.param(text("").replace('"never"', "never"), "t:2: 'use' is never; expected JSON", id="not-json"),
        pytest.param(text("", batch_size="2"), "'batch_size' is '2'; expected int", id="wrong-type"),
        pytest.param(text("", batch_size=True), "'batch_size' is True; expected int", id="bool"),
    ],
)
def test_refused_facts(source: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        parse_template("t", source)


SECTIONS = "n: ${n}\n#@ for each row\n  k: ${k} ${n}\n#@ end\nm\n  #@ for each row\n  l: ${l}\n  #@ end\n"


def test_sections_repeat_with_values_of_their_own() -> None:
    rows = [{"k": "1", "l": "2"}, {"k": "3", "l": "4"}]
    assert fill(template(SECTIONS), {"n": "0"}, {"row": rows}) == "n: 0\n  k: 1 0\n  k: 3 0\nm\n  l: 2\n  l: 4\n"
    assert fill(template(SECTIONS), {"n": "0"}, {"row": []}) == "n: 0\nm\n"


def test_values_are_not_searched_for_placeholders() -> None:
    assert fill(template("a: ${a}\n"), {"a": "${b} $"}, {}) == "a: ${b} $\n"


@pytest.mark.parametrize(
    ("body", "values", "rows", "match"),
    [
        pytest.param("${a}\n", {}, None, r"no value for '\$\{a\}'; known: none", id="missing-value"),
        pytest.param(
            "${a}\n", {"a": "1", "b": "2"}, None, r"no placeholder takes b; expected \$\{b\}", id="unused-value"
        ),
        pytest.param(
            SECTIONS, {"n": "0"}, [{"k": "1"}], r"section 'row'|no value for '\$\{l\}'", id="missing-in-section"
        ),
        pytest.param(
            SECTIONS,
            {"n": "0"},
            [{"k": "1", "l": "2", "z": "3"}],
            "section 'row': no placeholder takes z",
            id="unused-in-row",
        ),
        pytest.param(SECTIONS, {"n": "0"}, None, "section 'row' has no values", id="no-such-section"),
        pytest.param("x\n", {}, [{"k": "1"}], "section 'row': no placeholder takes k", id="section-not-there"),
        pytest.param("cost: $5\n", {}, None, r"a '\$' that starts no placeholder", id="stray-dollar"),
        pytest.param("#@ for each row\n", {}, [], "section 'row' has no '#@ end'", id="open-section"),
        pytest.param("#@ end\n", {}, [], "'#@ end' without '#@ for each'", id="end-only"),
        pytest.param("#@ for each row\n#@ for each row\n#@ end\n", {}, [], "starts within section", id="nested"),
        pytest.param("#@ fro each row\n", {}, [], "is neither a fact nor a section", id="typo"),
    ],
)
def test_refused_filling(body: str, values: dict[str, str], rows: list[dict[str, str]] | None, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        fill(template(body), values, {} if rows is None else {"row": rows})
