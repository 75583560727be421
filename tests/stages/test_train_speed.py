from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.odapi import pipeline_config
from kpt_tools.stages.make_tfrecord import make_tfrecord
from kpt_tools.stages.train_speed import kept_bytes

pytest.importorskip("object_detection")

LETTERBOX = "keep_aspect_ratio_resizer { min_dimension: 128 max_dimension: 128 }"
ONE = 128 * 128 * 3
MUCH = 1e12


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> str:
    """12 training pictures."""
    folder = tmp_path_factory.mktemp("speed")
    made = make_pliers(folder / "pliers", 12, 3, (160, 120))
    out = folder / "records"
    make_tfrecord(
        MakeTfrecordConfig(made.annotations, made.images, out, folder / "map.pbtxt", val=0.0, keep_empty=True)
    )
    return str(out / "train.record-*")


def config(resizer: str = LETTERBOX, augmentation: str = "") -> Any:
    return pipeline_config.parse(
        f"model {{ center_net {{ image_resizer {{ {resizer} }} }} }} train_config {{ batch_size: 4 {augmentation} }}",
        "x",
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, 12 * ONE, id="kept"),
        pytest.param({"steps": 3}, 0, id="seen-once"),
        pytest.param({"steps": 4}, 12 * ONE, id="seen-more-than-once"),
        pytest.param({"free_bytes": 100 * ONE}, 0, id="too-much-of-the-free-memory"),
        pytest.param({"free_bytes": 120 * ONE}, 12 * ONE, id="just-enough-memory"),
        pytest.param({"resolved": config("identity_resizer {}")}, 0, id="unknown-size"),
        pytest.param(
            {"resolved": config(augmentation="data_augmentation_options { random_square_crop_by_scale {} }")},
            4 * 12 * ONE,
            id="cropped",
        ),
        pytest.param(
            {"resolved": config("fixed_shape_resizer { height: 4096 width: 4096 }")}, 0, id="more-than-the-limit"
        ),
    ],
)
def test_kept_are_pictures_that_are_few_and_seen_again(pattern: str, changes: dict[str, Any], expected: int) -> None:
    arguments = {"resolved": config(), "patterns": (pattern,), "steps": 100, "free_bytes": MUCH} | changes
    assert kept_bytes(**arguments) == expected


def test_records_of_unknown_number_are_not_kept(pattern: str, tmp_path: Path) -> None:
    shard = next(Path(pattern).parent.glob("train.record-*"))
    (tmp_path / shard.name).write_bytes(shard.read_bytes())
    assert kept_bytes(config(), (str(tmp_path / "train.record-*"),), 100, MUCH) == 0
