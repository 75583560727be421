from __future__ import annotations

from typing import Any

import pytest
from coco_factories import category_dict, coco_dict, image_dict, object_dict

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.annotations.statistics import DatasetStatistics, Spread, spread_of, statistics_of


def statistics(**changes: Any) -> DatasetStatistics:
    return statistics_of(parse_coco(coco_dict(**changes), "a.json")[0])


def test_everything_is_counted() -> None:
    found = statistics(
        images=[image_dict(1), image_dict(2), image_dict(3, width=100)],
        categories=[category_dict(7), category_dict(8, name="bolt", keypoints=None)],
        annotations=[
            object_dict(1),
            object_dict(2, image_id=1, keypoints=[1, 1, 2, 0, 0, 0]),
            object_dict(3, image_id=3, bbox=[0, 0, 40, 40], keypoints=[], iscrowd=1),
            object_dict(4, image_id=3, category_id=8, bbox=[]),
        ],
    )
    assert (found.images, found.without_objects, found.objects) == (3, 1, 4)
    assert found.objects_per_image == {0: 1, 2: 2}
    assert found.image_sizes == {(64, 48): 2, (100, 48): 1}
    plier, bolt = found.classes
    assert (plier.objects, plier.images, plier.with_box, plier.with_keypoints, plier.crowds) == (3, 2, 3, 2, 1)
    assert plier.sizes == (2, 1, 0)
    assert [(k.visible, k.hidden, k.unlabelled) for k in plier.keypoints] == [(2, 0, 0), (0, 1, 1)]
    assert [k.labelled_share for k in plier.keypoints] == [1.0, 0.5]
    assert (bolt.objects, bolt.with_box, bolt.side_px, bolt.keypoints) == (1, 0, None, ())


def test_json_form() -> None:
    found = statistics().to_dict()
    assert found["image_sizes"] == {"64x48": 1}
    assert found["classes"][0]["side_px"]["median"] == 24.49


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([3], Spread(3, 3, 3, 3, 3)),
        (list(range(101)), Spread(0, 5, 50, 95, 100)),
        ([9, 1], Spread(1, 1, 1, 9, 9)),
    ],
)
def test_spread(values: list[float], expected: Spread | None) -> None:
    assert spread_of(values) == expected


def test_an_empty_file() -> None:
    found = statistics(images=[], categories=[], annotations=[])
    assert (found.images, found.objects, found.classes) == (0, 0, ())
