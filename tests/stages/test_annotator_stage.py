from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotator_server import Annotator, running
from coco_factories import encoded, pixels
from PIL import Image
from serving import patch_bytes

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotator.transport import Patience, Unreachable
from kpt_tools.cli.annotator import command as command_group
from kpt_tools.cli.main import run
from kpt_tools.config.annotator import PASSWORD_VARIABLE, PullConfig, PushConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.annotator import PullResult, PushResult, pull, push
from kpt_tools.stages.infer import infer

QUICK = Patience(connect_s=2, read_s=2, sleep=lambda seconds: None)
BOX = {"segmentation": [[10, 8, 40, 8, 40, 28, 10, 28]], "area": 600, "bbox": [10, 8, 30, 20], "isbbox": True}


def picture(seed: int, kind: str = "JPEG") -> bytes:
    return encoded(Image.fromarray(pixels(seed=seed)), kind)


@pytest.fixture
def server() -> Iterator[Annotator]:
    """Three annotated pictures (one PNG), one without objects, two classes."""
    database = Annotator()
    plier, bolt = database.add_category("Plier", ("tip", "heel")), database.add_category("bolt")
    dataset = database.add_dataset("pliers", (plier, bolt))
    for number, name in enumerate(("a.jpg", "b.jpg", "c.png", "empty.jpg")):
        image = database.add_image(dataset, name, picture(number, "PNG" if name.endswith("png") else "JPEG"))
        if name != "empty.jpg":
            database.annotate(image, plier, **BOX, keypoints=[12, 10, 2, 30, 20, 1])
    with running(database):
        yield database


def fetch(server: Annotator, out: Path, **settings: Any) -> PullResult:
    config = PullConfig(**{"url": server.url, "dataset": "pliers", "user": "ann", "out": out, **settings})
    return pull(config, "s3cret", patience=QUICK)


def send(server: Annotator, file: Path, **settings: Any) -> PushResult:
    config = PushConfig(**{"file": file, "url": server.url, "dataset": "pliers", "user": "ann", "wait": 5, **settings})
    return push(config, "s3cret", patience=QUICK)


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


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


