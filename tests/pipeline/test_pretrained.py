"""Finding the checkpoint to start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.pretrained import choose_checkpoint, find_checkpoint
from kpt_tools.pipeline.resources import load_template
from kpt_tools.pipeline.template import TemplateInfo

ZOO = "centernet_hg104_512x512_kpts_coco17_tpu-32"


def info(name: str = "centernet_hg104_512_kpts") -> TemplateInfo:
    return load_template(name).info


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / f"{name}.index"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param(["checkpoint/ckpt-0"], "checkpoint/ckpt-0", id="zoo"),
        pytest.param(["checkpoint/ckpt-0", "checkpoint/ckpt-9"], "checkpoint/ckpt-0", id="zoo-number-first"),
        pytest.param(["checkpoint/ckpt-301"], "checkpoint/ckpt-301", id="mobilenet-zoo"),
        pytest.param(["ckpt-9", "ckpt-10", "ckpt-x"], "ckpt-10", id="run-folder-highest"),
        pytest.param(["ckpt-0", "ckpt-600"], "ckpt-600", id="run-folder-stopped-at-its-start"),
        pytest.param(["ckpt-600", "export/checkpoint/ckpt-0"], "ckpt-600", id="run-folder-with-export"),
        pytest.param([], None, id="none"),
    ],
)
def test_find(tmp_path: Path, files: list[str], found: str | None) -> None:
    folder = put(tmp_path / "m", *files)
    assert find_checkpoint(folder) == (None if found is None else folder / found)


def test_the_templates_own(tmp_path: Path) -> None:
    folder = put(tmp_path / ZOO, "checkpoint/ckpt-0")
    assert choose_checkpoint(info(), tmp_path, pretrained=None, fresh=False) == folder / "checkpoint" / "ckpt-0"
    assert choose_checkpoint(info(), tmp_path, pretrained=None, fresh=True) is None


def test_a_template_without_zoo_model_starts_fresh(tmp_path: Path) -> None:
    cpu = info("centernet_cpu_256_kpts")
    assert choose_checkpoint(cpu, tmp_path, pretrained=None, fresh=False) is None
    put(tmp_path / "mine", "ckpt-5")
    assert choose_checkpoint(cpu, tmp_path, pretrained="mine", fresh=False) == tmp_path / "mine" / "ckpt-5"
    for name in ("mine", "mine/ckpt-5", "mine/ckpt-5.index"):
        given = choose_checkpoint(cpu, tmp_path / "none", pretrained=str(tmp_path / name), fresh=False)
        assert given == tmp_path / "mine" / "ckpt-5"


@pytest.mark.parametrize(
    ("pretrained", "fresh", "match"),
    [
        pytest.param(
            None,
            False,
            f"{ZOO}: .*Either run kpt-tools fetch {ZOO} --pretrained-models .* or train from scratch",
            id="zoo",
        ),
        pytest.param("x", True, "--fresh and --pretrained x contradict", id="both"),
        pytest.param(
            "x",
            False,
            r"--pretrained x: no checkpoint in x; expected x.checkpoint.ckpt-0\.index.*run kpt-tools fetch x",
            id="missing",
        ),
    ],
)
def test_refused(tmp_path: Path, pretrained: str | None, fresh: bool, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        choose_checkpoint(info(), tmp_path, pretrained=pretrained, fresh=fresh)
