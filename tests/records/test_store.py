from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from coco_factories import coco_dict, image_dict, many_dict, object_dict, write_project

from kpt_tools.annotations.coco import parse_coco, read_coco, stream_coco
from kpt_tools.entities import Dataset, Instance
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.prepare import PreparePolicy, prepare_dataset
from kpt_tools.records.store import Database, StoredDataset, stored

HUGE = 10**30


def filled(raw: dict) -> tuple[Database, Dataset]:
    database = Database()
    dataset, _ = parse_coco(raw, "a.json")
    assert [database.add(instance) for instance in dataset.instances] == [None] * len(dataset.instances)
    return database, dataset


def test_objects_come_back_by_image_in_file_order() -> None:
    rows = [object_dict(n, image_id=1 + n % 2, bbox=[n, 8, 30, 20]) for n in (5, 3, 9, 4)]
    database, dataset = filled(coco_dict(images=[image_dict(1), image_dict(2), image_dict(3)], annotations=rows))
    found = StoredDataset(database, dataset).instances_of_image
    assert dict(found) == dict(dataset.instances_of_image)
    assert [instance.id for instance in found[2]] == [5, 3, 9]
    assert found[3] == ()
    assert database.num_objects == 4


def test_an_id_is_kept_once_and_its_image_told() -> None:
    database = Database()
    first = Instance(7, 70, 1, None)
    assert database.add(first) is None
    assert database.add(replace(first, image_id=71)) == 70
    assert database.objects_of(71) == ()
    assert database.num_objects == 1


@pytest.mark.parametrize("number", [HUGE, -HUGE, 0, 2**63, 2**63 - 1, -(2**63)])
def test_ids_are_any_whole_numbers(number: int) -> None:
    database = Database()
    instance = Instance(number, number, 1, (1.0, 2.0, 3.0, 4.0), 5.0, ((1.0, 2.0, 2),), True, ((1.0,) * 6,))
    assert database.add(instance) is None
    assert database.add(instance) == number
    assert database.objects_of(number) == (instance,)


def test_streaming_finds_what_reading_finds(tmp_path: Path) -> None:
    raw = many_dict(5)
    raw["annotations"][1]["id"] = raw["annotations"][0]["id"]
    raw["annotations"][2]["keypoints"] = [1]
    raw["annotations"] += [None, object_dict(99, image_id=77)]
    path, _ = write_project(tmp_path, raw)
    database = Database()
    lean, streamed = stream_coco(path, database.add)
    whole, read = read_coco(path)
    assert streamed.findings == read.findings
    assert len(read.findings) >= 4
    assert replace(whole, instances=()) == lean
    assert tuple(i for image in lean.images for i in database.objects_of(image.id)) == whole.instances


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    raw = many_dict(4)
    raw["images"][2]["file_name"] = "IMG3.JPG"
    _, images = write_project(tmp_path, raw)
    (images / "IMG3.JPG").rename(images / "img3.jpg")
    database, dataset = filled(raw)
    samples, _ = prepare_dataset(dataset, ImageFolder(images), PreparePolicy(max_side=32))
    kept = stored(database, dataset.images, images, [samples[0], None, *samples[2:]], 32)
    assert list(kept) == [samples[0], *samples[2:]]
    assert kept[1].image.file_name == "img3.jpg"
    assert list(kept.at([2, 0])) == [samples[3], samples[0]]
    assert kept.sources() == [sample.source for sample in kept]
    assert list(kept.stored_images()) == [sample.image for sample in kept]
    assert kept.file_names() == [sample.image.file_name for sample in kept]
    assert list(kept.sizes_wh()) == [(32, 24)] * 3
    assert kept.num_reduced() == 3
    assert kept.stored_bytes() == pytest.approx(sum(sample.num_bytes for sample in kept) / 4, abs=1)
