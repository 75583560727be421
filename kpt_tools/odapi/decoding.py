"""What detection does beyond the OD API's postprocess, for every model that is validated, exported or run."""

from __future__ import annotations

from typing import Any

from kpt_tools.odapi.box_neighbours import average_boxes
from kpt_tools.odapi.keypoint_refinement import refine_keypoints
from kpt_tools.odapi.peak_ties import settle_ties


def refine(model: Any) -> None:
    """Refine keypoints, average boxes where training supervised their neighbours, and settle ties between peaks.

    Args:
        model: a CenterNet of the OD API, which is changed; call it once.
    """
    refine_keypoints(model)
    average_boxes(model)
    settle_ties(model)
