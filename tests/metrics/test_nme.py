"""NME by hand-made distances."""

import numpy as np
import pytest

from kpt_tools.metrics.nme import nme_of_objects, pair_norms, summarise_nme


def test_nme_is_the_mean_distance_by_the_norm() -> None:
    pixels = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, np.nan]])
    assert nme_of_objects(pixels, np.array([20.0, 40.0])) == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("pixels", "norm"), [([[np.nan, np.nan]], 5.0), ([[1.0, 1.0]], np.nan), ([[1.0, 1.0]], 0.0)], ids=str
)
def test_without_points_or_norm_there_is_none(pixels, norm) -> None:
    assert np.isnan(nme_of_objects(np.array(pixels), np.array([norm]))).all()


def test_the_norm_is_the_distance_of_two_labelled_points() -> None:
    truth = [[(0, 0, 2), (3, 4, 1), (9, 9, 2)], [(0, 0, 0), (3, 4, 2), (9, 9, 2)]]
    found = pair_norms(truth, (0, 1))
    assert found[0] == 5
    assert np.isnan(found[1])


def test_summary() -> None:
    found = summarise_nme(np.array([0.02, 0.04, 0.3, np.nan]))
    assert (found.objects, found.failures) == (3, pytest.approx(1 / 3))
    assert found.mean == pytest.approx(0.12)
    assert found.median == pytest.approx(0.04)
    assert found.to_dict()["objects"] == 3


def test_an_exact_limit_is_no_failure() -> None:
    assert summarise_nme(np.array([0.1])).failures == 0
    assert summarise_nme(np.array([np.nan])).mean is None
