"""`kpt-tools merge`: several COCO JSONs into one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.annotations.coco import read_coco, to_coco
from kpt_tools.annotations.merge import Merged, MergePolicy, merge, same_by_record
from kpt_tools.config.merge import MergeConfig
from kpt_tools.entities import Dataset, ImageRecord, Report
from kpt_tools.fsio import sha256_of, write_json
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.stages.convert_output import replace_folder
from kpt_tools.stages.outputs import refuse_overwriting


@dataclass(frozen=True)
class MergeResult:
    """What was merged.

    Attributes:
        out: the JSON.
        parts: per input its name, images and objects.
        images: number of images in the result.
        instances: number of objects in it.
        categories: number of keypoints per class.
        copied: number of images that were copied.
        report: all findings.
    """

    out: Path
    parts: tuple[tuple[str, int, int], ...]
    images: int
    instances: int
    categories: dict[str, int]
    copied: int
    report: Report


def merge_files(config: MergeConfig) -> MergeResult:
    """Merge JSONs; the first one's ids, spellings, keypoint orders and skeletons count.

    Raises:
        ConfigError: an input does not exist or is the output, too; or a class to rename is in none.
        DataError: an input is not COCO, or two inputs contradict each other.
    """
    refuse_overwriting(config.annotations, {"--out": config.out})
    folders = [ImageFolder(path) for path in config.images]
    if len(folders) == 1:
        folders *= len(config.annotations)
    report = Report()
    parts: list[tuple[str, Dataset]] = []
    for name, path in zip(_names(config.annotations), config.annotations, strict=True):
        dataset, found = read_coco(path)
        report.extend(found.findings)
        parts.append((name, dataset))
    policy = MergePolicy(
        config.renames(), config.ignore_case, config.images_prefix, rename_images=config.copy_images is not None
    )
    merged = merge(parts, policy, _Comparer(folders, same_images=config.same_images))
    report.extend(merged.report.findings)
    copied = _copy(merged, folders, config.copy_images, report) if config.copy_images else 0
    write_json(config.out, to_coco(merged.dataset), indent=None)
    return MergeResult(
        out=config.out,
        parts=tuple((name, len(dataset.images), len(dataset.instances)) for name, dataset in parts),
        images=len(merged.dataset.images),
        instances=len(merged.dataset.instances),
        categories={category.name: len(category.keypoints) for category in merged.dataset.categories},
        copied=copied,
        report=report,
    )


def _names(paths: tuple[Path, ...]) -> list[str]:
    """What messages call the inputs: base names, or whole paths where those are not unique."""
    bases = [path.name for path in paths]
    return bases if len(set(bases)) == len(bases) else [str(path) for path in paths]


class _Comparer:
    """Whether two images of one name are one picture: by their files, else as the user or the JSONs say."""

    def __init__(self, folders: list[ImageFolder], *, same_images: bool) -> None:
        self.folders, self.same_images = folders, same_images

    def __call__(self, i: int, a: ImageRecord, j: int, b: ImageRecord) -> bool | None:
        if self.folders:
            first, second = self.folders[i].find(a).path, self.folders[j].find(b).path
            if first is not None and second is not None:
                return first.resolve() == second.resolve() or sha256_of(first) == sha256_of(second)
        return True if self.same_images else same_by_record(i, a, j, b)


def _copy(merged: Merged, folders: list[ImageFolder], out: Path, report: Report) -> int:
    """Copy every image under its name in the result; one that is not there is told."""
    copies: dict[str, Path] = {}
    for image in merged.dataset.images:
        number, record = merged.origin[image.id]
        lookup = folders[number].find(record)
        report.extend(row for row in (lookup.problem, lookup.note) if row is not None)
        if lookup.path is not None:
            copies[image.file_name] = lookup.path
    replace_folder(out, {}, copies, "--copy-images")
    return len(copies)
