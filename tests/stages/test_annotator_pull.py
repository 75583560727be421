from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotator_data import BOX, QUICK, picture, pliers_database, tree
from annotator_server import Annotator, running

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotator.transport import Unreachable
from kpt_tools.config.annotator import PullConfig
from kpt_tools.stages.annotator_pull import PullResult, pull


@pytest.fixture
def server() -> Iterator[Annotator]:
    with running(pliers_database()) as database:
        yield database


def fetch(server: Annotator, out: Path, **settings: Any) -> PullResult:
    config = PullConfig(**{"url": server.url, "dataset": "pliers", "user": "ann", "out": out, **settings})
    return pull(config, "s3cret", patience=QUICK)


def test_pull(server: Annotator, tmp_path: Path) -> None:
    result = fetch(server, tmp_path)
    assert tree(tmp_path) == ["annotations/pliers.json", "images/a.jpg", "images/b.jpg", "images/c.png"]
    assert (result.listed, result.objects, result.downloaded, result.kept, result.lost) == (3, 3, 3, 0, 0)
    assert result.findings == ()
    for image_id, row in server.images.items():
        if row["file_name"] != "empty.jpg":
            assert (tmp_path / "images" / row["file_name"]).read_bytes() == server.files[image_id]
    assert json.loads(result.annotations.read_text()) == server.export(3), "as the server sent it"
    dataset, report = read_coco(result.annotations)
    assert len(dataset.instances) == 3
    assert report.of_severity("error") == []


def test_pictures_without_objects_too(server: Annotator, tmp_path: Path) -> None:
    result = fetch(server, tmp_path, all_images=True)
    assert "images/empty.jpg" in tree(tmp_path)
    assert (result.listed, result.downloaded) == (3, 4)


def test_annotations_only(server: Annotator, tmp_path: Path) -> None:
    assert fetch(server, tmp_path, no_images=True).downloaded == 0
    assert tree(tmp_path) == ["annotations/pliers.json"]


def test_again_downloads_nothing(server: Annotator, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    server.log.clear()
    result = fetch(server, tmp_path)
    assert (result.downloaded, result.kept) == (0, 3)
    assert not [line for line in server.log if line.startswith("GET /api/image")]


def test_an_interrupted_pull_goes_on(server: Annotator, tmp_path: Path) -> None:
    server.faults["GET /api/image/253"] = ["cut"] * 3
    with pytest.raises(Unreachable, match=r"Run the same command again.* 1 of 3 pictures are here; they are kept"):
        fetch(server, tmp_path)
    assert tree(tmp_path) == ["images/a.jpg"], "no JSON beside pictures that are not all there"
    result = fetch(server, tmp_path)
    assert (result.downloaded, result.kept) == (2, 1)


def test_a_file_of_another_size_is_not_overwritten(server: Annotator, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.jpg").write_bytes(b"of another data set")
    result = fetch(server, tmp_path)
    assert (tmp_path / "images" / "b.jpg").read_bytes() == b"of another data set"
    assert [(f.code, f.severity, f.image) for f in result.findings] == [("image-differs", "error", "b.jpg")]
    assert (result.downloaded, result.kept, result.lost) == (2, 1, 1)
    result = fetch(server, tmp_path, overwrite=True)
    assert (tmp_path / "images" / "b.jpg").read_bytes() == server.files[253]
    assert (result.downloaded, result.kept, result.lost) == (1, 2, 0)


def test_shared_names(server: Annotator, tmp_path: Path) -> None:
    other = server.add_image(3, "day2/a.jpg", picture(9))
    server.annotate(other, 15, **BOX, keypoints=[1, 1, 2, 2, 2, 2])
    result = fetch(server, tmp_path)
    assert tree(tmp_path / "images") == ["252/a.jpg", f"{other}/a.jpg", "b.jpg", "c.png"]
    assert (tmp_path / "images" / f"{other}/a.jpg").read_bytes() == server.files[other]
    assert [finding.code for finding in result.findings] == ["image-name-shared"]
    names = {row["id"]: row["file_name"] for row in json.loads(result.annotations.read_text())["images"]}
    assert names == {252: "252/a.jpg", other: f"{other}/a.jpg", 253: "b.jpg", 254: "c.png"}


def test_a_name_that_leads_out(server: Annotator, tmp_path: Path) -> None:
    server.images[253]["file_name"] = "../../b.jpg"
    result = fetch(server, tmp_path / "x" / "y")
    assert tree(tmp_path) == ["x/y/annotations/pliers.json", "x/y/images/a.jpg", "x/y/images/c.png"]
    assert [(finding.code, finding.severity) for finding in result.findings] == [("image-name-unsafe", "error")]
    assert result.lost == 1


def test_a_picture_that_is_gone(server: Annotator, tmp_path: Path) -> None:
    del server.files[253]
    result = fetch(server, tmp_path)
    assert [(f.code, f.image) for f in result.findings] == [("image-not-downloaded", "b.jpg")]
    assert "b.jpg: http://127.0.0.1" in result.findings[0].message
    assert (result.downloaded, result.lost) == (2, 1)


def test_a_server_that_hands_out_no_originals(server: Annotator, tmp_path: Path) -> None:
    server.knows_original = False
    result = fetch(server, tmp_path)
    assert [(f.code, f.severity) for f in result.findings] == [("images-reencoded", "warning")]
    assert tree(tmp_path / "images") == ["a.jpg", "b.jpg", "c.png"], "the comparison leaves nothing behind"


def test_a_server_that_hands_out_originals_both_ways(server: Annotator, tmp_path: Path) -> None:
    server.reencodes = False
    assert fetch(server, tmp_path).findings == ()


def test_the_name_of_a_data_set_is_no_path(server: Annotator, tmp_path: Path) -> None:
    server.add_dataset("../x/y")
    fetch(server, tmp_path / "a" / "b", dataset="../x/y")
    assert tree(tmp_path) == ["a/b/annotations/_x_y.json"]


def test_events(server: Annotator, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    config = PullConfig(url=server.url, dataset="pliers", user="ann", out=tmp_path)
    pull(config, "s3cret", events.append, patience=QUICK)
    assert [event["name"] for event in events if event["kind"] == "phase"] == [
        "logging in",
        "waiting for the export",
        "downloading",
    ]
    assert [(event["done"], event["total"]) for event in events if event["kind"] == "image"] == [(1, 3), (2, 3), (3, 3)]
