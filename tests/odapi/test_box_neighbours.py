"""Boxes that nine cells learn and say together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.odapi import compat
from kpt_tools.odapi.box_neighbours import WEIGHT, average_boxes, is_marked, mark, spread, supervise

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def activated() -> None:
    compat.activate()


def assigner(stride: int = 4) -> Any:
    from object_detection.core.target_assigner import CenterNetBoxTargetAssigner

    return CenterNetBoxTargetAssigner(stride)


class Marked:
    """What `mark` needs of a model, with boxes that all cells agree on."""

    def __new__(cls, **attributes: Any) -> Any:
        import tensorflow as tf

        module = tf.Module()
        for name, value in attributes.items():
            setattr(module, name, value)
        return module


def pointing_at(y: float, x: float, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Offsets of all cells to one place."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.stack([y - rows, x - columns], axis=-1)[np.newaxis]


def test_nine_cells_point_at_one_centre() -> None:
    import tensorflow as tf

    boxes = tf.constant([[0.25, 0.25, 0.5, 0.75], [0.0, 0.0, 0.1, 0.1]])  # y1, x1, y2, x2
    targets = assigner().assign_size_and_offset_targets(64, 96, [boxes], [tf.constant([1.0, 0.5])])
    indices, sizes, offsets, weights = (value.numpy() for value in spread(targets, tf.constant([16, 24])))
    assert indices.shape == (18, 3)
    centres = indices[:, 1:] + offsets
    np.testing.assert_allclose(centres[:9], [[6.0, 12.0]] * 9, atol=1e-5)
    assert {tuple(row) for row in indices[:9, 1:]} == {(y, x) for y in (5, 6, 7) for x in (11, 12, 13)}
    np.testing.assert_allclose(sizes[:9], [[4.0, 12.0]] * 9, rtol=1e-5)
    np.testing.assert_allclose(weights[:9], WEIGHT / 9)
    # The second centre, (0.8, 1.2), lies in the first row: the three cells above it are outside.
    inside = weights[9:] > 0
    assert inside.sum() == 6
    np.testing.assert_allclose(weights[9:][inside], 0.5 * WEIGHT / 9)
    np.testing.assert_allclose(centres[9:][inside], [[0.8, 1.2]] * 6, atol=1e-5)
    assert (indices >= 0).all()
    assert (indices[:, 1] < 16).all()
    assert (indices[:, 2] < 24).all()


def test_no_box() -> None:
    import tensorflow as tf

    targets = assigner().assign_size_and_offset_targets(64, 96, [tf.zeros([0, 4])], [tf.zeros([0])])
    assert [value.shape[0] for value in spread(targets, tf.constant([16, 24]))] == [0, 0, 0, 0]


def test_the_loss_sees_them() -> None:
    """A wrong size beside the centre's cell costs nothing in the OD API, and something here."""
    import tensorflow as tf

    own = assigner()
    model = Marked(_target_assigner_dict={"detection_task": own})
    before = own.assign_size_and_offset_targets(64, 96, [tf.constant([[0.25, 0.25, 0.5, 0.75]])])
    supervise(model)
    after = own.assign_size_and_offset_targets(
        height=64, width=96, gt_boxes_list=[tf.constant([[0.25, 0.25, 0.5, 0.75]])]
    )
    assert (before[0].shape[0], after[0].shape[0]) == (1, 9)
    assert int(model.box_cells.numpy()) == 9


def test_a_model_without_boxes_is_left_alone() -> None:
    model = Marked(_target_assigner_dict={})
    supervise(model)
    assert not hasattr(model, "box_cells")


def test_detection_takes_the_mean() -> None:
    model = Marked(postprocess=lambda heads, shapes, **more: (heads, shapes, more))
    mark(model)
    average_boxes(model)
    sizes = np.full((1, 6, 8, 2), 3.0, np.float32)
    sizes[0, 2, 3] = 12.0
    heads = {"box/scale": [sizes], "box/offset": [pointing_at(2.25, 3.5, (6, 8))], "object_center": ["as it is"]}
    found, shapes, more = model.postprocess(heads, "shapes", more=1)
    np.testing.assert_allclose(found["box/scale"][0][0, 2, 3], [4.0, 4.0], rtol=1e-6)
    np.testing.assert_allclose(found["box/offset"][0], heads["box/offset"][0], atol=1e-5)
    assert found["object_center"] == ["as it is"]
    assert (shapes, more) == ("shapes", {"more": 1})


def test_models_of_others_are_decoded_as_they_were_trained() -> None:
    def postprocess() -> None:
        """Never called."""

    model = SimpleNamespace(postprocess=postprocess)
    average_boxes(model)
    assert model.postprocess is postprocess


def test_checkpoints_tell(tmp_path: Path) -> None:
    import tensorflow as tf

    plain, marked = tf.Module(), tf.Module()
    mark(marked)
    for name, module in (("plain", plain), ("marked", marked)):
        tf.train.Checkpoint(model=module, step=tf.Variable(1)).write(str(tmp_path / name))
    assert not is_marked(tmp_path / "plain")
    assert is_marked(tmp_path / "marked")
