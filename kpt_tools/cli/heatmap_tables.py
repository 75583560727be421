"""What the commands of the second road print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kpt_tools.cli.train_progress import TrainProgress
from kpt_tools.metrics.result import number

if TYPE_CHECKING:
    from kpt_tools.entities import ModelMetadata
    from kpt_tools.stages.heatmap_eval import HeatmapEvalResult
    from kpt_tools.stages.heatmap_export import HeatmapExportResult
    from kpt_tools.stages.heatmap_prepare import HeatmapPrepareResult
    from kpt_tools.stages.heatmap_train import HeatmapTrainResult


class HeatmapProgress(TrainProgress):
    """The progress of a heatmap training: steps as a bar, a line per finished epoch."""

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        if event["kind"] == "epoch":
            kept = ", kept as the best" if event["best"] == event["epoch"] else f"; best: epoch {event['best']}"
            self.say(
                f"epoch {event['epoch']}/{event['epochs']}: loss {event['loss']:.4f}, val {event['val_loss']:.4f}, "
                f"error {event['val_error']:.2%} of the input's side{kept}"
            )
        elif event["kind"] == "model":
            self.say(f"{event['parameters']:,} parameters.")
        else:
            super().__call__(event)


def _say(text: str) -> None:
    Console(highlight=False, markup=False, soft_wrap=True).print(text)


def print_prepared(result: HeatmapPrepareResult) -> None:
    """The sizes of all sides, and what comes next."""
    table = Table()
    table.add_column("side")
    for name in ("pictures", "objects", "points", "shards"):
        table.add_column(name, justify="right")
    for name, side in result.data.sides.items():
        table.add_row(name, *map(str, (side.pictures, side.objects, side.points, len(side.shards))))
    Console().print(table)
    used = sum(side.objects for side in result.data.sides.values())
    pairs = ", ".join(f"{a} <-> {b}" for a, b in result.flip_pairs) or "none"
    _say(
        f"Used {used} of {result.objects_given} objects in {result.pictures_given} pictures of class "
        f"'{result.category.name}': {', '.join(result.category.keypoints)}. Swapped in mirror images: {pairs}. "
        f"Pictures kept on one side because they look alike: {result.look_alikes} pairs."
    )
    _say(f"Wrote {result.out} (look at {result.picture}). Next: kpt-tools heatmap train --data {result.out}")


def print_trained(result: HeatmapTrainResult) -> None:
    """How a training ended, and what comes next."""
    if result.interrupted:
        _say(
            f"Stopped after {result.epochs} of {result.epochs_asked} epochs. "
            "Run the same command again to go on from there."
        )
        return
    error = f"{result.val_error:.2%}" if result.val_error is not None else "n/a"
    _say(
        f"Trained {result.epochs} epochs in {result.seconds:.0f} s; the weights of epoch {result.best_epoch} are kept "
        f"(error on val: {error} of the input's side). The run is in {result.run}. "
        f"Next: kpt-tools heatmap eval {result.run}"
    )


def print_measured(result: HeatmapEvalResult) -> None:
    """All ways to look and decode, then each keypoint of the best one that needs no help."""
    console = Console()
    pair = _norm_of(result.metadata)
    table = Table(
        title=escape(f"{result.spec.model}, {result.spec.target}, on {result.objects} objects of {result.side}"),
        caption=f"NME by {pair}, its mean, median, and share above 0.1; PCK of the box's larger side",
    )
    for name in ("look", "decoding"):
        table.add_column(name, no_wrap=True)
    for name in ("NME", "median", "> 0.1", "PCK@.1", "med. px"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in result.rows:
        mark = "*" if row.decoding == result.decoding else " "
        numbers = [
            number(row.nme.mean, 4),
            number(row.nme.median, 4),
            number(row.nme.failures),
            number(row.errors.pck[1]),
            number(row.errors.median_px, 2),
        ]
        table.add_row(row.mode, f"{mark}{row.decoding}", *numbers)
    console.print(table)
    console.print(_keypoints(result))
    if result.mse is not None and result.mse_of_zeros is not None:
        _say(
            f"MSE of the heatmaps on the true crop: {result.mse:.5f}; a network that always answers 0 has "
            f"{result.mse_of_zeros:.5f}."
        )
    _say(f"{result.images_per_s:.1f} images/s. All of it is in {result.out}; look at predictions.jpg there.")


def _norm_of(metadata: ModelMetadata) -> str:
    """What NME is measured by, in words."""
    names = [keypoint.name for item in metadata.label_map.items for keypoint in item.keypoints]
    if not metadata.flip_pairs:
        return "the box's larger side"
    a, b = metadata.flip_pairs[0]
    return f"the distance {names[a]} - {names[b]}"


def _keypoints(result: HeatmapEvalResult) -> Table:
    row = next(row for row in result.rows if row.decoding == result.decoding)
    table = Table(title=escape(f"Keypoints, {row.mode}, {row.decoding}"))
    table.add_column("keypoint", no_wrap=True)
    for name in ("n", "PCK@.05", "PCK@.1", "PCK@.2", "median px", "95 % px"):
        table.add_column(name, justify="right")
    names = [keypoint.name for item in result.metadata.label_map.items for keypoint in item.keypoints]
    for name, errors in zip(names, row.keypoints, strict=True):
        shares = [number(share) for share in errors.pck]
        table.add_row(
            escape(name), str(errors.labelled), *shares, number(errors.median_px, 2), number(errors.p95_px, 1)
        )
    return table


def print_exported(result: HeatmapExportResult) -> None:
    """The files, and how far each format is from the SavedModel."""
    table = Table(title=escape(f"Exported epoch {result.epoch} in {result.folder}"))
    for name in ("format", "file", "farthest point"):
        table.add_column(name)
    for name, path in result.files.items():
        found = result.parity.get(name)
        off = "the original"
        if found is not None:
            largest = found.keypoint_px.largest
            off = f"{largest:.4f} px of the picture" if largest is not None else "no point scores enough to compare"
        table.add_row(name, escape(str(path)), off)
    Console().print(table)
