from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from exchange_factories import MOUSE, image, mice, mouse, workshop

from kpt_tools.annotations.formats.base import ReadOptions, WriteOptions
from kpt_tools.annotations.formats.deeplabcut import parse
from kpt_tools.annotations.formats.deeplabcut_files import read, table_files
from kpt_tools.annotations.formats.deeplabcut_write import write
from kpt_tools.entities import Category, Dataset, Report
from kpt_tools.errors import ConfigError, DataError

# First rows of DeepLabCut's own example, openfield-Pranav-2018-10-30: the path in one cell.
OLD = """\
scorer,Pranav,Pranav,Pranav,Pranav
bodyparts,snout,snout,leftear,leftear
coords,x,y,x,y
labeled-data/m4s1/img0000.png,21.52,265.43,33.82,265.94
labeled-data/m4s1/img0001.png,,,33.5,20
"""
# As DeepLabCut 2.2 and later write it: the path in three cells, individuals, unique body parts.
MULTI = """\
scorer,,,dan,dan,dan,dan,dan,dan
individuals,,,mus1,mus1,mus2,mus2,single,single
bodyparts,,,snout,snout,snout,snout,corner,corner
coords,,,x,y,x,y,x,y
labeled-data,v1,img1.png,1.5,2.5,3.5,4.5,7,8
labeled-data,v2,img1.png,,,3.25,4.25,,
"""


def parsed(text: str, options: ReadOptions | None = None) -> tuple[Dataset, Report]:
    return parse({"CollectedData_x.csv": text}, "project", options or ReadOptions(category="mouse"))


def test_genuine_single_animal_table() -> None:
    dataset, report = parsed(OLD)
    assert [row.file_name for row in dataset.images] == ["img0000.png", "img0001.png"]
    assert dataset.categories == (Category(1, "mouse", ("snout", "leftear")),)
    first, second = dataset.instances
    assert first.keypoints_xyv == ((21.52, 265.43, 2), (33.82, 265.94, 2))
    assert second.keypoints_xyv == ((0.0, 0.0, 0), (33.5, 20.0, 2))
    assert first.box_xywh_px is None
    assert report.counts() == {}


def test_genuine_multi_animal_table() -> None:
    dataset, report = parsed(MULTI)
    assert [row.file_name for row in dataset.images] == ["v1/img1.png", "v2/img1.png"], "two videos"
    assert [(row.name, row.keypoints) for row in dataset.categories] == [("mouse", ("snout",)), ("single", ("corner",))]
    assert [(row.image_id, row.category_id, row.keypoints_xyv) for row in dataset.instances] == [
        (1, 1, ((1.5, 2.5, 2),)),
        (1, 1, ((3.5, 4.5, 2),)),
        (1, 2, ((7.0, 8.0, 2),)),
        (2, 1, ((3.25, 4.25, 2),)),
    ]
    assert report.counts() == {}


def test_a_class_is_taken_from_classes_or_assumed() -> None:
    given = (Category(8, "mouse", ("leftear", "snout", "tail")), Category(9, "cat", ("nose",)))
    dataset, _ = parsed(OLD, ReadOptions(given))
    assert dataset.instances[0].category_id == 8
    assert dataset.instances[0].keypoints_xyv == ((33.82, 265.94, 2), (21.52, 265.43, 2), (0.0, 0.0, 0))
    dataset, report = parsed(OLD, ReadOptions())
    assert dataset.categories[0].name == "object"
    assert report.counts() == {"class-assumed": 1}
    with pytest.raises(DataError, match=r"body parts are snout, leftear; 0 classes of --classes have them all"):
        parsed(OLD, ReadOptions(given[1:]))


def test_an_image_without_a_point_has_no_object() -> None:
    dataset, _ = parsed(OLD + "labeled-data/m4s1/img0002.png,,,NaN,nan\n")
    assert (len(dataset.images), len(dataset.instances)) == (3, 2)


