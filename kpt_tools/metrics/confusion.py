"""What is taken for what: classes confused, objects missed, detections where nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kpt_tools.entities import BoxXywhPx, Detection, Instance, LabelMap
from kpt_tools.metrics.pairs import MATCH_IOU, ImagePair, countable, iou, match, of_class


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of what was annotated against what was detected.

    Attributes:
        min_score: detections below do not count.
        names: of the classes, in label-map order.
        matrix: rows are the annotated classes and, last, "nothing"; columns the detected classes and, last,
            "missed". The corner (nothing, missed) is 0.
    """

    min_score: float
    names: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]

    @property
    def missed(self) -> tuple[int, ...]:
        """Per class: objects that no detection was found for."""
        return tuple(row[-1] for row in self.matrix[:-1])

    @property
    def made_up(self) -> tuple[int, ...]:
        """Per class: detections where no object is annotated."""
        return self.matrix[-1][:-1]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "min_score": self.min_score,
            "rows": [*self.names, "nothing"],
            "columns": [*self.names, "missed"],
            "matrix": [list(row) for row in self.matrix],
        }


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """What detections from a score up are worth: precision, recall, and their harmonic mean (F1); IoU 0.5."""

    score: float
    precision: float
    recall: float
    f1: float


def confusion(pairs: Sequence[ImagePair], label_map: LabelMap, min_score: float) -> Confusion:
    """Count classes confused, objects missed and detections where nothing is.

    First each class's detections take their objects as for AP (`match`). What is left over is then matched
    whatever its class, again best score first and with IoU >= 0.5: these are confused. Detections that lie in a crowd
    region of their class do not count.

    Args:
        pairs: truth and detections of every image.
        label_map: the classes.
        min_score: detections below are left out.
    """
    place = {item.id: index for index, item in enumerate(label_map.items)}
    size = len(place) + 1
    matrix = [[0] * size for _ in range(size)]
    for pair in pairs:
        shown = ImagePair(pair.name, pair.truth, tuple(d for d in pair.detections if d.score >= min_score))
        for truth, found in _matched(shown, label_map):
            row = size - 1 if truth is None else place[truth.category_id]
            matrix[row][size - 1 if found is None else place[found.class_id]] += 1
    return Confusion(min_score, tuple(item.name for item in label_map.items), tuple(map(tuple, matrix)))


def _matched(pair: ImagePair, label_map: LabelMap) -> list[tuple[Instance | None, Detection | None]]:
    """Every countable object and every detection once, with its partner or None."""
    own = [found for item in label_map.items for found in match(pair, item.id)]
    taken = {id(part) for found in own for part in found}
    objects = [truth for item in label_map.items for truth in countable(pair, item.id) if id(truth) not in taken]
    result: list[tuple[Instance | None, Detection | None]] = list(own)
    for detection in sorted(pair.detections, key=lambda d: -d.score):
        if id(detection) in taken or in_crowd(pair, detection):
            continue
        overlaps = [iou(detection.box_xywh_px, truth.box_xywh_px) for truth in objects if truth.box_xywh_px]
        best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
        hit = best is not None and overlaps[best] >= MATCH_IOU
        result.append((objects.pop(best) if hit and best is not None else None, detection))
    return result + [(truth, None) for truth in objects]


def in_crowd(pair: ImagePair, detection: Detection) -> bool:
    """Whether half of the detection or more lies in a crowd region of its class, as COCO looks at it."""
    regions = [t.box_xywh_px for t in pair.truth if t.iscrowd and t.category_id == detection.class_id]
    return any(_covered(detection.box_xywh_px, region) >= MATCH_IOU for region in regions if region is not None)


def _covered(box: BoxXywhPx, region: BoxXywhPx) -> float:
    """Share of the box that lies in the region."""
    width = min(box[0] + box[2], region[0] + region[2]) - max(box[0], region[0])
    height = min(box[1] + box[3], region[1] + region[3]) - max(box[1], region[1])
    area = box[2] * box[3]
    return max(width, 0.0) * max(height, 0.0) / area if area > 0 else 0.0


def best_score(pairs: Sequence[ImagePair], class_id: int) -> ScorePoint | None:
    """The minimum score with the highest F1 for one class; None without objects or right detections.

    Matching is greedy by falling score, so leaving out low scores never changes the matches above.
    """
    objects = sum(len(countable(pair, class_id)) for pair in pairs)
    scored: list[tuple[float, bool]] = []
    for pair in pairs:
        right = {id(detection) for _, detection in match(pair, class_id)}
        for detection in of_class(pair.detections, class_id):
            if id(detection) in right or not in_crowd(pair, detection):
                scored.append((detection.score, id(detection) in right))
    best, hits = None, 0
    scored.sort(key=lambda entry: (-entry[0], not entry[1]))
    for rank, (score, is_right) in enumerate(scored, start=1):
        hits += is_right
        f1 = 2 * hits / (rank + objects)
        last_of_score = rank == len(scored) or scored[rank][0] < score
        if hits and last_of_score and (best is None or f1 > best.f1):
            best = ScorePoint(score, hits / rank, hits / objects, f1)
    return best
