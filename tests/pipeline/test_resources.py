"""Shipped templates and label maps, from a checkout and from a wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.flips import find_flips
from kpt_tools.pipeline.label_map import format_label_map, parse_label_map
from kpt_tools.pipeline.resources import label_map_names, load_label_map_text, load_template, template_names

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = (
    "centernet_cpu_256_kpts",
    "centernet_hg104_1024_kpts",
    "centernet_hg104_512_kpts",
    "centernet_mobilenetv2_fpn_256_kpts",
    "centernet_mobilenetv2_fpn_512_kpts",
    "centernet_resnet50_v1_fpn_512_kpts",
    "centernet_resnet50_v2_512_kpts",
)
LABEL_MAPS = ("coco_person", "coco_zoo", "pliers")


def test_templates_are_found() -> None:
    assert template_names() == TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_facts_agree_with_the_text(name: str) -> None:
    template = load_template(name)
    assert f'type: "{template.info.extractor}"' in template.body
    assert template.info.input_size % template.info.input_multiple == 0
    assert "image_resizer" in template.placeholders
    assert template.info.zoo_url.startswith("http") == bool(template.info.zoo_model)
    assert template.info.min_steps < template.info.max_steps
    assert "use_moving_average: false" in template.body
    assert "random_square_crop_by_scale {" not in template.body


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.config"
    shutil.copy(ROOT / "pipeline_templates" / "centernet_cpu_256_kpts.config", path)
    assert load_template(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("name", "match"),
    [
        pytest.param("centernet_cpu_256_kpt", "did you mean 'centernet_cpu_256_kpts'", id="typo"),
        pytest.param("../secret", "there is no template", id="path"),
        pytest.param("missing.config", "no such file; expected a template", id="missing-file"),
    ],
)
def test_unknown_template(name: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        load_template(name)


@pytest.mark.parametrize(
    ("name", "keypoints", "pairs"), [("coco_person", 17, 8), ("coco_zoo", 17, 8), ("pliers", 5, 2)]
)
def test_label_maps(name: str, keypoints: int, pairs: int) -> None:
    assert name in label_map_names()
    text = load_label_map_text(name)
    label_map = parse_label_map(text, name)
    assert label_map.num_keypoints == keypoints
    assert len(find_flips(label_map).pairs) == pairs
    assert text.endswith(format_label_map(label_map))


def test_unknown_label_map() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pliers'"):
        load_label_map_text("plier")


@pytest.mark.slow
def test_a_wheel_carries_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("kpt_tools", "pipeline_templates", "label_maps"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source / name)
    (source / "label_maps" / "users_own.pbtxt").write_text("item { }")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    code = (
        "import kpt_tools; from kpt_tools.pipeline.resources import *;"
        "print(kpt_tools.__file__, *template_names(), *label_map_names());"
        "print(*(load_template(name).info.title for name in template_names()), sep='\\n')"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=empty,
        env={"PYTHONPATH": str(unpacked)},
        timeout=60,
    ).stdout
    first, *titles = told.splitlines()
    assert first.split() == [str(unpacked / "kpt_tools" / "__init__.py"), *TEMPLATES, *LABEL_MAPS]
    assert len(titles) == len(TEMPLATES)
