"""Which values a model takes over from a checkpoint: pure tables, no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from kpt_tools.odapi.transfer_names import KEYPOINT_HEADS, Channel, ModelNames, TaskNames

MATCH, DETECTION, FULL = "match", "detection", "full"
CHOICES = (MATCH, DETECTION, FULL)

RESTORED, ADAPTED, FRESH = "restored", "adapted", "fresh"

EXTRACTOR_PART = "feature extractor"
_EXTRACTOR_PATH = "_feature_extractor/"
_PARTS = {
    "object_center": "object centre",
    "box/scale": "box size",
    "box/offset": "box offset",
    "keypoint/heatmap": "keypoint heat map",
    "keypoint/regression": "keypoint regression",
    "keypoint/offset": "keypoint offset",
    "keypoint/depth": "keypoint depth",
}


@dataclass(frozen=True)
class Pair:
    """A variable of the model, and the one in the same place of the checkpoint.

    Attributes:
        path: of the variable in the model's object graph.
        shape: its shape.
        head: the prediction head that it belongs to, as ``mouse/keypoint/heatmap``; "" if none.
        output: whether its last axis is the head's output channels.
        key: of the value in the checkpoint; None: it has none.
        key_shape: shape of that value.
    """

    path: str
    shape: tuple[int, ...]
    head: str = ""
    output: bool = False
    key: str | None = None
    key_shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """What happens to one variable.

    Attributes:
        pair: the variable.
        status: "restored", "adapted" or "fresh".
        rows: of an adapted variable, pairs of its channel and the checkpoint's channel that fills it.
        kept: class or keypoint names whose channels are taken over.
        new: those that start fresh.
        by_position: its channels were taken over as they are, since the names on one side are unknown.
        from_zero: its new channels start at zero instead of random values.
    """

    pair: Pair
    status: str
    rows: tuple[tuple[int, int], ...] = ()
    kept: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    by_position: bool = False
    from_zero: bool = False


@dataclass(frozen=True)
class PartReport:
    """What happened to one part of the model; `task` and `source_task` are "" for parts that belong to no task."""

    part: str
    task: str
    source_task: str
    restored: int
    adapted: int
    fresh: int
    kept: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    by_position: bool = False


@dataclass(frozen=True)
class TransferReport:
    """What a model took over from a checkpoint.

    Attributes:
        mode: "match", "detection" or "full".
        checkpoint: path without suffix.
        parts: the feature extractor, then each head.
        unused: number of the checkpoint's model variables that nothing was taken from.
        steps: what happened to each variable.
        differences: settings of the feature extractor that differ from those that the weights were trained with.
    """

    mode: str
    checkpoint: str
    parts: tuple[PartReport, ...]
    unused: int
    steps: tuple[Step, ...] = field(repr=False)
    differences: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """JSON-able form, per part."""
        return {
            "mode": self.mode,
            "checkpoint": self.checkpoint,
            "parts": [asdict(part) for part in self.parts],
            "unused": self.unused,
            "differences": list(self.differences),
        }

    def details(self) -> dict[str, Any]:
        """JSON-able form, per part and per variable."""
        rows = [{"path": s.pair.path, "status": s.status, "key": s.pair.key} for s in self.steps]
        return {**self.summary(), "variables": rows}


def source_tasks(target: ModelNames, source: ModelNames) -> dict[str, str]:
    """For each keypoint task of the model, the task of the checkpoint that lends it its heads.

    That of the same class; else the one that shares most keypoint names; else that of the same task name; else the
    first. One task may lend to several.
    """
    return {task.task: max(source.tasks, key=_likeness(task)).task for task in target.tasks if source.tasks}


def _likeness(task: TaskNames) -> Any:
    def key(other: TaskNames) -> tuple[bool, int, bool]:
        same_class = task.class_name is not None and task.class_name == other.class_name
        shared = len(set(task.keypoints or ()) & set(other.keypoints or ()))
        return same_class, shared, task.task == other.task

    return key


def source_heads(tasks: Mapping[str, str]) -> dict[str, str]:
    """For each keypoint head of the model, the head of the checkpoint; other heads keep their names."""
    return {f"{task}/{kind}": f"{other}/{kind}" for task, other in tasks.items() for kind in KEYPOINT_HEADS}


def plan_match(
    pairs: Sequence[Pair], target: ModelNames, source: ModelNames, heads: Mapping[str, str]
) -> tuple[Step, ...]:
    """Take over whatever fits: equal shapes as they are, output channels by the names that they stand for.

    New channels behind layers that are taken over start at zero, so that the model begins with what its biases say.
    Random ones would give these layers' large values any meaning: with MoveNet the first loss was 55 instead of 17.
    """
    steps = [_match(pair, target, source, heads) for pair in pairs]
    lent = {step.pair.head for step in steps if step.status == RESTORED and not step.pair.output}
    return tuple(replace(step, from_zero=_starts_at_zero(step, lent)) for step in steps)


def _starts_at_zero(step: Step, lent: Set[str]) -> bool:
    pair = step.pair
    return pair.output and len(pair.shape) > 1 and pair.head in lent and step.status != RESTORED


def _match(pair: Pair, target: ModelNames, source: ModelNames, heads: Mapping[str, str]) -> Step:
    wanted = target.channels(pair.head) if pair.output else None
    names = _names(wanted or ())
    if pair.key is None or not pair.shape or pair.shape[:-1] != pair.key_shape[:-1]:
        return _whole(pair, names)
    given = source.channels(heads.get(pair.head, pair.head)) if pair.output else None
    if wanted is None or given is None or (len(wanted), len(given)) != (pair.shape[-1], pair.key_shape[-1]):
        return _whole(pair, names, by_position=wanted is not None)
    rows = channel_rows(wanted, given)
    if not rows:
        return Step(pair, FRESH, new=names)
    taken = {target_row for target_row, _ in rows}
    kept = _names([channel for row, channel in enumerate(wanted) if row in taken])
    identical = rows == tuple((row, row) for row in range(len(given))) and len(wanted) == len(given)
    new = tuple(name for name in names if name not in kept)
    return Step(pair, RESTORED if identical else ADAPTED, () if identical else rows, kept, new)


def _whole(pair: Pair, names: tuple[str, ...], by_position: bool = False) -> Step:
    if pair.key is not None and pair.shape == pair.key_shape:
        return Step(pair, RESTORED, kept=names, by_position=by_position)
    return Step(pair, FRESH, new=names)


def _names(channels: Iterable[Channel | None]) -> tuple[str, ...]:
    """The names of channels, each once; a keypoint has two in some heads, a shared offset has none."""
    return tuple(dict.fromkeys(channel[0] for channel in channels if channel is not None and channel[0]))


def channel_rows(wanted: Sequence[Channel | None], given: Sequence[Channel | None]) -> tuple[tuple[int, int], ...]:
    """Pairs of a wanted channel's index and the index of the given channel that stands for the same."""
    places = {channel: index for index, channel in enumerate(given) if channel is not None}
    return tuple((row, places[channel]) for row, channel in enumerate(wanted) if channel in places)


