"""Fetch a data set from coco-annotator, and hand pre-annotations to it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpt_tools.annotations.coco import root_lists
from kpt_tools.annotations.json_values import as_int
from kpt_tools.config.annotator import PullConfig, PushConfig
from kpt_tools.entities import Finding, Report
from kpt_tools.errors import ConfigError, DataError, EngineError
from kpt_tools.fsio import atomic_open, read_json
from kpt_tools.lazy import require

if TYPE_CHECKING:
    from kpt_tools.annotator.client import Client, Import, RemoteDataset, RemoteImage
    from kpt_tools.annotator.files import Plan, PlannedFile
    from kpt_tools.annotator.transport import Patience
    from kpt_tools.annotator.upload_check import Upload

OnEvent = Callable[[dict[str, Any]], None]

IMAGES_NAME = "images"
ANNOTATIONS_NAME = "annotations"
LOST_CODES = frozenset({"image-name-unsafe", "image-not-downloaded", "image-differs"})
_POLL_S = 1.0


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


@dataclass(frozen=True)
class PushResult:
    """What was handed over.

    Attributes:
        images: pictures that get objects.
        objects: objects that were sent, or would be in a dry run.
        lost: objects that were left out.
        sent: whether anything was.
        imported: how far the importer came; None if it was not asked, or does not tell.
        findings: everything worth knowing.
    """

    images: int
    objects: int
    lost: int
    sent: bool
    imported: Import | None
    findings: tuple[Finding, ...]

    @property
    def incomplete(self) -> bool:
        """Whether something did not arrive."""
        return bool(self.lost or (self.imported and (self.imported.errors or self.imported.warnings)))


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
    with _session(config.url, config.user, password, config.timeout, patience, on_event) as client:
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


def push(
    config: PushConfig,
    password: str = "",
    on_event: OnEvent = lambda event: None,
    *,
    patience: Patience | None = None,
) -> PushResult:
    """Hand a COCO file to coco-annotator's importer, after checking that it will keep everything.

    Args:
        config: the settings.
        password: of `config.user`.
        on_event: called with ``{"kind": "phase", "name": ...}``.
        patience: how long to wait and how often to try; default: after `config.timeout`.

    Raises:
        ConfigError: address, login, data set or file is wrong.
        DataError: objects would be lost (and `config.partial` is not set), or none is left; nothing was sent.
        EngineError: the server failed or cannot be reached.
        MissingDependencyError: requests is not installed.
    """
    raw = read_json(config.file, what="COCO JSON with pre-annotations")
    if isinstance(raw, list):
        raise ConfigError(
            f"{config.file}: a list of COCO results; expected a COCO file with images, categories and annotations. "
            "Run kpt-tools infer --to-coco-annotator, and push its pre_annotations.json."
        )
    with _session(config.url, config.user, password, config.timeout, patience, on_event) as client:
        from kpt_tools.annotator.upload_check import Remote, check_upload

        dataset = client.dataset(config.dataset)
        on_event({"kind": "phase", "name": "comparing"})
        report = Report()
        remote = Remote(client.listing(dataset), _keypoints(client, dataset, report), config.new_categories)
        upload = check_upload(raw, config.file.name, remote)
        report.extend(upload.findings)
        _refuse_loss(upload, config, report)
        imported = None if config.dry_run else _hand_over(client, dataset, upload, config, report, on_event)
    return PushResult(
        images=len(upload.coco["images"]),
        objects=len(upload.coco["annotations"]),
        lost=upload.lost,
        sent=not config.dry_run,
        imported=imported,
        findings=tuple(report.findings),
    )


@contextlib.contextmanager
def _session(
    url: str, user: str, password: str, timeout: float, patience: Patience | None, on_event: OnEvent
) -> Iterator[Client]:
    """A client that is logged in."""
    require("requests", purpose="speaking with coco-annotator")
    from kpt_tools.annotator.address import base_address, in_the_clear
    from kpt_tools.annotator.client import Client
    from kpt_tools.annotator.transport import Patience, Transport

    base = base_address(url)
    if user and in_the_clear(base):
        text = f"{base} is not encrypted: others on the way can read the password. Use https, or a tunnel."
        on_event({"kind": "warning", "text": text})
    with contextlib.closing(Client(Transport(base, patience or Patience(read_s=timeout)))) as client:
        if user:
            on_event({"kind": "phase", "name": "logging in"})
            client.login(user, password)
        yield client


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
        """Find out whether the server knows ``original``: if not, both ways give the same re-encoded JPEG."""
        beside = target.with_name(f".{target.name}.reencoded")
        try:
            self.client.download(file.image, beside, original=False)
            same = beside.read_bytes() == target.read_bytes()
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


def _keypoints(client: Client, dataset: RemoteDataset, report: Report) -> dict[str, tuple[str, ...]]:
    """Keypoint names of the data set's categories, from its export: the list of pictures does not have them."""
    try:
        _, raw = client.coco(dataset)
    except ConfigError as exc:
        message = f"whether keypoints have the same order on the server is not checked: {exc}"
        report.add("upload-keypoints-unchecked", "warning", message)
        return {}
    rows = root_lists(raw, f"data set '{dataset.name}'")["categories"]
    return {str(row.get("name")).lower(): tuple(map(str, row.get("keypoints") or ())) for row in rows}


def _refuse_loss(upload: Upload, config: PushConfig, report: Report) -> None:
    """Stop before anything is sent, if the importer would lose or spoil objects."""
    total = upload.lost + len(upload.coco["annotations"])
    errors = report.of_severity("error")
    first = f" First: {errors[0].message}" if errors else ""
    if not upload.coco["annotations"]:
        raise DataError(f"{config.file}: none of its {total} objects would be kept; nothing was sent.{first}")
    if upload.lost and not (config.partial or config.dry_run):
        raise DataError(
            f"{config.file}: {upload.lost} of {total} objects would be lost; nothing was sent.{first} See all with "
            "--dry-run, or send the others with --partial."
        )


def _hand_over(
    client: Client,
    dataset: RemoteDataset,
    upload: Upload,
    config: PushConfig,
    report: Report,
    on_event: OnEvent,
) -> Import | None:
    """Send, and wait until the importer is done."""
    on_event({"kind": "phase", "name": "sending"})
    task = client.upload(dataset, config.file.name, json.dumps(upload.coco).encode("utf-8"))
    on_event({"kind": "phase", "name": "waiting for the importer"})
    imported = _wait(client, task, config.wait) if task is not None and config.wait else None
    for line in imported.log if imported else ():
        report.add("upload-importer", "warning", f"coco-annotator's importer: {line}")
    if imported and not imported.completed:
        message = f"the importer was not done after {config.wait:g} s; see under Tasks in coco-annotator."
        report.add("upload-unfinished", "warning", message)
    return imported


def _wait(client: Client, task: int, seconds: float) -> Import | None:
    end = time.monotonic() + seconds
    while True:
        found = client.progress(task)
        if found is None or found.completed or time.monotonic() >= end:
            return found
        time.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))
