"""Training pictures as files: what an int8 conversion looks at to find the ranges of its integers."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.entities import LabelMap
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import make_folder
from kpt_tools.records.decode import read_records
from kpt_tools.stages.eval_truth import find_shards
from kpt_tools.stages.run_manifest import read_run

CALIBRATION_PICTURES = 64


def calibration_images(run: Path, label_map: LabelMap, folder: Path) -> list[Path]:
    """Write the first pictures of the training records into `folder`.

    Training pictures are shuffled when records are made, so the first ones are as good as any.

    Args:
        run: the run folder.
        label_map: of the run.
        folder: to be made.

    Returns:
        The files, `CALIBRATION_PICTURES` of them or as many as there are.

    Raises:
        ConfigError: the training records are gone.
        DataError: they are damaged.
    """
    patterns = read_run(run).get("train_records")
    if not isinstance(patterns, list) or not patterns:
        raise ConfigError(
            f"{run}: int8 needs training pictures to find its ranges; expected 'train_records' in the run's run.json. "
            "Choose another precision."
        )
    make_folder(folder)
    samples = read_records(find_shards([str(pattern) for pattern in patterns]), label_map)
    for number, sample in zip(range(CALIBRATION_PICTURES), samples, strict=False):
        suffix = ".png" if sample.encoded.startswith(b"\x89PNG") else ".jpg"
        (folder / f"{number:03d}{suffix}").write_bytes(sample.encoded)
    return sorted(folder.iterdir())