@pytest.mark.parametrize(("cells", "place"), [("a,2", "'a', '2'"), ("1,", "'1', ''"), ("inf,2", "inf, 2.0")])
def test_bad_cells_are_told(cells: str, place: str) -> None:
    dataset, report = parsed(OLD + f"labeled-data/m4s1/img0002.png,{cells},5,6\n")
    assert dataset.instances[2].num_labelled == 1
    assert report.counts() == {"label-invalid": 1}
    assert f"line 6: 'snout' is at {place}" in report.findings[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first rows are nothing"),
        ("a,b\n1,2\n", "its first rows are a, 1; expected scorer, bodyparts, coords"),
        (OLD.replace("coords,x,y", "coords,x,y").replace("coords,x,y,x,y", "coords,x,y,likelihood,x"), "predictions"),
        (OLD.replace("coords,x,y,x,y", "coords,y,x,y,x"), "expected x, y for each body part"),
        (OLD.replace("coords,x,y,x,y", "coords,,,,"), "expected x, y for each body part"),
    ],
    ids=["empty", "other", "likelihood", "swapped", "no axes"],
)
def test_what_is_no_table(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parsed(text)


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(OLD)
    return folder


def test_which_tables_a_folder_means(tmp_path: Path) -> None:
    a, b = "labeled-data/a/CollectedData_x", "labeled-data/b/CollectedData_x"
    project = put(tmp_path, f"{a}.csv", f"{a}.h5", f"{b}.h5", "CollectedData_old.csv")
    assert table_files(project) == [tmp_path / f"{a}.csv", tmp_path / f"{b}.h5"]
    assert table_files(project / "labeled-data" / "a") == [tmp_path / f"{a}.csv"]
    put(tmp_path, "labeled-data/a/CollectedData_y.csv")
    with pytest.raises(ConfigError, match=r"labelled by several .CollectedData_x, CollectedData_y."):
        table_files(project)
    with pytest.raises(ConfigError, match="no CollectedData_"):
        table_files(put(tmp_path / "empty", "other.csv"))


def test_a_file_that_is_no_hdf5(tmp_path: Path) -> None:
    pytest.importorskip("tables", reason="HDF5 needs the extra 'formats'")
    with pytest.raises(DataError, match="not a table of pandas"):
        read(put(tmp_path, "CollectedData_x.h5") / "CollectedData_x.h5", ReadOptions())


def test_written_table() -> None:
    written = write(mice(), WriteOptions(scorer="ann", folder="v1"))
    assert str(written.files["labeled-data/v1/CollectedData_ann.csv"]).splitlines() == [
        "scorer,,,ann,ann,ann,ann,ann,ann,ann,ann",
        "bodyparts,,,snout,snout,left_ear,left_ear,right_ear,right_ear,tail,tail",
        "coords,,,x,y,x,y,x,y,x,y",
        "labeled-data,v1,img1.jpg,12.5,10.25,20.0,14.0,,,36.75,28.5",
        "labeled-data,v1,img2.jpg,12.5,10.25,20.0,14.0,,,36.75,28.5",
        "labeled-data,v1,img3.jpg,,,,,,,,",
    ]
    assert written.images[1] == "labeled-data/v1/img1.jpg"


def test_one_class_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"DeepLabCut holds one class; classes with keypoints: mouse, bolt. Choose"):
        write(workshop(), WriteOptions(scorer="ann"))
    with pytest.raises(ConfigError, match="--category 'cat' is not there"):
        write(workshop(), WriteOptions(scorer="ann", category="cat"))
    only_mice = replace_instances(workshop(), tuple(row for row in workshop().instances if row.category_id == MOUSE.id))
    written = write(only_mice, WriteOptions(scorer="ann"))
    assert [row.code for row in written.findings].count("object-inexpressible") == 0, "classes without objects"


def replace_instances(dataset: Dataset, instances: tuple[object, ...]) -> Dataset:
    return Dataset(dataset.images, dataset.categories, instances, dataset.source)  # type: ignore[arg-type]


def test_objects_that_cannot_be_written_are_told() -> None:
    empty = replace(mouse(12), keypoints_xyv=())
    dataset = Dataset((image(),), (MOUSE,), (mouse(), empty), "")
    (told,) = [row for row in write(dataset, WriteOptions(scorer="a")).findings if row.code == "object-inexpressible"]
    assert told.annotation_id == 12
    assert "no labelled points" in told.message


def test_two_images_in_one_place_are_refused() -> None:
    images = (image(1, "a/b/x.png"), image(2, "a_b/x.png"))
    with pytest.raises(DataError, match=r"'a/b/x.png' would have the same place labeled-data/a_b/x.png"):
        write(Dataset(images, (MOUSE,), (), ""), WriteOptions(scorer="a"))


def test_no_keypoints_at_all() -> None:
    dataset = Dataset((image(),), (Category(1, "nut"),), (), "nuts.json")
    with pytest.raises(DataError, match=r"nuts.json: no class has keypoints"):
        write(dataset, WriteOptions(scorer="a"))
