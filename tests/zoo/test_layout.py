"""Whether a folder is a model of the zoo, and putting it into its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo_factories import HOURGLASS, zoo_folder

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.zoo.layout import find_model_folder, install, missing_parts

ARCHIVE = Path("x.tar.gz")


def test_a_whole_model(tmp_path: Path) -> None:
    folder = zoo_folder(tmp_path)
    assert missing_parts(folder) == []
    assert find_model_folder(tmp_path, ARCHIVE).path == folder
    assert find_model_folder(folder, ARCHIVE).path == folder


def test_another_checkpoint_number(tmp_path: Path) -> None:
    folder = zoo_folder(tmp_path)
    for path in list((folder / "checkpoint").glob("ckpt-0.*")):
        path.rename(path.with_name(path.name.replace("ckpt-0", "ckpt-301")))
    assert missing_parts(folder) == []


def test_what_lies_beside_is_named(tmp_path: Path) -> None:
    zoo_folder(tmp_path)
    (tmp_path / "._x").touch()
    (tmp_path / "README").touch()
    assert find_model_folder(tmp_path, ARCHIVE).others == ("._x", "README")


DATA = "checkpoint/ckpt-0.data-00000-of-00001"


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pipeline.config", "pipeline.config"),
        ("checkpoint/ckpt-0.index", "checkpoint/ckpt-0.index"),
        (DATA, r"checkpoint/ckpt-0\.data-\*"),
        ("saved_model/saved_model.pb", "saved_model/saved_model.pb"),
    ],
)
def test_a_part_is_missing(tmp_path: Path, name: str, told: str, empty: bool) -> None:
    folder = zoo_folder(tmp_path)
    (folder / name).unlink()
    if empty:
        (folder / name).touch()
    assert missing_parts(folder) == [told.replace("\\", "")]
    match = (
        "0 folders have a pipeline.config" if name == "pipeline.config" and not empty else f"{told} missing or empty"
    )
    with pytest.raises(DataError, match=match):
        find_model_folder(tmp_path, ARCHIVE)


def test_a_missing_shard(tmp_path: Path) -> None:
    folder = zoo_folder(tmp_path)
    (folder / DATA).rename(folder / "checkpoint/ckpt-0.data-00000-of-00002")
    assert missing_parts(folder) == ["checkpoint/ckpt-0.data-*"]
    (folder / "checkpoint/ckpt-0.data-00001-of-00002").write_bytes(b"data")
    assert missing_parts(folder) == []


def test_a_checkpoint_at_the_top_is_not_the_zoos_layout(tmp_path: Path) -> None:
    folder = zoo_folder(tmp_path)
    for path in list((folder / "checkpoint").glob("ckpt-*")):
        path.rename(folder / path.name)
    assert missing_parts(folder) == ["checkpoint/ckpt-0.index"]


def test_two_models(tmp_path: Path) -> None:
    zoo_folder(tmp_path)
    zoo_folder(tmp_path, "centernet_mobilenetv2_fpn_od")
    with pytest.raises(
        DataError, match=r"2 folders have a pipeline\.config, expected one; at the top: centernet_hg104"
    ):
        find_model_folder(tmp_path, ARCHIVE)


def test_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0 folders have a pipeline\.config, expected one; at the top: nothing"):
        find_model_folder(tmp_path, ARCHIVE)


def test_install(tmp_path: Path) -> None:
    target, spare = tmp_path / "target", tmp_path / "spare"
    install(zoo_folder(tmp_path), target, spare)
    assert missing_parts(target) == []
    assert not spare.exists()


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling"])
def test_install_puts_aside_what_is_there(tmp_path: Path, kind: str) -> None:
    target, spare, elsewhere = tmp_path / "target", tmp_path / "spare", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").touch()
    match kind:
        case "folder":
            elsewhere.rename(target)
        case "file":
            target.touch()
        case "link":
            target.symlink_to(elsewhere)
        case _:
            target.symlink_to(tmp_path / "gone")
    install(zoo_folder(tmp_path), target, spare)
    assert missing_parts(target) == []
    assert spare.exists() or spare.is_symlink()
    assert kind == "folder" or (elsewhere / "x").exists()


def test_install_that_fails_puts_it_back(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "x").touch()
    with pytest.raises(ConfigError, match="target: cannot be replaced"):
        install(tmp_path / HOURGLASS, target, tmp_path / "spare")
    assert (target / "x").exists()
