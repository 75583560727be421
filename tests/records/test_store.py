from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from coco_factories import coco_dict, image_dict, many_dict, object_dict, write_project

from kpt_tools.annotations.coco import parse_coco, read_coco, stream_coco
from kpt_tools.entities import Dataset, Instance
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.object_store import IN_MEMORY_UP_TO, Database, Memory, ObjectStore, object_store
from kpt_tools.records.prepare import PreparePolicy, prepare_dataset
from kpt_tools.records.store import StoredDataset, stored

HUGE = 10**30


@pytest.fixture(params=[Memory, Database])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    return request.param()


def filled(store: ObjectStore, raw: dict) -> Dataset:
    dataset, _ = parse_coco(raw, "a.json")
    assert [store.add(instance) for instance in dataset.instances] == [None] * len(dataset.instances)
    return dataset


@pytest.mark.parametrize(("more", "kind"), [(0, Memory), (1, Database)])
def test_objects_of_a_small_json_are_in_memory(tmp_path: Path, more: int, kind: type[ObjectStore]) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as handle:
        handle.truncate(IN_MEMORY_UP_TO + more)
    assert type(object_store(path)) is kind
    assert type(object_store(tmp_path / "no.json")) is Database


def test_objects_come_back_by_image_in_file_order(store: ObjectStore) -> None:
    rows = [object_dict(n, image_id=1 + n % 2, bbox=[n, 8, 30, 20]) for n in (5, 3, 9, 4)]
    dataset = filled(store, coco_dict(images=[image_dict(1), image_dict(2), image_dict(3)], annotations=rows))
    found = StoredDataset(store, dataset).instances_of_image
    assert dict(found) == dict(dataset.instances_of_image)
    assert [instance.id for instance in found[2]] == [5, 3, 9]
    assert found[3] == ()
    assert store.num_objects == 4


def test_an_id_is_kept_once_and_its_image_told(store: ObjectStore) -> None:
    first = Instance(7, 70, 1, None)
    assert store.add(first) is None
    assert store.add(replace(first, image_id=71)) == 70
    assert store.objects_of(71) == ()
    assert store.num_objects == 1


@pytest.mark.parametrize("number", [HUGE, -HUGE, 0, 2**63, 2**63 - 1, -(2**63)])
def test_ids_are_any_whole_numbers(number: int, store: ObjectStore) -> None:
    instance = Instance(number, number, 1, (1.0, 2.0, 3.0, 4.0), 5.0, ((1.0, 2.0, 2),), True, ((1.0,) * 6,))
    assert store.add(instance) is None
    assert store.add(instance) == number
    assert store.objects_of(number) == (instance,)


def test_streaming_finds_what_reading_finds(tmp_path: Path, store: ObjectStore) -> None:
    raw = many_dict(5)
    raw["annotations"][1]["id"] = raw["annotations"][0]["id"]
    raw["annotations"][2]["keypoints"] = [1]
    raw["annotations"] += [None, object_dict(99, image_id=77)]
    path, _ = write_project(tmp_path, raw)
    lean, streamed = stream_coco(path, store.add)
    whole, read = read_coco(path)
    assert streamed.findings == read.findings
    assert len(read.findings) >= 4
    assert replace(whole, instances=()) == lean
    assert tuple(i for image in lean.images for i in store.objects_of(image.id)) == whole.instances


def test_samples_come_back_as_they_were(tmp_path: Path, store: ObjectStore) -> None:
    raw = many_dict(4)
    raw["images"][2]["file_name"] = "IMG3.JPG"
    _, images = write_project(tmp_path, raw)
    (images / "IMG3.JPG").rename(images / "img3.jpg")
    dataset = filled(store, raw)
    samples, _ = prepare_dataset(dataset, ImageFolder(images), PreparePolicy(max_side=32))
    kept = stored(store, dataset.images, images, [samples[0], None, *samples[2:]], 32)
    assert list(kept) == [samples[0], *samples[2:]]
    assert kept[1].image.file_name == "img3.jpg"
    assert list(kept.at([2, 0])) == [samples[3], samples[0]]
    assert kept.sources() == [sample.source for sample in kept]
    assert list(kept.stored_images()) == [sample.image for sample in kept]
    assert kept.file_names() == [sample.image.file_name for sample in kept]
    assert list(kept.sizes_wh()) == [(32, 24)] * 3
    assert kept.num_reduced() == 3
    assert kept.stored_bytes() == pytest.approx(sum(sample.num_bytes for sample in kept) / 4, abs=1)
