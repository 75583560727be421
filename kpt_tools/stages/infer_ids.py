"""Which image and category ids predictions.json uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kpt_tools.entities import Dataset, Finding, LabelMap
from kpt_tools.stages.class_match import match_classes


@dataclass(frozen=True)
class OutputIds:
    """What predictions.json calls images and classes.

    Attributes:
        image: id by name.
        category: category id by class id of the model; classes that are not in it keep their own.
        size_wh: width and height by name, as the annotations have them.
        left_out: class ids whose detections have no id there and stay out of predictions.json.
        findings: which images have no id.
    """

    image: Mapping[str, int]
    category: Mapping[int, int] = field(default_factory=dict)
    size_wh: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    left_out: frozenset[int] = frozenset()


def numbered(names: Sequence[str]) -> OutputIds:
    """Ids 1..N in the order of the images (unreadable ones keep theirs), and those of the label map."""
    return OutputIds({name: number for number, name in enumerate(names, start=1)})


def ids_from_annotations(path: Path, names: Sequence[str], label_map: LabelMap) -> OutputIds:
    """The ids that a COCO JSON gives to images and classes of these names.

    Raises:
        ConfigError: no such file; or a class of the model is not in it, or only in another case.
        DataError: it is no COCO JSON.
    """
    from kpt_tools.annotations.coco import read_coco

    dataset, _ = read_coco(path)
    category = {item.id: source_id for source_id, item in match_classes(dataset, label_map, str(path)).items()}
    image, findings = image_ids(dataset, names, str(path))
    size_of = {record.id: (record.width, record.height) for record in dataset.images}
    sizes = {name: size_of[image_id] for name, image_id in image.items()}
    left_out = frozenset(item.id for item in label_map.items) - frozenset(category)
    if left_out:
        count = len(label_map.items)
        message = f"{path}: has {len(category)} of the model's {count} classes; detections of others are in the CSV."
        findings.append(Finding("classes-without-id", "info", message))
    return OutputIds(image, category, sizes, tuple(findings), left_out)


def image_ids(dataset: Dataset, names: Sequence[str], where: str) -> tuple[dict[str, int], list[Finding]]:
    """Image id by name: the JSON's image of that file name, or the only one of that base name.

    Args:
        dataset: the JSON's images.
        names: paths below the input folder.
        where: the JSON's name, for messages.

    Returns:
        The ids, and a warning for each name that has none or more than one.
    """
    exact: dict[str, list[int]] = defaultdict(list)
    base: dict[str, list[int]] = defaultdict(list)
    for image in dataset.images:
        exact[image.file_name].append(image.id)
        base[PurePosixPath(image.file_name).name].append(image.id)
    ids: dict[str, int] = {}
    findings = []
    for name in names:
        found = exact.get(name) or base.get(PurePosixPath(name).name, [])
        if len(found) == 1:
            ids[name] = found[0]
        else:
            what = f"{len(found)} images of this name" if found else "no image of this name"
            message = f"{where}: has {what}: '{name}'; its detections are in the CSV, not in the JSON."
            findings.append(Finding("image-without-id", "warning", message, name))
    return ids, findings
