"""The progress of a training, as a bar on a terminal and as lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_INTERVAL_S = 15.0
_TRANSFER = ("restored", "adapted", "fresh")


def losses_per_task(losses: Mapping[str, float]) -> dict[str, float]:
    """Sum the OD API's losses per task: total, center, box, and one per keypoint task.

    Its names are ``Loss/object_center``, ``Loss/box/scale``, ``Loss/<task>/keypoint/heatmap``, ``Loss/total_loss``.
    """
    sums: dict[str, float] = {}
    for name, value in losses.items():
        parts = name.split("/")
        task = {"object_center": "center", "total_loss": "total", "regularization_loss": "weights"}.get(
            parts[1] if len(parts) > 1 else name, parts[1] if len(parts) > 1 else name
        )
        sums[task] = sums.get(task, 0.0) + value
    return sums


def transfer_lines(event: Mapping[str, Any]) -> list[str]:
    """What was taken over from the fine-tune checkpoint, one line per part of the model."""
    total = {name: sum(part[name] for part in event["parts"]) for name in _TRANSFER}
    head = f"Start from {event['checkpoint']} ({event['mode']}): {_counts(total)}"
    lines = [f"{head}; {event['unused']} values of the checkpoint not used.", *map(_part_line, event["parts"])]
    if event.get("unfolded"):
        lines.append(
            f"  {event['unfolded']} batch normalisations were folded into convolutions: made fit for training with "
            "statistics of the training images; what the network computes is the same."
        )
    return [*lines, *(f"  warning: {text}" for text in event.get("differences", ()))]


def _part_line(part: Mapping[str, Any]) -> str:
    task = part["task"]
    lender = f", from '{part['source_task']}'" if part["source_task"] not in ("", task) else ""
    notes = [f"kept: {', '.join(part['kept'])}"] * bool(part["kept"] and not part["by_position"])
    notes += [f"new: {', '.join(part['new'])}"] * bool(part["new"])
    notes += ["channels by position, their names are unknown"] * part["by_position"]
    name = part["part"] + (f" of '{task}'" if task else "")
    return f"  {name}: {_counts(part)}{lender}" + (f" ({'; '.join(notes)})" if notes else "")


def _counts(numbers: Mapping[str, Any]) -> str:
    return ", ".join(f"{numbers[name]} {name}" for name in _TRANSFER if numbers[name]) or "nothing"


def _resumed(event: Mapping[str, Any]) -> list[str]:
    return [f"Resumed from step {event['step']}."]


def _cleaned(event: Mapping[str, Any]) -> list[str]:
    return [f"Removed what an earlier, killed start left half-written: {', '.join(event['names'])}."]


def _precision(event: Mapping[str, Any]) -> list[str]:
    if event["speedup"] is None:
        return [f"Precision: {event['precision']}."]
    trial = f"in a short trial {event['tried']} was {event['speedup']:g} times as fast as float32"
    return [f"Precision: {event['precision']}; {trial}."]


def _kept(event: Mapping[str, Any]) -> list[str]:
    return [f"The training pictures are decoded once and kept in memory, {max(event['bytes'] / 1e6, 1):.0f} MB."]


def _orphan(event: Mapping[str, Any]) -> list[str]:
    return ["A training here was killed; waiting for its last process to end."]


def _preflight(event: Mapping[str, Any]) -> list[str]:
    return [f"Before the start: {line}" for line in event["lines"]] + [f"Warning: {line}" for line in event["warnings"]]


def _first_batch(event: Mapping[str, Any]) -> list[str]:
    line = (
        f"First batch: {event['images']} images, {event['objects']} objects, {event['keypoints']} labelled keypoints; "
        f"drawn with its mirror images to {event['picture']}"
    )
    return [line] if event["objects"] else [line, "Warning: the first batch has no object at all."]


def _validated(event: Mapping[str, Any]) -> list[str]:
    scores = "  ".join(
        f"{name.replace('_', ' ')} {'n/a' if value is None else f'{value:.3f}'}"
        for name, value in event["scores"].items()
    )
    lines = [f"Validation at step {event['step']}: {scores}{'  (best so far)' if event['is_best'] else ''}"]
    return [*lines, f"Enough: {event['stop']}."] if event["stop"] else lines


def _adjusted(event: Mapping[str, Any]) -> list[str]:
    change = (
        f"batch size {event['value']:g}"
        if event["setting"] == "batch_size"
        else f"{event['value']:g} times the learning rate"
    )
    return [f"Going on from step {event['step']} with {change}. Reason: {event['reason']}"]


def _sampled(event: Mapping[str, Any]) -> list[str]:
    return [
        f"Validation while training looks at one of {event['every']} of the {event['images']} pictures; "
        "kpt-tools eval measures all of them."
    ]


def _damaged(event: Mapping[str, Any]) -> list[str]:
    return [f"Warning: {event['checkpoint']} cannot be read ({event['reason']}); trying the one before."]


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "transfer": transfer_lines,
    "resumed": _resumed,
    "preflight": _preflight,
    "first_batch": _first_batch,
    "validated": _validated,
    "adjusted": _adjusted,
    "sampled": _sampled,
    "damaged_checkpoint": _damaged,
    "cleaned": _cleaned,
    "orphan": _orphan,
    "precision": _precision,
    "kept": _kept,
}


class TrainProgress:
    """Callable with the events of the training child; use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._last_line = 0.0

    def __enter__(self) -> TrainProgress:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None, detail="")
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        if event["kind"] == "step":
            self._step(event)
        elif event["kind"] == "phase":
            self._describe(event["name"])
        elif event["kind"] == "batch_norm" and event["changed"]:
            low, high = event["before"][1], event["after"][1]
            self.say(
                f"Batch normalisation: momentum {low:g} fitted to the schedule: {high:.4g} ({event['layers']} layers)."
            )
        elif event["kind"] in _SAYINGS:
            for line in _SAYINGS[event["kind"]](event):
                self.say(line)
        elif event["kind"] == "checkpoint":
            self.say(f"Checkpoint of step {event['step']} saved{_statistics(event)}.")
            self._describe("training")

    def _describe(self, text: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, description=text)

    def _step(self, event: dict[str, Any]) -> None:
        tasks = losses_per_task(event["losses"])
        total = tasks.pop("total", float("nan"))
        parts = " ".join(f"{name} {value:.2f}" for name, value in tasks.items())
        detail = f"loss {total:.3f}{f' ({parts})' if parts else ''} {event['images_per_s']:.1f} img/s"
        if self._task is not None:
            self._bar.update(
                self._task, description="training", completed=event["step"], total=event["steps"], detail=detail
            )
        if not self._console.is_terminal and (
            time.monotonic() - self._last_line > LINE_INTERVAL_S or event["step"] == event["steps"]
        ):
            self._last_line = time.monotonic()
            self.say(f"step {event['step']}/{event['steps']} {detail}")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)


def _statistics(event: dict[str, Any]) -> str:
    batches = event["statistics_batches"]
    return f"; batch-normalisation statistics from {batches} batches" if batches else ""