def plan_exact(pairs: Sequence[Pair], mode: str) -> tuple[Step, ...]:
    """The OD API's own ways: "detection" takes the feature extractor and nothing else, "full" takes everything.

    A variable that should be taken and does not fit gets the status "fresh" here, too; see `misfits`.
    """
    return tuple(
        _whole(pair, ()) if mode == FULL or pair.path.startswith(_EXTRACTOR_PATH) else Step(pair, FRESH)
        for pair in pairs
    )


def misfits(steps: Sequence[Step], mode: str) -> tuple[Pair, ...]:
    """Variables that `mode` promises to restore, and cannot."""
    promised = (step for step in steps if mode == FULL or step.pair.path.startswith(_EXTRACTOR_PATH))
    return () if mode == MATCH else tuple(step.pair for step in promised if step.status != RESTORED)


def extractor_share(steps: Sequence[Step]) -> float:
    """Share of the feature extractor's variables that are restored; 1.0 if it has none."""
    statuses = [step.status for step in steps if step.pair.path.startswith(_EXTRACTOR_PATH)]
    return statuses.count(RESTORED) / len(statuses) if statuses else 1.0


def part_reports(steps: Sequence[Step], tasks: Mapping[str, str]) -> tuple[PartReport, ...]:
    """Count the steps per part of the model: the feature extractor first, then each head, task by task."""
    groups: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        groups.setdefault(_part_of(step.pair), []).append(step)
    places = list(dict.fromkeys(["", *(task for _, task in groups)]))
    order = sorted(groups, key=lambda group: (places.index(group[1]), _rank(group[0])))
    return tuple(_part_report(part, task, groups[part, task], tasks.get(task, "")) for part, task in order)


def _rank(part: str) -> int:
    known = [EXTRACTOR_PART, *_PARTS.values()]
    return known.index(part) if part in known else len(known)


def _part_of(pair: Pair) -> tuple[str, str]:
    """Name of the part, and the keypoint task that it belongs to ("" for none)."""
    if not pair.head:
        return (EXTRACTOR_PART if pair.path.startswith(_EXTRACTOR_PATH) else "other variables"), ""
    kind = next((kind for kind in KEYPOINT_HEADS if pair.head.endswith(f"/{kind}")), "")
    if kind:
        return _PARTS[kind], pair.head.removesuffix(f"/{kind}")
    return _PARTS.get(pair.head, pair.head), ""


def _part_report(part: str, task: str, steps: Sequence[Step], source_task: str) -> PartReport:
    statuses = [step.status for step in steps]
    taken = any(status != FRESH for status in statuses)
    # Kernel and bias of each output say the same; an output that could not be kept says it for all.
    new = tuple(dict.fromkeys(name for step in steps for name in step.new))
    return PartReport(
        part=part,
        task=task,
        source_task=source_task if taken else "",
        restored=statuses.count(RESTORED),
        adapted=statuses.count(ADAPTED),
        fresh=statuses.count(FRESH),
        kept=tuple(dict.fromkeys(name for step in steps for name in step.kept if name not in new)),
        new=new,
        by_position=any(step.by_position and step.status != FRESH for step in steps),
    )
