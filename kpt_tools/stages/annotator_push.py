"""`kpt-tools annotator push`: hand pre-annotations to coco-annotator."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kpt_tools.annotations.coco import root_lists
from kpt_tools.config.annotator import PushConfig
from kpt_tools.entities import Finding, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json
from kpt_tools.stages.annotator_session import OnEvent, session

if TYPE_CHECKING:
    from kpt_tools.annotator.client import Client, Import, RemoteDataset
    from kpt_tools.annotator.transport import Patience
    from kpt_tools.annotator.upload_check import Upload

_POLL_S = 1.0
_SETTLE_S = 5.0


@dataclass(frozen=True)
class PushResult:
    """What was handed over.

    Attributes:
        images: pictures that get objects.
        objects: objects that were sent, or would be in a dry run.
        lost: objects that were left out.
        sent: whether anything was.
        imported: how far the importer came; None if it was not asked, or does not tell.
        missing: objects that were sent and are not in the data set afterwards, as far as its export could be asked.
        findings: everything worth knowing.
    """

    images: int
    objects: int
    lost: int
    sent: bool
    imported: Import | None
    findings: tuple[Finding, ...]
    missing: int = 0

    @property
    def incomplete(self) -> bool:
        """Whether something did not arrive."""
        return bool(self.lost or self.missing or (self.imported and (self.imported.errors or self.imported.warnings)))


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
    with session(config.url, config.user, password, config.timeout, patience, on_event) as client:
        from kpt_tools.annotator.upload_check import Remote, check_upload

        dataset = client.dataset(config.dataset)
        on_event({"kind": "phase", "name": "comparing"})
        report = Report()
        keypoints = _keypoints(client, dataset, report)
        remote = Remote(client.listing(dataset), keypoints or {}, config.new_categories)
        upload = check_upload(raw, config.file.name, remote)
        report.extend(upload.findings)
        _refuse_loss(upload, config, report)
        imported = None if config.dry_run else _hand_over(client, dataset, upload, config, report, on_event)
        done = imported is not None and imported.completed and keypoints is not None
        missing = _missing(client, dataset, upload, config, report) if done else 0
    return PushResult(
        images=len(upload.coco["images"]),
        objects=len(upload.coco["annotations"]),
        lost=upload.lost,
        sent=not config.dry_run,
        imported=imported,
        findings=tuple(report.findings),
        missing=missing,
    )


def _keypoints(client: Client, dataset: RemoteDataset, report: Report) -> dict[str, tuple[str, ...]] | None:
    """Keypoint names of the data set's categories, from its export: the list of pictures does not have them.

    None if the user may not export it.
    """
    try:
        _, raw = client.coco(dataset)
    except ConfigError as exc:
        message = f"whether keypoints have the same order on the server is not checked: {exc}"
        report.add("upload-keypoints-unchecked", "warning", message)
        return None
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


def _missing(client: Client, dataset: RemoteDataset, upload: Upload, config: PushConfig, report: Report) -> int:
    """How many objects the data set does not have after the import; its export is asked again for a few seconds.

    The importer says that it is done just before it saves the last object.
    """
    from kpt_tools.annotator.arrival import not_kept

    end = time.monotonic() + min(_SETTLE_S, config.wait)
    while True:
        _, raw = client.coco(dataset)
        lost = not_kept(upload.coco, root_lists(raw, f"data set '{dataset.name}'"))
        if not lost or time.monotonic() >= end:
            break
        time.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))
    if lost:
        names = {row["id"]: str(row["file_name"]) for row in upload.coco["images"]}
        classes = {row["id"]: str(row["name"]) for row in upload.coco["categories"]}
        of_class = ", ".join(sorted({f"'{classes[row['category_id']]}'" for row in lost}))
        message = (
            f"{len(lost)} of {len(upload.coco['annotations'])} objects are not in the data set after the import "
            f"({of_class}). The importer takes the first class of that name in the whole of coco-annotator, in any "
            "spelling: if other data sets have one, rename that of this data set, and in the file."
        )
        report.add("upload-not-kept", "error", message, image=names[lost[0]["image_id"]])
    return len(lost)
