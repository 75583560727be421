"""The curves of a heatmap training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpt_tools.fsio import atomic_open
from kpt_tools.lazy import require


def save_curves(history: Sequence[Mapping[str, Any]], best_epoch: int, path: Path) -> Path:
    """Losses and validation error over the epochs as a PNG, and return its path.

    Args:
        history: rows with epoch, loss, val_loss, val_error (share of the input's side), learning_rate.
        best_epoch: whose weights were kept.
        path: the file.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", purpose="the curves of a training")
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    losses, errors = figure.subplots(1, 2)
    for key, label, colour in (("loss", "training", "#2f7ed8"), ("val_loss", "validation", "#e07b39")):
        losses.plot(
            epochs, [row[key] if row[key] is not None else float("nan") for row in history], colour, label=label
        )
    losses.set(xlabel="epoch", ylabel="loss", yscale="log")
    losses.legend(frameon=False)
    errors.plot(epochs, [100 * row["val_error"] for row in history], "#e07b39")
    errors.axvline(best_epoch, color="#888888", linestyle=":", label=f"best: epoch {best_epoch}")
    errors.set(xlabel="epoch", ylabel="validation error, % of the input's side", yscale="log")
    errors.legend(frameon=False)
    for axes in (losses, errors):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    with atomic_open(path) as handle:
        figure.savefig(handle, format="png", dpi=120)
    return path
