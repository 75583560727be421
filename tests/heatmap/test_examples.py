"""Training examples: picture, target and points agree, whatever was changed."""

import numpy as np
import pytest

from kpt_tools.heatmap.augment import AugmentPolicy
from kpt_tools.heatmap.decode import decode_maps, maps_of_simcc
from kpt_tools.heatmap.examples import Patch, patch_box, plain_example, target_of, training_example
from kpt_tools.heatmap.geometry import scale_and_shift
from tests.heatmap_factories import draw_cat, nine_points, spec

POLICY = AugmentPolicy(shift=0.1, zoom=0.2, flip=0.5, rotate_deg=20.0, colour=0.2)
PAIRS = ((0, 1),)


def patch(seed: int = 0, **changes: object) -> Patch:
    rng = np.random.default_rng(seed)
    points = nine_points(rng, 96, 72)
    values: dict[str, object] = {
        "name": "a.jpg",
        "object_id": 1,
        "image": np.asarray(draw_cat(rng, points, 96, 72)),
        "points": np.array(points[:3], float),
        "box_xywh_px": (20.0, 10.0, 40.0, 40.0),
        "to_picture": scale_and_shift(1, 1, 0, 0),
        "picture_wh": (96, 72),
    }
    return Patch(**{**values, **changes})  # type: ignore[arg-type]


def spots(image: np.ndarray) -> list[np.ndarray]:
    """Middles of the red, blue and yellow spots."""
    r, g, b = image.astype(int).transpose(2, 0, 1)
    masks = ((r > 170) & (g < 110) & (b < 110), (b > 170) & (r < 110), (r > 170) & (g > 160) & (b < 120))
    return [np.array(np.nonzero(mask)).mean(axis=1)[::-1] + 0.5 for mask in masks]


@pytest.mark.parametrize("region", ["whole", "points", "both", "document"])
@pytest.mark.parametrize("seed", range(4))
def test_points_lie_on_their_spots_after_every_change(region: str, seed: int) -> None:
    """A mirror image exchanges the names of the eyes, so the left eye of it is the blue spot."""
    own = spec(region=region, output_px=64)
    policy = AugmentPolicy(shift=0.1, zoom=0.2, flip=float(seed % 2), rotate_deg=10.0)
    example = training_example(patch(seed), own, policy, PAIRS, np.random.default_rng(seed))
    red, blue, yellow = spots(example.image)
    expected = [blue, red, yellow] if seed % 2 else [red, blue, yellow]
    assert example.weights.tolist() == [1, 1, 1]
    assert example.points * 64 == pytest.approx(np.array(expected), abs=1.6)
    found, _ = decode_maps(example.target, 64, "around-peak")
    assert found == pytest.approx(example.points * 64, abs=1.2)


def test_the_same_state_gives_the_same_example() -> None:
    first, second = (training_example(patch(), spec(), POLICY, PAIRS, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.target, second.target)


def test_a_point_outside_the_view_or_not_labelled_has_no_weight_and_no_target() -> None:
    points = np.array([[5.0, 5.0], [np.nan, np.nan], [400.0, 20.0]])
    example = plain_example(patch(points=points), spec())
    assert example.weights.tolist() == [1, 0, 0]
    assert example.points[1:].tolist() == [[0, 0], [0, 0]]
    assert example.target[..., 0].max() > 0.5
    assert example.target[..., 1:].max() == 0


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        pytest.param({"target": "gaussian"}, (16, 16, 3), id="gaussian"),
        pytest.param({"target": "circle"}, (16, 16, 3), id="circle"),
        pytest.param({"target": "softargmax"}, (16, 16, 3), id="softargmax"),
        pytest.param({"target": "simcc", "output_px": 128}, (3, 2, 128), id="simcc"),
        pytest.param({"target": "points", "output_px": 0}, (0,), id="points"),
    ],
)
def test_targets_have_their_shapes(changes, shape) -> None:
    target = target_of(np.array([[20.0, 20], [40, 20], [30, 40]]), spec(**changes))
    assert target.shape == shape
    assert target.dtype == np.float32
    if changes["target"] == "softargmax":
        assert target.sum() == pytest.approx(3)


def test_a_simcc_target_decodes_to_its_points() -> None:
    points = np.array([[20.2, 20.9], [40.1, 22.0], [30.0, 44.4]])
    own = spec(target="simcc", output_px=128, sigma=4.0)
    assert decode_maps(maps_of_simcc(target_of(points, own)), 64, "taylor")[0] == pytest.approx(points, abs=0.05)


def test_both_shows_crops_wholes_and_what_lies_between() -> None:
    """The distance of the eyes in the view tells how closely it was looked."""
    own = spec(region="both")
    rng = np.random.default_rng(0)
    eyes = []
    for _ in range(200):
        points = training_example(patch(), own, AugmentPolicy(), (), rng).points
        eyes.append(round(float(np.hypot(*(points[0] - points[1]))), 3))
    whole, crop = min(eyes), max(eyes)
    assert 0.2 < eyes.count(whole) / 200 < 0.42
    assert 0.35 < eyes.count(crop) / 200 < 0.55
    assert 0.1 < sum(whole < each < crop for each in eyes) / 200 < 0.4


def test_the_box_is_used_only_where_whole_means_box() -> None:
    assert patch_box(patch(), spec(whole="box")) == (20, 10, 40, 40)
    assert patch_box(patch(), spec()) is None
