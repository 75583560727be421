"""Templates of pipeline.config: facts in the head, ``${name}`` where a value goes, sections that repeat.

    #@ title = "CenterNet with ..."          a fact about the template: JSON, the fields of `TemplateInfo`
    batch_size: ${batch_size}                a value
    #@ for each keypoint_class               the lines up to "#@ end" repeat, each time with values of their own
    task_name: ${task_name}
    #@ end

Everything fails both ways: a placeholder without value, and a value that no placeholder takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kpt_tools.config.base import from_dict
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.schedule import Reference

_FACT = re.compile(r"#@ (\w+) = (.*)")
_SECTION = re.compile(r"\s*#@ for each (\w+)\s*")
_END = re.compile(r"\s*#@ end\s*")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

Values = Mapping[str, str]


@dataclass(frozen=True)
class TemplateInfo:
    """What a template says about itself.

    Attributes:
        title: architecture and input size.
        use: when to take it.
        extractor: the feature extractor's ``type``.
        input_size: side of the square input in pixels.
        zoo_model: folder of its pretrained model under ``pretrained_models/``; "" if there is none.
        zoo_url: where that model is published.
        batch_size: default.
        input_multiple: sides of the input must be multiples of this, for the network's strides.
        rectangular: the input may be a rectangle where images have one shape; else it is always square.
        max_box_predictions: detections per image, unless the data has images with more objects.
        epochs: see `Reference`, like all that follow.
    """

    title: str
    use: str
    extractor: str
    input_size: int
    zoo_model: str
    zoo_url: str
    batch_size: int
    input_multiple: int
    rectangular: bool
    max_box_predictions: int
    epochs: int
    min_steps: int
    max_steps: int
    reference_batch_size: int
    reference_learning_rate: float
    warmup_start: float
    max_warmup_steps: int

    @property
    def reference(self) -> Reference:
        """The schedule that the template's values belong to."""
        return Reference(
            batch_size=self.reference_batch_size,
            learning_rate=self.reference_learning_rate,
            warmup_start=self.warmup_start,
            max_warmup_steps=self.max_warmup_steps,
            epochs=self.epochs,
            min_steps=self.min_steps,
            max_steps=self.max_steps,
        )


@dataclass(frozen=True)
class Template:
    """A template: its name, its facts, and the text below them."""

    name: str
    info: TemplateInfo
    body: str

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of all placeholders, those in sections too."""
        return frozenset(_PLACEHOLDER.findall(self.body))


def parse_template(name: str, text: str) -> Template:
    """Split a template into its facts and its body.

    Raises:
        ConfigError: a fact is missing, unknown, doubled, of the wrong type or not JSON.
    """
    facts: dict[str, Any] = {}
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        found = _FACT.fullmatch(line.strip())
        if not found:
            lines.append(line)
            continue
        key, value = found.groups()
        if key in facts:
            raise ConfigError(f"template {name}:{number}: '{key}' occurs twice. Remove one.")
        facts[key] = _json(value, f"template {name}:{number}: '{key}'")
    return Template(name, _info(facts, name), "\n".join(lines) + "\n")


def fill(template: Template, values: Values, sections: Mapping[str, Sequence[Values]]) -> str:
    """Put values into a template.

    Args:
        template: the template.
        values: text per placeholder.
        sections: per section name the values of each repetition, besides `values`; one without repetitions
            leaves nothing. A section may stand in several places, which together take all of its values.

    Raises:
        ConfigError: a placeholder or section without values, values without placeholder or section, a
            ``$`` that starts no placeholder, or a section that does not end.
    """
    where = f"template {template.name}"
    taken: dict[str | None, set[str]] = {name: set() for name in (None, *sections)}
    lines: list[str] = []
    for section, block in _blocks(template.body, where):
        if section not in taken:
            raise ConfigError(f"{where}: section '{section}' has no values; known: {', '.join(sections) or 'none'}.")
        taken[section] |= set(_PLACEHOLDER.findall(block))
        taken[None] |= set(_PLACEHOLDER.findall(block))
        for row in [{}] if section is None else sections[section]:
            lines.append(_substitute(block, {**values, **row}, where))
    _refuse_unused(values, taken[None], where)
    for name, rows in sections.items():
        for row in rows:
            _refuse_unused(row, taken[name], f"{where}: section '{name}'")
    return "".join(lines)


def _info(facts: dict[str, Any], name: str) -> TemplateInfo:
    try:
        info = from_dict(TemplateInfo, facts)
    except ConfigError as exc:
        raise ConfigError(f"template {name}: {exc}") from exc
    kinds = {"str": str, "int": int, "float": (int, float), "bool": bool}
    for field, kind in TemplateInfo.__annotations__.items():
        is_bool = isinstance(facts[field], bool)
        if is_bool != (kind == "bool") or not isinstance(facts[field], kinds[kind]):  # type: ignore[arg-type]
            raise ConfigError(f"template {name}: '{field}' is {facts[field]!r}; expected {kind}.")
    return info


def _json(value: str, where: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError as exc:
        raise ConfigError(f'{where} is {value}; expected JSON, such as 8 or "text".') from exc


def _blocks(body: str, where: str) -> list[tuple[str | None, str]]:
    """The body cut into (section name or None, text)."""
    blocks: list[tuple[str | None, list[str]]] = [(None, [])]
    for line in body.splitlines(keepends=True):
        opening = _SECTION.fullmatch(line)
        if opening and blocks[-1][0] is not None:
            raise ConfigError(f"{where}: section '{opening.group(1)}' starts within section '{blocks[-1][0]}'.")
        if opening:
            blocks.append((opening.group(1), []))
        elif _END.fullmatch(line):
            if blocks[-1][0] is None:
                raise ConfigError(f"{where}: '#@ end' without '#@ for each'.")
            blocks.append((None, []))
        elif line.lstrip().startswith("#@"):
            raise ConfigError(f"{where}: '{line.strip()}' is neither a fact nor a section.")
        else:
            blocks[-1][1].append(line)
    if blocks[-1][0] is not None:
        raise ConfigError(f"{where}: section '{blocks[-1][0]}' has no '#@ end'.")
    return [(name, "".join(lines)) for name, lines in blocks]


def _substitute(block: str, values: Values, where: str) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise ConfigError(f"{where}: no value for '${{{name}}}'; known: {', '.join(sorted(values)) or 'none'}.")
        return values[name]

    if "$" in _PLACEHOLDER.sub("", block):
        raise ConfigError(f"{where}: a '$' that starts no placeholder; expected ${{name}}.")
    return _PLACEHOLDER.sub(value_of, block)


def _refuse_unused(values: Values, taken: set[str], where: str) -> None:
    unused = sorted(set(values) - taken)
    if unused:
        raise ConfigError(f"{where}: no placeholder takes {', '.join(unused)}; expected ${{{unused[0]}}} somewhere.")
