"""Configuration of `kpt-tools make-config`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MakeConfigConfig:
    """Which template, for which records, trained how.

    Attributes:
        records: folder of `kpt-tools make-tfrecord`: shards and manifest.json.
        template: name of a shipped template, or the path of one that ends in ``.config``.
        out: the pipeline.config to write.
        label_map: None: the one that the manifest names.
        batch_size: images per step; None: the template's.
        epochs: passes over the images; None: the template's, within its bounds of steps.
        steps: steps instead of `epochs`.
        learning_rate: peak; None: the template's, scaled to the batch.
        input_size: side of the network's square input in pixels, or the least longer side of a rectangular one; None:
            the template's.
        flip_pairs: ``"a:b,c:d"`` or ``"none"``; None: found by name.
        sigmas: one OKS sigma for all keypoints, or a JSON file with one per keypoint.
        pretrained: name under `pretrained_models`, or folder, of the model to start from; None: the template's.
        pretrained_models: folder of the zoo's models.
        fresh: start from scratch.
        any_orientation: objects lie at any angle, as seen from above: augment with upside-down mirror images and
            quarter turns.
        overrides: ``path.to.field=value`` each, applied in order to the finished config.
    """

    records: Path = Path("dataset/tfrecord")
    template: str = "centernet_hg104_512_kpts"
    out: Path = Path("pipeline.config")
    label_map: Path | None = None
    batch_size: int | None = None
    epochs: float | None = None
    steps: int | None = None
    learning_rate: float | None = None
    input_size: int | None = None
    flip_pairs: str | None = None
    sigmas: str = "0.05"
    pretrained: str | None = None
    pretrained_models: Path = Path("pretrained_models")
    fresh: bool = False
    any_orientation: bool = False
    overrides: tuple[str, ...] = ()
