"""`kpt-tools annotator pull`: fetch a data set from coco-annotator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpt_tools.annotations.coco import root_lists
from kpt_tools.annotations.json_values import as_int
from kpt_tools.config.annotator import PullConfig
from kpt_tools.entities import Finding, Report
from kpt_tools.errors import ConfigError, DataError, EngineError
from kpt_tools.fsio import atomic_open
from kpt_tools.stages.annotator_session import OnEvent, session

if TYPE_CHECKING:
    from kpt_tools.annotator.client import Client, RemoteDataset, RemoteImage
    from kpt_tools.annotator.files import Plan, PlannedFile
    from kpt_tools.annotator.transport import Patience

IMAGES_NAME = "images"
ANNOTATIONS_NAME = "annotations"
LOST_CODES = frozenset({"image-name-unsafe", "image-not-downloaded", "image-differs"})


@dataclass(frozen=True)
class PullResult:
    """What was fetched.

    Attributes:
        annotations: the JSON.
        images: the folder of the pictures.
        objects: in the JSON.
        listed: pictures in the JSON.
        downloaded: pictures that came now.
        kept: pictures that were here already.
        findings: everything worth knowing.
        bytes: of the pictures that came now.
    """

    annotations: Path
    images: Path
    objects: int
    listed: int
    downloaded: int
    kept: int
    findings: tuple[Finding, ...]
    bytes: int

    @property
    def lost(self) -> int:
        """Pictures that should be here and are not."""
        return sum(finding.code in LOST_CODES for finding in self.findings)


def pull(
    config: PullConfig,
    password: str = "",
    on_event: OnEvent = lambda event: None,
    *,
    patience: Patience | None = None,
) -> PullResult:
    """Fetch the COCO export and the original pictures of a data set.

    Pictures that are here already with the server's size are kept, so an interrupted run goes on where it was. The
    JSON appears when all pictures are there.

    Args:
        config: the settings.
        password: of `config.user`.
        on_event: called with ``{"kind": "phase", "name": ...}`` and ``{"kind": "image", "done": ..., "total": ...}``.
        patience: how long to wait and how often to try; default: after `config.timeout`.

    Raises:
        ConfigError: address, login or data set is wrong, or the folder cannot be written to.
        DataError: the export is no COCO file.
        EngineError: the server failed or cannot be reached.
        MissingDependencyError: requests is not installed.
    """
    with session(config.url, config.user, password, config.timeout, patience, on_event) as client:
        from kpt_tools.annotator.files import file_stem, plan_files

        dataset = client.dataset(config.dataset)
        on_event({"kind": "phase", "name": "waiting for the export"})
        content, raw = client.coco(dataset)
        root = root_lists(raw, f"data set '{dataset.name}'")
        plan = plan_files(_wanted(config, client, dataset, root))
        folder = config.out / IMAGES_NAME
        work = _Download(client, folder, config.overwrite, Report(list(plan.findings)))
        if not config.no_images:
            on_event({"kind": "phase", "name": "downloading"})
            work.run(plan.files, on_event)
        target = config.out / ANNOTATIONS_NAME / f"{file_stem(dataset.name)}.json"
        with atomic_open(target) as handle:
            handle.write(_renamed(content, raw, plan))
    return PullResult(
        annotations=target,
        images=folder,
        objects=len(root["annotations"]),
        listed=len(root["images"]),
        downloaded=work.downloaded,
        kept=work.kept,
        findings=tuple(work.report.findings),
        bytes=work.bytes,
    )


def _wanted(
    config: PullConfig, client: Client, dataset: RemoteDataset, root: Mapping[str, list[Any]]
) -> list[RemoteImage]:
    """The pictures of the JSON, and with --all-images the others of the data set behind them."""
    from kpt_tools.annotator.client import RemoteImage

    found: dict[int, RemoteImage] = {}
    for index, row in enumerate(root["images"]):
        image_id = as_int(row.get("id")) if isinstance(row, dict) else None
        if image_id is None or not isinstance(row.get("file_name"), str):
            raise DataError(f"data set '{dataset.name}': images[{index}] of the export has no id and file name.")
        found[image_id] = RemoteImage(image_id, row["file_name"])
    if config.all_images:
        for image in client.listing(dataset).images:
            found.setdefault(image.id, image)
    return list(found.values())


def _renamed(content: bytes, raw: Any, plan: Plan) -> bytes:
    """The export as it came, unless pictures had to get other names."""
    if not plan.renamed:
        return content
    images = [{**row, "file_name": plan.renamed.get(row["id"], row["file_name"])} for row in raw["images"]]
    return json.dumps({**raw, "images": images}).encode("utf-8")


class _Download:
    """One pass over the pictures, and the counts that it leaves."""

    def __init__(self, client: Client, folder: Path, overwrite: bool, report: Report) -> None:
        self.client, self.folder, self.overwrite, self.report = client, folder, overwrite, report
        self.downloaded = self.kept = self.bytes = 0

    def run(self, files: Sequence[PlannedFile], on_event: OnEvent) -> None:
        """Get what is missing."""
        from kpt_tools.annotator.transport import Unreachable

        for number, file in enumerate(files):
            try:
                self._one(file)
            except Unreachable as exc:
                raise Unreachable(f"{exc} {number} of {len(files)} pictures are here; they are kept.") from exc
            except EngineError as exc:
                self._add("image-not-downloaded", "error", f"{file.image.file_name}: {exc}", file)
            on_event({"kind": "image", "done": number + 1, "total": len(files)})

    def _one(self, file: PlannedFile) -> None:
        target = self.folder / file.relative
        if target.is_file() and not self._outdated(file, target):
            self.kept += 1
            return
        self.bytes += self.client.download(file.image, target)
        self.downloaded += 1
        if self.downloaded == 1:
            self._probe(file, target)

    def _outdated(self, file: PlannedFile, target: Path) -> bool:
        size, here = self.client.image_size(file.image), target.stat().st_size
        if size == here or self.overwrite:
            return size != here
        if size is None:
            message = f"{target}: is here; the server does not tell the size of its own. Kept; --overwrite replaces it."
            self._add("image-size-unknown", "warning", message, file)
            return False
        message = (
            f"{target}: is here with {here} bytes, on the server with {size}; kept as it is. If it is an older "
            "version, use --overwrite; if it belongs to another data set, another --out."
        )
        self._add("image-differs", "error", message, file)
        return False

    def _probe(self, file: PlannedFile, target: Path) -> None:
        """Find out whether the server knows ``original``: if not, both ways give the same re-encoded JPEG.

        Some forks hand out the original both ways.
        """
        from kpt_tools.annotator.files import seems_reencoded

        beside = target.with_name(f".{target.name}.reencoded")
        try:
            self.client.download(file.image, beside, original=False)
            same = beside.read_bytes() == target.read_bytes() and seems_reencoded(target)
        except (ConfigError, EngineError):
            same = False
        finally:
            beside.unlink(missing_ok=True)
        if same:
            message = (
                "this version of coco-annotator hands out re-encoded JPEGs only, without EXIF data and whatever the "
                "file name says. Take the original files from its data set folder, if you can."
            )
            self._add("images-reencoded", "warning", message, file)

    def _add(self, code: str, severity: Any, message: str, file: PlannedFile) -> None:
        self.report.add(code, severity, message, image=file.relative)
