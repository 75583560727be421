"""From a name to a folder that make-config accepts, and what happens on the way there."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from zoo_factories import (
    HOURGLASS,
    MOBILE,
    Heard,
    cut,
    file_member,
    good,
    noise,
    odd_member,
    serve,
    stalled,
    tar_gz,
    zoo_archive,
    zoo_files,
    zoo_folder,
)

from kpt_tools.config.fetch import FetchConfig
from kpt_tools.config.models import ModelsConfig
from kpt_tools.errors import ConfigError, DataError, KptToolsError
from kpt_tools.pipeline.pretrained import choose_checkpoint
from kpt_tools.pipeline.resources import load_template
from kpt_tools.stages.fetch import fetch
from kpt_tools.stages.models import list_models
from kpt_tools.zoo.catalogue import CATALOGUE, find_model
from kpt_tools.zoo.download import download
from kpt_tools.zoo.layout import missing_parts


@pytest.fixture
def config(tmp_path: Path) -> FetchConfig:
    return FetchConfig(HOURGLASS, pretrained_models=tmp_path / "models", timeout=5.0, attempts=1)


def at(config: FetchConfig, url: str | Path, **changes: object) -> FetchConfig:
    return dataclasses.replace(config, url=str(url), **changes)  # type: ignore[arg-type]


def left(config: FetchConfig) -> list[str]:
    folder = config.pretrained_models
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_good(config: FetchConfig) -> None:
    data, heard = zoo_archive(), Heard()
    with serve(data) as server:
        result = fetch(at(config, f"{server.url}/zoo"), heard)
    assert [request.path for request in server.requests] == [f"/zoo/{HOURGLASS}.tar.gz"]
    assert result.folder == config.pretrained_models / HOURGLASS
    assert (result.already_there, result.resumed_from, result.left_out, result.kept_archive) == (False, 0, (), None)
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    assert result.archive_bytes == len(data)
    assert left(config) == [HOURGLASS]
    files = {path.relative_to(result.folder).as_posix(): path for path in result.folder.rglob("*") if path.is_file()}
    record = json.loads(files.pop("fetched.json").read_text())
    assert {name: path.read_bytes() for name, path in files.items()} == zoo_files(find_model(HOURGLASS))
    assert record["sha256"] == result.sha256
    assert record["source"] == f"{server.url}/zoo/{HOURGLASS}.tar.gz"
    assert heard.phases == ["downloading", "verifying", "unpacking"]


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_make_config_accepts_what_was_fetched(config: FetchConfig, tmp_path: Path, model) -> None:
    archive = tmp_path / model.archive
    archive.write_bytes(zoo_archive(model.name))
    result = fetch(at(config, archive, name=model.name))
    expected = result.folder / "checkpoint" / ("ckpt-301" if "mobilenet" in model.name else "ckpt-0")
    if not model.template:
        assert missing_parts(result.folder) == []
        return
    info = load_template(model.template).info
    models = config.pretrained_models
    assert choose_checkpoint(info, models, pretrained=model.folder, fresh=False) == expected
    assert choose_checkpoint(info, models, pretrained=str(result.folder), fresh=False) == expected
    if model.folder == info.zoo_model:
        assert choose_checkpoint(info, models, pretrained=None, fresh=False) == expected


@pytest.mark.parametrize("top", ["other_name/", "./", "./other/"])
def test_the_folder_is_ours_whatever_the_archives_top(config: FetchConfig, tmp_path: Path, top: str) -> None:
    (tmp_path / "x.tar.gz").write_bytes(zoo_archive(MOBILE, top=top))
    result = fetch(at(config, tmp_path / "x.tar.gz", name=MOBILE))
    assert left(config) == ["centernet_mobilenetv2_fpn_kpts"]
    assert missing_parts(result.folder) == []


def test_what_lies_beside_the_model_is_told(config: FetchConfig, tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(zoo_archive(HOURGLASS, file_member("README")))
    result = fetch(at(config, tmp_path / "x.tar.gz"))
    assert result.left_out == ("README",)
    assert left(config) == [HOURGLASS]
    assert json.loads((result.folder / "fetched.json").read_text())["left_out"] == ["README"]


def test_a_cut_download_goes_on_in_the_next_run(config: FetchConfig) -> None:
    data = zoo_archive()
    with serve(data, cut(100_000), good()) as server:
        with pytest.raises(KptToolsError, match=r"0\.1 MB are kept; the same command goes on from there"):
            fetch(at(config, server.url))
        assert left(config) == [f"{HOURGLASS}.tar.gz.part", f"{HOURGLASS}.tar.gz.part.json"]
        result = fetch(at(config, server.url))
    assert result.resumed_from == 100_000
    assert server.requests[1].start == 100_000
    assert left(config) == [HOURGLASS]


def start(config: FetchConfig, url: str) -> subprocess.Popen[bytes]:
    arguments = ["fetch", HOURGLASS, "--url", url, "--pretrained-models", str(config.pretrained_models)]
    return subprocess.Popen([sys.executable, "-m", "kpt_tools", *arguments], stderr=subprocess.PIPE)


def wait_for(path: Path, size: int) -> None:
    end = time.monotonic() + 60
    while not (path.is_file() and path.stat().st_size >= size):
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda sign: sign.name)
def test_an_ended_process_leaves_a_part_that_goes_on(config: FetchConfig, sign: signal.Signals) -> None:
    with serve(zoo_archive(), stalled(100_000), good()) as server:
        process = start(config, server.url)
        try:
            wait_for(config.pretrained_models / f"{HOURGLASS}.tar.gz.part", 100_000)
            process.send_signal(sign)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
        if sign == signal.SIGINT:
            assert process.returncode == 130
            assert [line for line in errors.decode().splitlines() if line] == [
                "What was downloaded is kept; the same command goes on from there.",
                "kpt-tools: interrupted.",
            ]
        assert left(config) == [f"{HOURGLASS}.tar.gz.part", f"{HOURGLASS}.tar.gz.part.json"]
        result = fetch(at(config, server.url))
    assert result.resumed_from == 100_000
    assert missing_parts(result.folder) == []
    assert left(config) == [HOURGLASS]


def test_a_process_that_ended_while_unpacking(config: FetchConfig) -> None:
    """The archive is complete, and a staging folder of a process that is no more lies there."""
    with serve(zoo_archive()) as server:
        archive = config.pretrained_models / f"{HOURGLASS}.tar.gz"
        download(f"{server.url}/{archive.name}", archive)
        ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        stale = config.pretrained_models / f".kpt-tools-{int(ended.stdout)}-abc"
        zoo_folder(config.pretrained_models).rename(stale)
        result = fetch(at(config, server.url))
    assert len(server.requests) == 1
    assert not result.already_there
    assert left(config) == [HOURGLASS]


BAD = {
    "page": (b"<html>sign in</html>", "starts with b'<html>sign in</h', which no gzip file does"),
    "truncated": (zoo_archive()[:-100], "damaged or cut off"),
    "no-pipeline": (zoo_archive(drop="pipeline.config"), "0 folders have a pipeline.config"),
    "no-index": (zoo_archive(drop="checkpoint/ckpt-0.index"), "checkpoint/ckpt-0.index missing or empty"),
    "no-data": (zoo_archive(drop="checkpoint/ckpt-0.data-00000-of-00001"), r"ckpt-0.data-\* missing or empty"),
    "no-saved-model": (zoo_archive(drop="saved_model/saved_model.pb"), "saved_model.pb missing or empty"),
    "tf1-zoo": (tar_gz(file_member("m/frozen_inference_graph.pb")), "no archive of the TF2 detection zoo|expected one"),
    "upwards": (zoo_archive(HOURGLASS, file_member("../evil")), "points out of the folder"),
    "absolute": (zoo_archive(HOURGLASS, file_member("/tmp/evil")), "points out of the folder"),
    "symlink": (zoo_archive(HOURGLASS, odd_member("x", b"2", "/etc/passwd")), "a symbolic link"),
    "hardlink": (zoo_archive(HOURGLASS, odd_member("x", b"1", "/etc/passwd")), "a hard link"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_download_leaves_nothing(config: FetchConfig, tmp_path: Path, case: str) -> None:
    data, match = BAD[case]
    with serve(data) as server, pytest.raises(DataError, match=match) as caught:
        fetch(at(config, server.url))
    assert str(caught.value).endswith("the download was removed; try again, or another --url.")
    assert left(config) == []
    assert list(tmp_path.iterdir()) == [config.pretrained_models]


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_of_the_users_is_kept(config: FetchConfig, tmp_path: Path, case: str) -> None:
    data, match = BAD[case]
    archive = tmp_path / "mine.tar.gz"
    archive.write_bytes(data)
    with pytest.raises(DataError, match=match) as caught:
        fetch(at(config, archive))
    assert str(caught.value).startswith(f"{archive}: ")
    assert archive.read_bytes() == data
    assert left(config) == []


@pytest.mark.parametrize("force", [False, True])
def test_a_bad_archive_does_not_touch_the_model_that_is_there(config: FetchConfig, force: bool) -> None:
    folder = zoo_folder(config.pretrained_models)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with serve(zoo_archive(drop="pipeline.config")) as server:
        if force:
            with pytest.raises(DataError, match="0 folders have"):
                fetch(at(config, server.url, force=True))
        else:
            assert fetch(at(config, server.url)).already_there
    assert len(server.requests) == force
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert left(config) == [HOURGLASS]


def test_a_model_that_is_there_needs_no_network(config: FetchConfig) -> None:
    zoo_folder(config.pretrained_models)
    result = fetch(at(config, "http://127.0.0.1:9"))
    assert result.already_there
    assert (result.source, result.sha256, result.archive_bytes) == ("", "", 0)


def test_the_second_fetch_tells_what_the_first_wrote(config: FetchConfig) -> None:
    with serve(zoo_archive()) as server:
        first = fetch(at(config, server.url))
        second = fetch(at(config, server.url))
    assert len(server.requests) == 1
    assert dataclasses.replace(second, already_there=False) == first


def test_a_folder_that_is_no_whole_model(config: FetchConfig) -> None:
    folder = zoo_folder(config.pretrained_models)
    (folder / "saved_model" / "saved_model.pb").unlink()
    with pytest.raises(ConfigError, match=r"is no whole model \(saved_model/saved_model.pb missing.* with --force"):
        fetch(config)


def test_force_replaces(config: FetchConfig) -> None:
    folder = zoo_folder(config.pretrained_models)
    (folder / "mine.txt").touch()
    with serve(zoo_archive(weights=noise(1000))) as server:
        first = fetch(at(config, server.url, force=True))
        assert first.previous_sha256 == ""
        assert not (folder / "mine.txt").exists()
        second = fetch(at(config, server.url, force=True))
    assert second.previous_sha256 == first.sha256 == second.sha256
    assert left(config) == [HOURGLASS]


def test_force_with_a_link_leaves_what_it_points_to(config: FetchConfig, tmp_path: Path) -> None:
    elsewhere = zoo_folder(tmp_path / "elsewhere")
    config.pretrained_models.mkdir()
    (config.pretrained_models / HOURGLASS).symlink_to(elsewhere)
    assert fetch(at(config, "http://127.0.0.1:9")).already_there
    with serve(zoo_archive()) as server:
        result = fetch(at(config, server.url, force=True))
    assert not result.folder.is_symlink()
    assert missing_parts(elsewhere) == []
    assert left(config) == [HOURGLASS]


def test_a_checksum_that_is_known_is_verified(config: FetchConfig) -> None:
    data = zoo_archive()
    right = hashlib.sha256(data).hexdigest()
    with serve(data) as server:
        with pytest.raises(DataError, match=f"its SHA-256 is {right}, expected {'0' * 64}"):
            fetch(at(config, server.url, sha256="0" * 64))
        assert left(config) == []
        assert fetch(at(config, server.url, sha256=right.upper())).sha256 == right


def test_the_archive_can_be_kept(config: FetchConfig) -> None:
    data = zoo_archive()
    with serve(data) as server:
        result = fetch(at(config, server.url, keep_archive=True))
    assert result.kept_archive == config.pretrained_models / f"{HOURGLASS}.tar.gz"
    assert result.kept_archive.read_bytes() == data
    assert left(config) == [HOURGLASS, f"{HOURGLASS}.tar.gz"]


def test_an_archive_that_the_user_put_there_is_used_and_kept(config: FetchConfig) -> None:
    config.pretrained_models.mkdir()
    archive = config.pretrained_models / f"{HOURGLASS}.tar.gz"
    archive.write_bytes(zoo_archive())
    heard = Heard()
    result = fetch(config, heard)
    assert heard.notes == [f"{archive} is there: it is used, nothing is downloaded"]
    assert result.kept_archive == archive
    assert left(config) == [HOURGLASS, f"{HOURGLASS}.tar.gz"]


def test_an_archive_that_the_user_put_beside_a_part_is_kept(config: FetchConfig) -> None:
    data = zoo_archive()
    with serve(data, cut(100_000)) as server:
        with pytest.raises(KptToolsError, match="are kept"):
            fetch(at(config, server.url))
        (config.pretrained_models / f"{HOURGLASS}.tar.gz").write_bytes(data)
        assert fetch(at(config, server.url)).kept_archive is not None
    assert len(server.requests) == 1
    assert left(config) == [HOURGLASS, f"{HOURGLASS}.tar.gz"]


def test_a_complete_download_from_elsewhere_is_not_used(config: FetchConfig) -> None:
    archive = config.pretrained_models / f"{HOURGLASS}.tar.gz"
    with serve(zoo_archive(weights=noise(1000))) as other:
        download(f"{other.url}/{archive.name}", archive)
    heard = Heard()
    with serve(zoo_archive()) as server:
        result = fetch(at(config, server.url), heard)
    assert result.sha256 == hashlib.sha256(server.data).hexdigest()
    assert heard.notes == [f"{archive} comes from {other.url}/{archive.name}: downloading anew"]
    assert left(config) == [HOURGLASS]


def test_a_part_is_not_left_beside_the_model(config: FetchConfig, tmp_path: Path) -> None:
    with serve(zoo_archive(), cut(100_000)) as server, pytest.raises(KptToolsError, match="are kept"):
        fetch(at(config, server.url))
    (tmp_path / "x.tar.gz").write_bytes(zoo_archive())
    fetch(at(config, tmp_path / "x.tar.gz"))
    assert left(config) == [HOURGLASS]


def test_a_full_disk_while_unpacking_leaves_the_download(config: FetchConfig, tmp_path: Path) -> None:
    """The system refuses files beyond 200 kB: the archive fits, a file in it does not."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))\n"
        "from kpt_tools.cli.main import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    archive = zoo_archive(weights=bytes(500_000))
    assert len(archive) < 200_000
    with serve(archive) as server:
        arguments = ["fetch", HOURGLASS, "--url", server.url, "--pretrained-models", str(config.pretrained_models)]
        process = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert process.returncode == 1
        assert "writing failed (File too large). Nothing was left half-written" in process.stderr
        assert left(config) == [f"{HOURGLASS}.tar.gz", f"{HOURGLASS}.tar.gz.part.json"]
        assert fetch(at(config, server.url)).resumed_from == len(archive)
    assert len(server.requests) == 1
    assert left(config) == [HOURGLASS]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights(config: FetchConfig) -> None:
    config.pretrained_models.mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        fetch(config)


def test_models_without_any(tmp_path: Path) -> None:
    result = list_models(ModelsConfig(tmp_path / "none"))
    assert [listed.model for listed in result.models] == list(CATALOGUE)
    assert {(listed.present_bytes, listed.lacking, listed.part_bytes) for listed in result.models} == {(None, (), 0)}


def test_models_that_are_here(tmp_path: Path) -> None:
    whole, broken = zoo_folder(tmp_path), zoo_folder(tmp_path, MOBILE)
    (broken / "pipeline.config").unlink()
    (tmp_path / "centernet_resnet50_v2_512x512_coco17_tpu-8.tar.gz.part").write_bytes(bytes(77))
    found = {listed.model.folder: listed for listed in list_models(ModelsConfig(tmp_path)).models}
    size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    assert (found[whole.name].present_bytes, found[whole.name].lacking) == (size, ())
    assert found[broken.name].lacking == ("pipeline.config",)
    assert found["centernet_resnet50_v2_512x512_coco17_tpu-8"].part_bytes == 77
