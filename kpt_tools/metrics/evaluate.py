"""All metrics of all classes in one go."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import LabelMapItem, ModelMetadata
from kpt_tools.metrics.coco_ap import BOX_MAX_DETECTIONS, OKS_MAX_DETECTIONS, box_ap, oks_ap
from kpt_tools.metrics.confusion import best_score, confusion
from kpt_tools.metrics.objects import outcomes
from kpt_tools.metrics.oks import AreaSource, OksSpread, lacks_area, spread
from kpt_tools.metrics.pairs import ImagePair, countable, match, of_class
from kpt_tools.metrics.pck import Match, distances, summarise, swaps
from kpt_tools.metrics.result import (
    AveragePrecision,
    ClassResult,
    EvalResult,
    KeypointResult,
    PairSwaps,
    mean_precision,
)


def evaluate(
    pairs: Sequence[ImagePair],
    metadata: ModelMetadata,
    *,
    sigmas: Sequence[float],
    area: AreaSource = "bbox",
    min_score: float = 0.0,
    shown_score: float = InferConfig.min_score,
) -> EvalResult:
    """Measure detections against annotations.

    Each class is measured with its own keypoints and sigmas; the overall AP is the mean over classes.

    Args:
        pairs: truth and detections of every image, also of those without objects.
        metadata: classes and flip pairs.
        sigmas: OKS sigma per keypoint slot.
        area: source of the A in the OKS formula.
        min_score: detections below are left out.
        shown_score: the confusion matrix counts detections from here up, as `infer` shows them.

    Raises:
        ValueError: not one sigma per keypoint slot.
        MissingDependencyError: pycocotools is not installed.
    """
    slots = metadata.label_map.num_keypoints
    if len(sigmas) != slots:
        raise ValueError(f"{len(sigmas)} sigmas for {slots} keypoints")
    kept = [ImagePair(p.name, p.truth, tuple(d for d in p.detections if d.score >= min_score)) for p in pairs]
    classes = tuple(_class_result(kept, item, metadata, sigmas, area) for item in metadata.label_map.items)
    truth = [instance for pair in pairs for instance in pair.truth]
    return EvalResult(
        images=len(kept),
        classes=classes,
        box=mean_precision(result.box for result in classes),
        oks=mean_precision(result.oks for result in classes),
        sigmas=tuple(sigmas),
        area=area,
        area_fallbacks=sum(lacks_area(instance) for instance in truth) if area == "segm" else 0,
        boxless=sum(instance.box_xywh_px is None for instance in truth),
        crowds=sum(instance.iscrowd for instance in truth),
        min_score=min_score,
        box_max_detections=BOX_MAX_DETECTIONS,
        oks_max_detections=OKS_MAX_DETECTIONS,
        confusion=confusion(kept, metadata.label_map, max(min_score, shown_score)),
    )


def _class_result(
    pairs: Sequence[ImagePair],
    item: LabelMapItem,
    metadata: ModelMetadata,
    sigmas: Sequence[float],
    area: AreaSource,
) -> ClassResult:
    own = [sigmas[keypoint.id] for keypoint in item.keypoints]
    matches = [found for pair in pairs for found in match(pair, item.id)]
    pixels, relative = distances(matches, len(own))
    flips = own_pairs(item, metadata)
    return ClassResult(
        class_id=item.id,
        name=item.name,
        objects=sum(len(countable(pair, item.id)) for pair in pairs),
        detections=sum(len(of_class(pair.detections, item.id)) for pair in pairs),
        matched=len(matches),
        median_score=_median_score(matches),
        box=box_ap(pairs, item.id),
        oks=_oks_of_class(pairs, item, own, area),
        errors=summarise(pixels, relative) if own else None,
        keypoints=tuple(
            KeypointResult(keypoint.label, keypoint.name, own[k], summarise(pixels[:, k], relative[:, k]))
            for k, keypoint in enumerate(item.keypoints)
        ),
        swaps=tuple(
            PairSwaps((item.keypoints[a].name, item.keypoints[b].name), swapped, looked_at)
            for (a, b), (swapped, looked_at) in zip(flips, swaps(matches, flips), strict=True)
        ),
        oks_spread=_oks_spread(pairs, item, own, area) if own else None,
        best_score=best_score(pairs, item.id),
    )


def _oks_of_class(
    pairs: Sequence[ImagePair], item: LabelMapItem, sigmas: Sequence[float], area: AreaSource
) -> AveragePrecision | None:
    return oks_ap(pairs, item.id, sigmas, area) if item.keypoints else None


def _oks_spread(pairs: Sequence[ImagePair], item: LabelMapItem, sigmas: Sequence[float], area: AreaSource) -> OksSpread:
    found = [each for pair in pairs for each in outcomes(pair, item, sigmas, area) if each.truth.num_labelled]
    missed = sum(each.detection is None for each in found)
    return spread([each.oks for each in found if each.oks is not None], missed)


def own_pairs(item: LabelMapItem, metadata: ModelMetadata) -> list[tuple[int, int]]:
    """Flip pairs of this class, as indices into its own keypoints, each pair once."""
    index = {keypoint.id: k for k, keypoint in enumerate(item.keypoints)}
    pairs = {(min(a, b), max(a, b)) for a, b in metadata.flip_pairs if a in index and b in index and a != b}
    return [(index[a], index[b]) for a, b in sorted(pairs)]


def _median_score(matches: Sequence[Match]) -> float | None:
    return statistics.median(detection.score for _, detection in matches) if matches else None
