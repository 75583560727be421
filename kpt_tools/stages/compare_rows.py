"""The rows of a comparison, and whether its runs can be compared at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kpt_tools.metrics.pck import PCK_FRACTIONS
from kpt_tools.metrics.result import percent
from kpt_tools.pipeline.flat_config import flat_fields
from kpt_tools.report.comparison import Comparison, Row
from kpt_tools.stages.compare_source import Contender
from kpt_tools.stages.run_story import duration_text

SMALL_SAMPLE = 100
_OWN = ("run", "config")
_TOLD_OTHERWISE = ("train_config.batch_size", "feature_extractor.type", "label_map_path")
"""Ends of fields that `RunStory.settings` names already, or that lie in the run folder."""

Result = Mapping[str, Any]


def comparison_of(contenders: Sequence[Contender]) -> Comparison:
    """The table of some evaluations, the first as the reference for warnings."""
    differences = list(_differences(contenders))
    rows = [*_settings(contenders), *_training(contenders), *_overall(contenders), *_classes(contenders)]
    return Comparison(
        names=tuple(each.name for each in contenders),
        sources=tuple(str(each.source) for each in contenders),
        rows=tuple(rows),
        warnings=(*differences, *_remarks(contenders)),
        comparable=not differences,
    )


def _differences(contenders: Sequence[Contender]) -> Iterator[str]:
    """Why numbers cannot be compared: something else was measured, or in another way."""
    first = contenders[0]
    for each in contenders[1:]:
        both = f"{first.name} and {each.name}"
        if not _same_truth(first, each):
            yield (
                f"{both} were measured on different images or annotations: their numbers cannot be compared. "
                "Measure both on one truth: kpt-tools eval --records or --annotations."
            )
        if _names(first.result) != _names(each.result):
            yield f"{both} have different classes or keypoints ({_listed(first)}; {_listed(each)})."
            continue
        for key, what in (("sigmas", "OKS sigmas"), ("area", "areas in OKS"), ("min_score", "least scores")):
            mine, other = first.result.get(key), each.result.get(key)
            if mine != other:
                yield f"{both} have different {what} ({_short(mine)}; {_short(other)}): do not compare their AP."
        if _looks(first) != _looks(each):
            yield f"Of {both}, one was measured with --flip-test: do not compare their numbers."


def _looks(contender: Contender) -> bool:
    return bool(contender.evaluation.get("settings", {}).get("flip_test"))


def _same_truth(first: Contender, other: Contender) -> bool:
    if first.inputs and other.inputs:
        return sorted(first.inputs.values()) == sorted(other.inputs.values())
    same_name = first.evaluation.get("truth") == other.evaluation.get("truth")
    return same_name and first.result["images"] == other.result["images"]


def _remarks(contenders: Sequence[Contender]) -> Iterator[str]:
    """What else to know."""
    for each in contenders:
        if each.outdated:
            yield f"{each.name}: was trained on since it was measured. Run: kpt-tools eval {each.source.parent.parent}"
        yield from each.story.problems if each.story else ()
    least = min(_objects(each.result) for each in contenders)
    if 0 < least < SMALL_SAMPLE:
        yield (
            f"Few objects were measured ({least}): one of them is {percent(1 / least, 1)} of the result, so small "
            "differences are chance."
        )


def _settings(contenders: Sequence[Contender]) -> Iterator[Row]:
    """Settings of the command and fields of the config that are not the same everywhere."""
    given = [each.story.settings if each.story else {} for each in contenders]
    fields = [flat_fields(each.story.config) if each.story else {} for each in contenders]
    for tables in (given, fields):
        names = list(dict.fromkeys(name for table in tables for name in table))
        for name in names:
            values = tuple(table.get(name) for table in tables)
            if name not in _OWN and not name.endswith(_TOLD_OTHERWISE) and len(set(values)) > 1:
                texts = tuple("-" if value is None else value for value in values)
                yield Row("Settings that differ", _ending(name, names), texts, field=name)


def _ending(name: str, names: Sequence[str]) -> str:
    """The shortest end of a path that no other path has."""
    parts = name.split(".")
    for length in range(1, len(parts)):
        ending = ".".join(parts[-length:])
        if not any(other != name and (other == ending or other.endswith(f".{ending}")) for other in names):
            return ending
    return name


def _training(contenders: Sequence[Contender]) -> Iterator[Row]:
    stories = [each.story for each in contenders]
    if not any(stories):
        return
    curves = [story.curve if story else None for story in stories]
    splits = [story.training_split if story else None for story in stories]

    def row(name: str, values: Sequence[Any], digits: int = 3) -> Row:
        return Row("Training", name, tuple(values), digits)

    yield row("steps", [curve.steps[-1] if curve and curve.steps else None for curve in curves])
    yield row("time", [duration_text(story.seconds) if story else None for story in stories])
    yield row("images", [split[1].images if split else None for split in splits])
    yield row("images/s", [curve.median("images_per_s") if curve else None for curve in curves], 1)
    best = [story.best.text if story and story.best else None for story in stories]
    if any(best):
        yield row("best while training", best)
    yield row("last loss", [curve.last("Loss/total_loss") if curve else None for curve in curves])


def _overall(contenders: Sequence[Contender]) -> Iterator[Row]:
    """What all classes share; `image`, `objects` and the means of AP."""
    results = [each.result for each in contenders]
    yield Row("Result", "images", tuple(result["images"] for result in results))
    yield Row("Result", "objects", tuple(map(_objects, results)))
    if max(len(result["classes"]) for result in results) > 1:
        for kind, title in (("box", "box AP"), ("oks", "OKS AP")):
            for key, suffix in (("ap", ""), ("ap50", "50")):
                values = tuple(result[kind][key] for result in results)
                yield Row("Result", f"mean {title}{suffix}", values, better=1)


def _classes(contenders: Sequence[Contender]) -> Iterator[Row]:
    """Each class by name, then each of its keypoints."""
    by_name = [{part["name"]: part for part in each.result["classes"]} for each in contenders]
    names = list(dict.fromkeys(name for table in by_name for name in table))
    several = len(names) > 1
    for name in names:
        parts = [table.get(name) for table in by_name]
        group = name if several else "Result"
        for title, read, digits, better in _QUANTITIES:
            values = tuple(None if part is None else read(part) for part in parts)
            if any(value is not None for value in values):
                yield Row(group, title, values, digits, better)
        yield from _keypoints(name, parts)


def _keypoints(class_name: str, parts: Sequence[Result | None]) -> Iterator[Row]:
    tables = [{row["name"]: row for row in part["keypoints"]} if part else {} for part in parts]
    for key, title, digits, better in (("pck@0.1", "PCK@.1", 3, 1), ("median_px", "median px", 1, -1)):
        for name in dict.fromkeys(name for table in tables for name in table):
            values = tuple(table[name].get(key) if name in table else None for table in tables)
            yield Row(f"{title} of {class_name}", name, values, digits, better)


def _nested(first: str, second: str) -> Callable[[Result], Any]:
    return lambda part: (part.get(first) or {}).get(second)


def _found(part: Result) -> float | None:
    return part["matched"] / part["objects"] if part["objects"] else None


_QUANTITIES: tuple[tuple[str, Callable[[Result], Any], int, int], ...] = (
    ("found (IoU 0.5)", _found, 3, 1),
    ("box AP", _nested("box", "ap"), 3, 1),
    ("box AP50", _nested("box", "ap50"), 3, 1),
    ("box AP75", _nested("box", "ap75"), 3, 1),
    ("OKS AP", _nested("oks", "ap"), 3, 1),
    ("OKS AP50", _nested("oks", "ap50"), 3, 1),
    ("OKS AP75", _nested("oks", "ap75"), 3, 1),
    *((f"PCK@{f:g}".replace("0.", "."), _nested("errors", f"pck@{f}"), 3, 1) for f in PCK_FRACTIONS),
    ("median px", _nested("errors", "median_px"), 1, -1),
    ("90 % px", _nested("errors", "p90_px"), 1, -1),
    ("left/right swap rate", lambda part: part.get("swap_rate"), 3, -1),
    ("median score", lambda part: part.get("median_score"), 2, 0),
)


def _objects(result: Result) -> int:
    return sum(part["objects"] for part in result["classes"])


def _names(result: Result) -> list[tuple[str, list[str]]]:
    return [(part["name"], [row["name"] for row in part["keypoints"]]) for part in result["classes"]]


def _listed(contender: Contender) -> str:
    return ", ".join(f"{name}: {len(points)} keypoints" for name, points in _names(contender.result))


def _short(value: object) -> str:
    """A value for a message; a list of equal numbers as one of them."""
    if isinstance(value, list) and value and len(set(value)) == 1:
        return f"{value[0]:.3g}"
    return f"{min(value):.3g} to {max(value):.3g}" if isinstance(value, list) and value else str(value)
