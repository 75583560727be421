"""Checks that compare image files with one another and with the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.entities import Dataset, Finding
from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.look_alikes import LookAlike, Signatures, signatures_of
from kpt_tools.records.parallel import Mapper
from kpt_tools.records.prepare import Sample
from kpt_tools.records.progress import Progress


@dataclass(frozen=True, slots=True)
class PicturePair:
    """A picture and the one that it is like; the names are those of messages."""

    path: Path
    name: str
    other_path: Path
    other_name: str
    code: str


@dataclass(frozen=True)
class PictureChecks:
    """What comparing pictures told."""

    pairs: tuple[PicturePair, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class OtherSide:
    """Another data set to compare against.

    Attributes:
        annotations: its JSON, on this machine.
        name: what messages call that.
        folder: its images.
        read: reads their files if they are not on this machine.
    """

    annotations: Path
    name: str
    folder: ImageFolder
    read: ReadBytes | None


@dataclass(frozen=True)
class Looking:
    """How pictures are looked at: on so many cores, or by `mapper`."""

    workers: int
    progress: Progress
    mapper: Mapper | None = None

    def __call__(self, paths: Sequence[Path], read: ReadBytes | None) -> Signatures:
        """The signatures of pictures; `read` reads their files if they are not on this machine."""
        reads = read or Path.read_bytes
        return signatures_of(paths, workers=self.workers, progress=self.progress, mapper=self.mapper, read=reads)


def unlisted_pictures(dataset: Dataset, folder: ImageFolder) -> list[Finding]:
    """Files that look like pictures and that no image of the JSON means."""
    listed = {lookup.path for lookup in map(folder.find, dataset.images) if lookup.path is not None}
    return [
        finding(
            "image-not-in-json",
            f"{folder.relative(path)}: is in {folder.shown}, and the JSON does not name it; not used.",
            image=folder.relative(path),
        )
        for path in folder.pictures()
        if path not in listed
    ]


def compare_pictures(
    samples: Sequence[Sample], other: OtherSide | None, *, within: bool, looking: Looking, read: ReadBytes | None = None
) -> PictureChecks:
    """Pictures that look alike, within the samples and across to the other side.

    Raises:
        ConfigError: the JSON of the other side does not exist.
        DataError: it is not COCO.
    """
    if not within and other is None:
        return PictureChecks()
    names = [sample.source.file_name for sample in samples]
    paths = [sample.path for sample in samples]
    signatures = looking(paths, read)
    told = []
    if within:
        told += [_within(alike, names, paths) for alike in signatures.within()]
    if other is not None:
        known = _files_of(other)
        others = looking([path for path, _ in known], other.read)
        told += [_across(alike, names, paths, known, other) for alike in signatures.across(others)]
    return PictureChecks(tuple(pair for pair, _ in told), tuple(found for _, found in told))


def _files_of(other: OtherSide) -> list[tuple[Path, str]]:
    """Files and names of the other side's images; those without a file are passed over, `check` on it tells."""
    dataset, _ = read_coco(other.annotations)
    found = [(other.folder.find(image).path, image.file_name) for image in dataset.images]
    return [(path, name) for path, name in found if path is not None]


def _within(alike: LookAlike, names: Sequence[str], paths: Sequence[Path]) -> tuple[PicturePair, Finding]:
    code = "image-copy" if alike.same_file else "image-look-alike"
    name, other = names[alike.index], names[alike.other]
    what = "is the same file as" if alike.same_file else f"looks nearly the same ({alike.difference:.2f}) as"
    pair = PicturePair(paths[alike.index], name, paths[alike.other], other, code)
    return pair, finding(code, f"{name}: {what} '{other}'.", image=name)


def _across(
    alike: LookAlike,
    names: Sequence[str],
    paths: Sequence[Path],
    known: Sequence[tuple[Path, str]],
    other: OtherSide,
) -> tuple[PicturePair, Finding]:
    code = "image-in-both-splits" if alike.same_file else "image-look-alike-across"
    name, (other_path, other_name) = names[alike.index], known[alike.other]
    what = "is the same file as" if alike.same_file else f"looks nearly the same ({alike.difference:.2f}) as"
    pair = PicturePair(paths[alike.index], name, other_path, other_name, code)
    return pair, finding(code, f"{name}: {what} '{other_name}' of {other.name}.", image=name)
