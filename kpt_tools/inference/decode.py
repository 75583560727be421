"""From the arrays of a model to detections in pixels of the original image."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import Detection, Finding, LabelMapItem, ModelMetadata, Prediction, Severity
from kpt_tools.errors import DataError
from kpt_tools.inference.engine import RawDetections

FloatArray = npt.NDArray[np.float64]

_WHY = {
    "detection-not-finite": "a box or score that is no finite number; left out",
    "detection-empty-box": "a box without width or height; left out",
    "keypoint-not-finite": "a keypoint that is no finite number; written as 0, 0 with score 0",
}
# A CenterNet always gives its full number of detections; those in empty places have scores near 0 and no size.
_SEVERITY: dict[str, Severity] = {"detection-empty-box": "info"}


def decode(
    raw: RawDetections,
    metadata: ModelMetadata,
    *,
    image: str,
    size_wh: tuple[int, int],
    min_score: float = 0.0,
    max_detections: int | None = None,
) -> tuple[Prediction, tuple[Finding, ...]]:
    """Turn the model's arrays for one image into a prediction.

    Coordinates are scaled from 0..1 to pixels and not clipped: a point may lie outside the image.

    Args:
        raw: detection_boxes [N, 4] y1, x1, y2, x2; detection_classes [N], 1-based, float or int;
            detection_scores [N]; for models with keypoints detection_keypoints [N, S, 2] y, x, and
            detection_keypoint_scores [N, S]; all normalised to the image.
        metadata: the label map that the class ids and the S slots belong to.
        image: name of the image.
        size_wh: its width and height in pixels.
        min_score: detections below are left out.
        max_detections: keep the best so many; None: all.

    Returns:
        The prediction, best score first, and one finding per kind of number that could not be used.

    Raises:
        DataError: the arrays do not fit the label map (another number of keypoints, an unknown class).
    """
    scores = _array(raw, "detection_scores", image)
    order = np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable")
    items = {item.id: item for item in metadata.label_map.items}
    arrays = _Arrays(raw, metadata, image, size_wh)
    problems: Counter[str] = Counter()
    detections: list[Detection] = []
    for row in order:
        if scores[row] < min_score:
            continue
        problem = arrays.problem(row)
        if problem:
            problems[problem] += 1
        else:
            detections.append(arrays.detection(row, _item_of(arrays.classes[row], items, image), problems))
    prediction = Prediction(image, *size_wh, tuple(detections[:max_detections]))
    return prediction, tuple(
        Finding(code, _SEVERITY.get(code, "warning"), f"{image}: {count} detection(s) with {_WHY[code]}.", image)
        for code, count in problems.items()
    )


class _Arrays:
    """The arrays of one image, checked and scaled to pixels."""

    def __init__(self, raw: RawDetections, metadata: ModelMetadata, image: str, size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        self.scores = _array(raw, "detection_scores", image)
        self.classes = _array(raw, "detection_classes", image)
        self.boxes = _array(raw, "detection_boxes", image) * (height, width, height, width)
        slots = metadata.label_map.num_keypoints
        count = len(self.scores)
        if slots:
            points = _array(raw, "detection_keypoints", image)
            if points.shape != (count, slots, 2):
                raise DataError(
                    f"{image}: the model gives keypoints of shape {list(points.shape)}; expected {[count, slots, 2]} "
                    f"for the {slots} keypoints of kpt_tools.json. They are not of one export; run kpt-tools export."
                )
            self.points = points * (height, width)
            self.point_scores = _array(raw, "detection_keypoint_scores", image)

    def problem(self, row: int) -> str | None:
        """The code of what makes this detection useless, if anything."""
        y1, x1, y2, x2 = self.boxes[row]
        if not np.isfinite([y1, x1, y2, x2, self.scores[row], self.classes[row]]).all():
            return "detection-not-finite"
        return "detection-empty-box" if x2 <= x1 or y2 <= y1 else None

    def detection(self, row: int, item: LabelMapItem, problems: Counter[str]) -> Detection:
        """The detection of this row with the keypoints of its class."""
        y1, x1, y2, x2 = (float(value) for value in self.boxes[row])
        points = [self._point(row, keypoint.id) for keypoint in item.keypoints]
        problems["keypoint-not-finite"] += any(point is None for point in points)
        problems += Counter()  # forget kinds that did not occur
        return Detection(
            class_id=item.id,
            class_name=item.name,
            score=float(self.scores[row]),
            box_xywh_px=(x1, y1, x2 - x1, y2 - y1),
            keypoints_xys=tuple(point or (0.0, 0.0, 0.0) for point in points),
        )

    def _point(self, row: int, slot: int) -> tuple[float, float, float] | None:
        y, x = self.points[row, slot]
        score = self.point_scores[row, slot]
        return (float(x), float(y), float(score)) if np.isfinite([x, y, score]).all() else None


def _array(raw: RawDetections, key: str, image: str) -> FloatArray:
    if key not in raw:
        raise DataError(f"{image}: the model gives no '{key}'; it gives {', '.join(sorted(raw))}. Export it again.")
    return np.asarray(raw[key], dtype=np.float64)


def _item_of(class_value: float, items: dict[int, LabelMapItem], image: str) -> LabelMapItem:
    class_id = round(class_value)
    if class_id not in items:
        raise DataError(
            f"{image}: the model found class {class_id}; kpt_tools.json has classes 1..{len(items)}. "
            "They are not of one export; run kpt-tools export."
        )
    return items[class_id]
