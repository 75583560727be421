"""Models of the zoo as --model: found by name, unpacked beside their archive, described from their config."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from zoo_factories import HOURGLASS, MOBILE, odd_member, zoo_archive, zoo_folder

from kpt_tools.config.infer import InferConfig
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.entities import Category, Dataset, Detection, ModelMetadata, Prediction
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.pipeline.coco_classes import PERSON_SIGMAS, PERSON_SKELETON, is_zoo, person_label_map, zoo_label_map
from kpt_tools.pipeline.label_map import format_label_map, read_label_map
from kpt_tools.stages.class_match import match_classes
from kpt_tools.stages.model_folder import exported_model, results_folder
from kpt_tools.stages.pre_annotations import PreAnnotations
from kpt_tools.stages.zoo_model import describe, folder_name, located, unpacked

MOBILE_FOLDER = "centernet_mobilenetv2_fpn_kpts"
POINTS = [keypoint.label for keypoint in person_label_map().items[0].keypoints]


def stds(labels: list[str]) -> str:
    return " ".join(f'keypoint_label_to_std {{ key: "{label}" value: 0.5 }}' for label in labels)


def config_of(classes: int, *, task: str | None = "/m/01g317", labels: list[str] = POINTS, more: str = "") -> str:
    """A pipeline.config as short as it can be."""
    pose = f'keypoint_estimation_task {{ task_name: "human_pose" keypoint_class_name: "{task}" {stds(labels)} }}'
    return (
        f"model {{ center_net {{ num_classes: {classes} {pose if task else ''} "
        f"image_resizer {{ keep_aspect_ratio_resizer {{ max_dimension: 512 }} }} }} }} {more}"
    )


def model_folder(parent: Path, config: str, name: str = "model") -> Path:
    folder = parent / name
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"x")
    (folder / "pipeline.config").write_text(config)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pretrained_models").mkdir()
    return tmp_path


class Told(list[dict[str, object]]):
    """Events, as a listener gets them."""

    def __call__(self, event: dict[str, object]) -> None:
        self.append(event)

    @property
    def notes(self) -> list[object]:
        return [event["text"] for event in self if event["kind"] == "note"]


@pytest.mark.parametrize("name", [MOBILE, MOBILE_FOLDER, f"{MOBILE}.tar.gz"])
@pytest.mark.parametrize("what", [MOBILE_FOLDER, f"{MOBILE}.tar.gz"])
def test_a_name_stands_for_folder_or_archive(project: Path, name: str, what: str) -> None:
    place = Path("pretrained_models") / what
    place.touch()
    assert located(Path(name)) == place


def test_paths_and_other_names_stay_as_they_are(project: Path) -> None:
    (project / "mine").mkdir()
    (project / "pretrained_models" / "movenet_lightning").mkdir()
    for model in (Path("mine"), Path("gone"), Path("runs/train"), Path(f"gone/{MOBILE}")):
        assert located(model) == model
    assert located(Path("movenet_lightning")) == Path("pretrained_models/movenet_lightning")


def test_a_zoo_model_that_is_not_here(project: Path) -> None:
    with pytest.raises(ConfigError, match=f"is not in pretrained_models. Run: kpt-tools fetch {MOBILE}"):
        located(Path(MOBILE_FOLDER))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        pytest.param(f"a/{MOBILE}.tar.gz", MOBILE_FOLDER, id="the-zoos-folder"),
        pytest.param(f"a/{HOURGLASS}.tgz", HOURGLASS, id="tgz"),
        pytest.param("a/mine.tar.gz", "mine", id="another"),
        pytest.param("a/b.c", "b.c", id="folder"),
    ],
)
def test_folder_of_an_archive(model: str, name: str) -> None:
    assert folder_name(Path(model)) == name


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    archive = tmp_path / f"{MOBILE}.tar.gz"
    archive.write_bytes(zoo_archive(MOBILE))
    told = Told()
    folder = unpacked(archive, told)
    assert folder == tmp_path / MOBILE_FOLDER
    assert (folder / "saved_model" / "saved_model.pb").is_file()
    assert told.notes == [f"{archive} unpacked to {folder}, which will be used from now on."]
    before = (folder / "pipeline.config").stat().st_mtime_ns
    again = Told()
    assert unpacked(archive, again) == folder
    assert again.notes == []
    assert (folder / "pipeline.config").stat().st_mtime_ns == before


def test_something_else_in_the_way_is_left_alone(tmp_path: Path) -> None:
    archive = tmp_path / f"{HOURGLASS}.tar.gz"
    archive.write_bytes(zoo_archive(HOURGLASS))
    zoo_folder(tmp_path, HOURGLASS)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=f"{HOURGLASS}: is there, and is not what {HOURGLASS}.tar.gz holds"):
        unpacked(archive, Told())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("data", "match"),
    [
        pytest.param(b"<html>", "it starts with b'<html>', which no gzip file does", id="web-page"),
        pytest.param(zoo_archive(HOURGLASS)[:-900], "damaged or cut off", id="cut-off"),
        pytest.param(
            zoo_archive(HOURGLASS, odd_member("../evil", tarfile.REGTYPE)), "points out of the folder", id="escape"
        ),
        pytest.param(
            zoo_archive(HOURGLASS, odd_member(f"{HOURGLASS}/link", tarfile.SYMTYPE, "/etc")),
            "a symbolic link",
            id="link",
        ),
        pytest.param(zoo_archive(HOURGLASS, drop="pipeline.config"), "0 folders have a pipeline.config", id="other"),
    ],
)
def test_a_bad_archive_leaves_nothing(tmp_path: Path, data: bytes, match: str) -> None:
    archive = tmp_path / f"{HOURGLASS}.tar.gz"
    archive.write_bytes(data)
    with pytest.raises(DataError, match=match):
        exported_model(archive)
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.odapi
@pytest.mark.parametrize(
    ("config", "classes", "points"),
    [
        pytest.param(config_of(90), 90, 17, id="coco-with-people"),
        pytest.param(config_of(90, task=None), 90, 0, id="coco-boxes"),
        pytest.param(config_of(1), 1, 17, id="people"),
        pytest.param(config_of(1, task="person"), 1, 17, id="people-by-their-plain-name"),
    ],
)
def test_described_from_the_config(tmp_path: Path, config: str, classes: int, points: int) -> None:
    folder = model_folder(tmp_path, config)
    told = Told()
    assert exported_model(folder, told) == folder
    metadata = read_metadata(folder)
    assert (len(metadata.label_map.items), metadata.label_map.num_keypoints) == (classes, points)
    assert read_label_map(folder / "label_map.pbtxt") == metadata.label_map
    assert is_zoo(metadata.label_map) == (classes == 90)
    assert metadata.sigmas == (PERSON_SIGMAS if points else ())
    assert metadata.skeleton == (PERSON_SKELETON if points else ())
    assert len(metadata.flip_pairs) == (8 if points else 0)
    assert metadata.input_hw == (512, 512)
    (note,) = told.notes
    assert f"label_map.pbtxt and kpt_tools.json written: {'90 classes' if classes == 90 else repr('person')}" in str(
        note
    )
    again = Told()
    exported_model(folder, again)
    assert again == []


@pytest.mark.odapi
def test_what_the_config_says_counts(tmp_path: Path) -> None:
    metric = 'parameterized_metric { coco_keypoint_metrics { class_label: "person" '
    metric += 'keypoint_label_to_sigmas { key: "nose" value: 0.25 } } }'
    more = f"eval_config {{ keypoint_edge {{ start: 3 end: 4 }} {metric} }}"
    folder = model_folder(tmp_path, config_of(1, more=more))
    describe(folder, Told())
    metadata = read_metadata(folder)
    assert metadata.skeleton == ((3, 4),)
    assert metadata.sigmas == (0.25, *[0.05] * 16)


@pytest.mark.odapi
def test_a_label_map_beside_the_config_counts(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, config_of(2, task=None))
    (folder / "label_map.pbtxt").write_text('item { id: 1 name: "cup" }\nitem { id: 2 name: "can" }\n')
    describe(folder, Told())
    assert [item.name for item in read_metadata(folder).label_map.items] == ["cup", "can"]
    assert (folder / "label_map.pbtxt").read_text().startswith('item { id: 1 name: "cup" }')


@pytest.mark.odapi
@pytest.mark.parametrize(
    ("config", "match"),
    [
        pytest.param(
            config_of(5, task=None), "5 classes, keypoints of none; expected COCO's 90 .*label_map.pbtxt", id="5"
        ),
        pytest.param(config_of(1, task=None), "1 classes, keypoints of none", id="one-without-name"),
        pytest.param(config_of(1, task="dog"), "1 classes, keypoints of 'dog'", id="dog"),
        pytest.param(config_of(90, labels=POINTS[:-1]), "90 classes, keypoints of '/m/01g317'", id="16-points"),
        pytest.param("model { ssd { } }", "its model is 'ssd', expected center_net", id="ssd"),
        pytest.param("<html>", "not a pipeline.config", id="damaged"),
    ],
)
def test_unknown_names_are_not_invented(tmp_path: Path, config: str, match: str) -> None:
    folder = model_folder(tmp_path, config)
    before = sorted(folder.rglob("*"))
    with pytest.raises(ConfigError, match=match):
        exported_model(folder)
    assert sorted(folder.rglob("*")) == before


def test_classes_of_a_zoo_model_are_matched_as_far_as_they_go() -> None:
    coco = zoo_label_map()
    people = Category(7, "person", tuple(POINTS))
    categories = (people, Category(3, "dog"), Category(4, "badger"))
    assert match_classes(Dataset((), categories, ()), coco, "x") == {7: coco.items[0], 3: coco.items[17]}
    boxes = match_classes(Dataset((), (Category(7, "person"),), ()), coco, "x")
    assert (boxes[7].id, boxes[7].keypoints) == (1, ())
    with pytest.raises(ConfigError, match="has the class 'Person' where the model has 'person'; case counts"):
        match_classes(Dataset((), (Category(7, "Person"),), ()), coco, "x")
    with pytest.raises(ConfigError, match="x: has no class 'person', which the model detects"):
        match_classes(Dataset((), (Category(7, "badger"),), ()), coco, "x")


def test_where_results_go(project: Path) -> None:
    models = project / "pretrained_models"
    zoo_folder(models, HOURGLASS)
    (project / "elsewhere").mkdir()
    archive = project / "elsewhere" / f"{MOBILE}.tar.gz"
    archive.touch()
    (project / "elsewhere" / "export").mkdir()
    assert results_folder(Path("pretrained_models") / HOURGLASS, "eval") == Path("runs") / HOURGLASS / "eval"
    assert results_folder(archive, "eval") == Path("runs") / MOBILE_FOLDER / "eval"
    assert results_folder(Path("elsewhere/export"), "eval") == project / "elsewhere" / "eval"


@pytest.mark.odapi
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, config_of(1))
    folder.chmod(0o555)
    with pytest.raises(ConfigError, match=r"label_map\.pbtxt: cannot be written"):
        exported_model(folder)


@pytest.mark.odapi
def test_transfer_knows_the_names_described_or_not(tmp_path: Path) -> None:
    from kpt_tools.odapi.transfer_names import read_source

    folder = model_folder(tmp_path, config_of(90))
    bare = read_source(folder / "checkpoint" / "ckpt-0")
    describe(folder, Told())
    named = read_source(folder / "checkpoint" / "ckpt-0")
    assert named == bare
    assert named is not None
    assert named.tasks[0].keypoints == tuple(POINTS)
    assert named.classes is not None
    assert (named.classes[0], named.classes[19]) == ("person", "sheep")


def test_the_shipped_label_map_is_the_one_that_is_written(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[2] / "label_maps" / "coco_zoo.pbtxt", tmp_path / "coco.pbtxt")
    assert read_label_map(tmp_path / "coco.pbtxt") == zoo_label_map()
    assert format_label_map(zoo_label_map()) in (tmp_path / "coco.pbtxt").read_text()


def test_pre_annotations_have_the_classes_of_the_annotations(tmp_path: Path) -> None:
    picture = tmp_path / "1.png"
    Image.new("RGB", (40, 30)).save(picture)
    category = {"id": 7, "name": "person", "keypoints": POINTS, "skeleton": []}
    image = {"id": 3, "file_name": "1.png", "width": 40, "height": 30}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"images": [image], "categories": [category], "annotations": []}))
    person = Detection(1, "person", 0.9, (1, 1, 20, 20), tuple((2.0, 2.0, 0.9) for _ in POINTS))
    dog = Detection(18, "dog", 0.9, (1, 1, 20, 20))
    config = InferConfig((str(picture),), out=tmp_path / "out", annotations=truth, to_coco_annotator=True)
    collected = PreAnnotations(config, ModelMetadata(zoo_label_map()))
    collected.add(picture, Prediction("1.png", 40, 30, (dog, person)), 3)
    dataset = collected.dataset()
    assert [category.name for category in dataset.categories] == ["person"]
    assert [instance.category_id for instance in dataset.instances] == [7]