def test_the_name_of_a_data_set_is_no_path(server: Annotator, tmp_path: Path) -> None:
    server.add_dataset("../x/y")
    result = fetch(server, tmp_path, dataset="../x/y")
    assert tree(tmp_path) == ["annotations/_x_y.json"] or result.annotations.parent == tmp_path / "annotations"


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


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Boxes and points for the picture without objects, in the format that the importer keeps."""
    file = tmp_path / "predictions.json"
    category = {"id": 1, "name": "plier", "keypoints": ["tip", "heel"], "skeleton": [[1, 2]]}
    row = {"id": 1, "image_id": 1, "category_id": 1, **BOX, "keypoints": [12, 10, 2, 0, 0, 0], "metadata": {"score": 1}}
    image = {"id": 1, "file_name": "empty.jpg", "width": 64, "height": 48}
    file.write_text(json.dumps({"images": [image], "categories": [category], "annotations": [row]}))
    return file


def changed(file: Path, **changes: Any) -> Path:
    """The same file with a second object that differs."""
    coco = json.loads(file.read_text())
    coco["annotations"].append({**coco["annotations"][0], "id": 2, **changes})
    file.write_text(json.dumps(coco))
    return file


def test_push(server: Annotator, predictions: Path) -> None:
    result = send(server, predictions)
    assert (result.images, result.objects, result.lost, result.sent) == (1, 1, 0, True)
    assert result.findings == ()
    assert result.imported is not None
    assert (result.imported.completed, result.incomplete) == (True, False)
    stored = server.annotations[-1]
    assert (stored["image_id"], stored["category_id"]) == (255, 15)
    assert {key: stored[key] for key in BOX} == BOX
    assert stored["keypoints"] == [12, 10, 2, 0, 0, 0]
    assert stored["metadata"] == {}, "the importer drops it, so the docs must not promise a score"


def test_what_was_pulled_can_be_pushed(server: Annotator, tmp_path: Path) -> None:
    pulled = fetch(server, tmp_path).annotations
    before = len(server.annotations)
    result = send(server, pulled)
    assert result.objects == 3
    assert [finding.code for finding in result.findings] == ["upload-beside-others"]
    assert len(server.annotations) == before, "the importer knows equal objects again"


def test_a_dry_run_sends_nothing(server: Annotator, predictions: Path) -> None:
    result = send(server, changed(predictions, segmentation=[]), dry_run=True)
    assert (result.objects, result.lost, result.sent, result.imported) == (1, 1, False, None)
    assert [finding.code for finding in result.findings] == ["upload-box-lost"]
    assert not [line for line in server.log if line == "POST /api/dataset/3/coco"]


def test_loss_is_refused(server: Annotator, predictions: Path) -> None:
    message = r"1 of 2 objects would be lost; nothing was sent. First: predictions.json: annotations\[1\]: has a bbox"
    with pytest.raises(DataError, match=message):
        send(server, changed(predictions, segmentation=[]))
    assert len(server.annotations) == 3


def test_loss_is_borne_on_request(server: Annotator, predictions: Path) -> None:
    result = send(server, changed(predictions, segmentation=[]), partial=True)
    assert (result.objects, result.lost, result.incomplete) == (1, 1, True)
    assert len(server.annotations) == 4


def test_nothing_left(server: Annotator, predictions: Path) -> None:
    server.images[255]["file_name"] = "renamed.jpg"
    with pytest.raises(DataError, match=r"none of its 1 objects would be kept; nothing was sent. First: .*'empty.jpg'"):
        send(server, predictions, partial=True)


def test_another_order_of_keypoints(server: Annotator, predictions: Path) -> None:
    server.categories[15]["keypoint_labels"] = ["heel", "tip"]
    with pytest.raises(DataError, match=r"keypoints tip, heel; in coco-annotator heel, tip. Points go by their order"):
        send(server, predictions)


def test_keypoints_cannot_be_compared(server: Annotator, predictions: Path) -> None:
    server.users["bob"] = "s3cret"
    result = send(server, predictions, user="bob")
    assert [(f.code, f.severity) for f in result.findings] == [("upload-keypoints-unchecked", "warning")]
    assert result.objects == 1


def test_new_category(server: Annotator, predictions: Path) -> None:
    coco = json.loads(predictions.read_text())
    coco["categories"][0]["name"] = "tongs"
    predictions.write_text(json.dumps(coco))
    with pytest.raises(DataError, match="'tongs' is not a category of the data set"):
        send(server, predictions)
    result = send(server, predictions, new_categories=True)
    assert server.categories[17]["keypoint_labels"] == ["tip", "heel"]
    assert [(f.code, f.severity) for f in result.findings] == [
        ("upload-category-new", "info"),
        ("upload-importer", "warning"),
    ]


def test_an_importer_that_does_not_run(server: Annotator, predictions: Path) -> None:
    server.worker_runs = False
    result = send(server, predictions, wait=0.01)
    assert result.imported is not None
    assert not result.imported.completed
    assert [finding.code for finding in result.findings] == ["upload-unfinished"]
    assert send(server, predictions, wait=0).imported is None


def test_what_infer_writes_is_kept(server: Annotator, tmp_path: Path, engine: Engine) -> None:
    server.add_category("Patch", ("left", "right"))
    server.add_category("bolt2")
    server.datasets[0]["categories"] += [17, 18]
    server.categories[18]["name"] = "Bolt"
    for name in ("x.png", "y.png"):
        server.add_image(3, f"cam/{name}", patch_bytes())
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(patch_bytes())
    out = tmp_path / "out"
    infer(InferConfig(inputs=(str(tmp_path / "pictures"),), out=out, to_coco_annotator=True), engine=engine)
    result = send(server, out / "pre_annotations.json")
    assert (result.images, result.objects, result.lost, result.findings) == (2, 2, 0, ())
    stored = server.annotations[-1]
    assert (stored["category_id"], stored["bbox"], stored["isbbox"]) == (17, [40, 30, 50, 20], True)
    assert stored["keypoints"] == [40, 30, 2, 90, 30, 2]


def test_results_are_no_coco_file(server: Annotator, tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    file.write_text("[]")
    with pytest.raises(ConfigError, match=r"a list of COCO results; expected a COCO file .*--to-coco-annotator"):
        send(server, file)
    assert server.log == [], "found before the server is asked"


# --- the command line


@pytest.fixture
def command(server: Annotator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret")
    return ["--url", server.url, "--dataset", "pliers", "--user", "ann"]


def test_pull_command(command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["annotator", "pull", *command]) == 0
    out, err = capfd.readouterr()
    assert "dataset/annotations/pliers.json: 3 pictures with 3 objects." in out
    assert "dataset/images: 3 downloaded (0.0 MB), 0 were here, 0 missing." in out
    assert "Next: kpt-tools check dataset/annotations/pliers.json --images dataset/images" in out
    assert "s3cret" not in out + err


def test_pull_command_with_a_loss(command: list[str], server: Annotator, capfd: pytest.CaptureFixture[str]) -> None:
    server.images[253]["file_name"] = "/etc/passwd"
    assert run(["annotator", "pull", *command]) == 3
    out, err = capfd.readouterr()
    assert "error: image 253: file name '/etc/passwd' is an absolute path" in err
    assert "2 downloaded" in out


def test_push_command(command: list[str], predictions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["annotator", "push", str(predictions), *command, "--dry-run"]) == 0
    assert "Dry run: 1 objects on 1 pictures would be sent to 'pliers'. Nothing was sent." in capfd.readouterr().out
    assert run(["annotator", "push", str(predictions), *command]) == 0
    assert "'pliers': 1 objects on 1 pictures taken in." in capfd.readouterr().out


def test_the_password_is_in_no_file(command: list[str], server: Annotator, tmp_path: Path) -> None:
    assert run(["annotator", "pull", *command]) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 4
    assert not [path for path in written if b"s3cret" in path.read_bytes()]
    assert json.loads(server.bodies[0]) == {"username": "ann", "password": "s3cret"}


@pytest.mark.parametrize(
    ("arguments", "password", "code", "message"),
    [
        (
            ["--user", "ann", "--dataset", "plier"],
            "s3cret",
            2,
            "no data set 'plier' 'ann' can see; did you mean 'pliers'?",
        ),
        (["--user", "ann", "--dataset", "pliers"], "wrong", 2, "the login of 'ann' was refused"),
        (["--user", "ann", "--dataset", "pliers"], None, 2, "no password for 'ann'; set KPT_TOOLS_PASSWORD"),
        (["--dataset", "pliers"], None, 2, "not logged in (Authorization required). Give --user"),
        (["--user", "ann"], "s3cret", 2, "no data set given; name one with --dataset"),
        (["--dataset", "x", "--timeout", "0"], None, 2, "--timeout is 0.0; expected seconds"),
        (["--dataset", "x", "--url", "ftp://x"], None, 2, "--url ftp://x: expected an http or https address"),
        (["--dataset", "x", "--all-images", "--no-images"], None, 2, "exclude each other"),
        (["--dataset", "x", "--url", "http://127.0.0.1:9"], None, 5, "the connection was refused"),
    ],
)
def test_one_line_per_error(
    arguments: list[str],
    password: str | None,
    code: int,
    message: str,
    server: Annotator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    if password:
        monkeypatch.setenv(PASSWORD_VARIABLE, password)
    given = arguments if "--url" in arguments else [*arguments, "--url", server.url]
    assert run(["annotator", "pull", *given]) == code
    error = capfd.readouterr().err
    assert error.startswith("kpt-tools: error: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert tree(tmp_path) == []


def test_a_password_in_the_clear_is_told(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret")
    arguments = ["--url", "http://no-such-host.invalid", "--dataset", "x", "--user", "ann", "--timeout", "1"]
    assert run(["annotator", "pull", *arguments]) == 5
    assert "warning: http://no-such-host.invalid is not encrypted" in capfd.readouterr().err


def documented() -> list[str]:
    page = Path(__file__).parents[2] / "docs" / "annotator.md"
    return [line for line in page.read_text().splitlines() if line.startswith("kpt-tools annotator ")]


def test_documented_commands_are_there() -> None:
    assert len(documented()) >= 3


@pytest.mark.parametrize("line", documented())
def test_documented_commands_parse(line: str) -> None:
    _, _, name, *arguments = shlex.split(line)
    assert command_group.commands[name].make_context(name, arguments).params["dataset"] in ("pliers", "openfield")


@pytest.mark.parametrize("folder", ["kpt_tools/annotator", "kpt_tools/stages"])
def test_every_code_is_documented(folder: str) -> None:
    root = Path(__file__).parents[2]
    files = (root / folder).glob("annotator.py") if folder.endswith("stages") else (root / folder).glob("*.py")
    codes = {code for file in files for code in re.findall(r'"((?:upload|images?)-[a-z-]+)"', file.read_text())}
    page = (root / "docs" / "annotator.md").read_text()
    assert len(codes) > 3
    assert not {code for code in codes if f"`{code}`" not in page}
