"""`kpt-tools repair`: a COCO JSON -> a better one, and a log of every change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.annotations.repairs.draft import Change, Draft, Facts
from kpt_tools.annotations.repairs.registry import chosen_codes, repair
from kpt_tools.config.repair import RepairConfig
from kpt_tools.entities import Dataset
from kpt_tools.fsio import read_json, sha256_of, write_json
from kpt_tools.records.image_file import load_image
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.stages.annotation_checks import check_annotations
from kpt_tools.stages.annotation_input import find_annotations
from kpt_tools.stages.outputs import refuse_overwriting


@dataclass(frozen=True)
class RepairResult:
    """What was repaired.

    Attributes:
        source: the JSON that was read.
        out: the JSON that was written.
        log: the JSON with every change.
        codes: the repairs that were asked for, in order.
        changes: every change, in order.
    """

    source: Path
    out: Path
    log: Path
    codes: tuple[str, ...]
    changes: tuple[Change, ...]


def repair_file(config: RepairConfig) -> RepairResult:
    """Repair the chosen codes; entries and values that have none of them stay as they are.

    Raises:
        ConfigError: an input does not exist, nothing or something impossible was chosen, or `out` is the input.
        DataError: the JSON is not COCO.
    """
    path = find_annotations(config.annotations)
    out = config.out or path.with_name(f"{path.stem}_repaired.json")
    log = config.log or out.with_name(f"{out.stem}.changes.json")
    refuse_overwriting([path], {"--out": out, "--log": log})
    codes = chosen_codes(config.codes, safe=config.safe, with_images=config.images is not None)
    folder = None if config.images is None else ImageFolder(config.images)
    raw = read_json(path, what="COCO JSON")
    dataset, _ = parse_coco(raw, str(path))
    draft = Draft(raw, str(path), _facts(dataset, folder, codes, config.flip_pairs))
    repair(draft, codes)
    write_json(out, draft.raw, indent=None)
    write_json(log, {
        "source": {"path": str(path), "sha256": sha256_of(path)},
        "out": str(out),
        "codes": list(codes),
        "changes": [asdict(change) for change in draft.changes],
    })  # fmt: skip
    return RepairResult(path, out, log, codes, tuple(draft.changes))


def _facts(dataset: Dataset, folder: ImageFolder | None, codes: tuple[str, ...], flip_pairs: str | None) -> Facts:
    """What the repairs of `codes` need to know beside the JSON."""
    pairs = check_annotations(dataset, flip_pairs).flip_pairs if "sides-swapped" in codes else {}
    if folder is None:
        return Facts(flip_pairs=pairs)
    sizes, missing = {}, set()
    for image in dataset.images:
        lookup = folder.find(image)
        if lookup.problem is not None and lookup.problem.code == "image-missing":
            missing.add(image.id)
        elif lookup.path is not None and not image.width and "image-size-missing" in codes:
            loaded = load_image(lookup.path, (0, 0), encode=False)
            if loaded.usable:
                sizes[image.id] = loaded.raw_wh
    return Facts(pairs, sizes, frozenset(missing))
