"""From the findings of `check` to its HTML page: which pictures are shown, and how they are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools import __version__
from kpt_tools.annotations.checks.poses import PoseScore
from kpt_tools.annotations.codes import CODES, ranked_codes, repair_command
from kpt_tools.annotations.statistics import DatasetStatistics
from kpt_tools.entities import Category, Dataset, Finding, Instance, LabelMap, Report
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.progress import Progress
from kpt_tools.report.check_page import CheckPage, FlipExample, PageFinding, check_page
from kpt_tools.report.draw import point_colour
from kpt_tools.report.page import Picture
from kpt_tools.report.plots import plots_of
from kpt_tools.stages.annotation_checks import AnnotationChecks
from kpt_tools.stages.gallery import Gallery
from kpt_tools.stages.picture_checks import PictureChecks, PicturePair

MESSAGES = 8
PICTURES_PER_CODE = 6
SAMPLES = 12
_PAIRED = ("image-copy", "image-look-alike", "image-look-alike-across", "image-in-both-splits")


@dataclass(frozen=True)
class PageSource:
    """All that was read and found; `folder` is None where images were not looked at."""

    dataset: Dataset
    folder: ImageFolder | None
    checks: AnnotationChecks
    pictures: PictureChecks
    worst_poses: tuple[PoseScore, ...]
    statistics: DatasetStatistics
    report: Report


def page_of(source: PageSource, path: Path, usable: tuple[int, int], progress: Progress) -> str:
    """The page as HTML.

    Args:
        source: what was read and found.
        path: the JSON, for the title and for commands.
        usable: number of usable images and objects.
        progress: told of every code.

    Raises:
        MissingDependencyError: matplotlib or Jinja2 is not installed.
    """
    gallery = Gallery(source.dataset, source.folder, source.checks.label_map)
    codes = ranked_codes(source.report)
    findings = [_finding(code, source, path, gallery) for code in progress(codes, "drawing the page")]
    label_map = source.checks.label_map
    return check_page(
        CheckPage(
            title=path.name,
            made_by=f"kpt-tools {__version__}",
            usable_images=usable[0],
            usable_objects=usable[1],
            statistics=source.statistics,
            findings=tuple(findings),
            samples=_samples(source.dataset, gallery),
            legend=() if label_map is None else _legend(label_map),
            flips=() if label_map is None else tuple(_flips(source, label_map, gallery)),
            poses=_poses(source, gallery),
            plots=tuple(plots_of(source.dataset, source.statistics)),
        )
    )


def _finding(code: str, source: PageSource, path: Path, gallery: Gallery) -> PageFinding:
    found = [finding for finding in source.report.findings if finding.code == code]
    paired = code in _PAIRED
    pictures = _pairs(code, source.pictures.pairs, gallery) if paired else _examples(found, gallery)
    entry = CODES[code]
    return PageFinding(
        code=code,
        severity=entry.severity,
        count=len(found),
        meaning=entry.meaning,
        consequence=entry.consequence,
        advice=entry.advice,
        command=repair_command(code, str(path), "IMAGES" if source.folder is None else str(source.folder.root)),
        messages=tuple(finding.message for finding in found[:MESSAGES]),
        pictures=tuple(pictures),
        paired=paired,
    )


def _examples(found: Sequence[Finding], gallery: Gallery) -> list[Picture]:
    """Pictures of the first findings that can be shown, each object once."""
    pictures: list[Picture] = []
    for name, annotation_id in dict.fromkeys((finding.image, finding.annotation_id) for finding in found):
        if len(pictures) == PICTURES_PER_CODE or (not pictures and gallery.tried_enough):
            break
        picture = gallery.of_object(annotation_id) if annotation_id is not None else gallery.of_image(name)
        if picture is not None:
            pictures.append(picture)
    gallery.forget_tries()
    return pictures


def _pairs(code: str, pairs: Iterable[PicturePair], gallery: Gallery) -> list[Picture]:
    pictures: list[Picture] = []
    for pair in pairs:
        if pair.code == code and len(pictures) < PICTURES_PER_CODE:
            two = [gallery.of_file(pair.path, pair.name), gallery.of_file(pair.other_path, pair.other_name)]
            pictures += [picture for picture in two if picture is not None] if all(two) else []
    return pictures


def _samples(dataset: Dataset, gallery: Gallery) -> tuple[Picture, ...]:
    """Images with objects, at even distances in file order."""
    filled = [image for image in dataset.images if dataset.instances_of_image[image.id]]
    step = max(1, len(filled) // SAMPLES)
    shown = (gallery.of_image(image.file_name) for image in filled[step // 2 :: step][:SAMPLES])
    return tuple(picture for picture in shown if picture is not None)


def _poses(source: PageSource, gallery: Gallery) -> tuple[Picture, ...]:
    shown = (gallery.of_object(score.annotation_id, f"score {score.score:.1f}") for score in source.worst_poses)
    return tuple(picture for picture in shown if picture is not None)


def _legend(label_map: LabelMap) -> tuple[tuple[str, tuple[int, int, int]], ...]:
    return tuple((keypoint.label, point_colour(keypoint.id)) for item in label_map.items for keypoint in item.keypoints)


def _flips(source: PageSource, label_map: LabelMap, gallery: Gallery) -> Iterable[FlipExample]:
    for category, item in zip(source.dataset.categories, label_map.items, strict=True):
        if not category.keypoints:
            continue
        pairs = tuple(source.checks.flip_pairs.get(category.id, ()))
        paired = {index for pair in pairs for index in pair}
        yield FlipExample(
            class_name=item.name,
            pairs=tuple((category.keypoints[a], category.keypoints[b]) for a, b in pairs),
            unpaired=tuple(name for index, name in enumerate(category.keypoints) if index not in paired),
            pictures=_flip_pictures(source, category, pairs, gallery),
        )


def _flip_pictures(
    source: PageSource, category: Category, pairs: Sequence[tuple[int, int]], gallery: Gallery
) -> tuple[Picture, ...]:
    """An ordinary object with many points and whole pairs, as it is and mirrored."""
    distance = {score.annotation_id: score.distance for score in source.checks.poses}
    best = max(
        (i for i in source.dataset.instances if i.category_id == category.id and i.num_labelled),
        key=lambda instance: (instance.num_labelled, -distance.get(instance.id, 1.0), _area(instance)),
        default=None,
    )
    return gallery.mirrored(best, category, pairs) if best is not None and pairs else ()


def _area(instance: Instance) -> float:
    return instance.box_xywh_px[2] * instance.box_xywh_px[3] if instance.box_xywh_px else 0.0
