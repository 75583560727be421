"""`kpt-tools fetch`: a model of the zoo -> a folder under pretrained_models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.fetch import FetchConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import sha256_of
from kpt_tools.stages.unpack_model import ModelArchive, read_record, unpack_model
from kpt_tools.zoo.catalogue import ZooModel, find_model
from kpt_tools.zoo.download import Policy, download
from kpt_tools.zoo.layout import missing_parts
from kpt_tools.zoo.listener import SILENT, Listener
from kpt_tools.zoo.part_file import forget, forget_part, part_of, read_origin
from kpt_tools.zoo.source import locate, public


@dataclass(frozen=True)
class FetchResult:
    """Where the model is, and what it was made from.

    Attributes:
        model: the model.
        folder: its folder.
        already_there: it was there, and nothing was done.
        source: URL or file; "" if that is not known of a model that was there.
        sha256: of the archive; "" if that is not known of a model that was there.
        archive_bytes: size of the archive; 0 if not known.
        resumed_from: bytes that an earlier run had downloaded.
        previous_sha256: that of the archive of the model that was replaced; "" if there was none, or not known.
        left_out: names in the archive beside the model's folder, which were not taken over.
        kept_archive: where the archive is, if it still is.
    """

    model: ZooModel
    folder: Path
    already_there: bool
    source: str
    sha256: str
    archive_bytes: int
    resumed_from: int = 0
    previous_sha256: str = ""
    left_out: tuple[str, ...] = ()
    kept_archive: Path | None = None


@dataclass(frozen=True)
class _Archive:
    path: Path
    source: str
    downloaded: bool
    resumed_from: int = 0


def fetch(config: FetchConfig, listener: Listener = SILENT) -> FetchResult:
    """Download a model of the zoo, verify it, and unpack it into ``pretrained_models/<folder>``.

    Raises:
        ConfigError: unknown model, or a folder is in the way.
        DataError: the archive is not what it should be; a downloaded one is removed.
        KptToolsError: the server cannot give it, or the disk is full.
    """
    model = find_model(config.name)
    folder = config.pretrained_models / model.folder
    if (folder.exists() or folder.is_symlink()) and not config.force:
        return _already_there(model, folder)
    archive = _archive(model, config, listener)
    try:
        result = _install(model, folder, archive, config, listener)
    except DataError as exc:
        if not archive.downloaded:
            raise DataError(f"{exc} Nothing was unpacked; give another file.") from exc
        forget(archive.path)
        raise DataError(
            f"{exc} Nothing was unpacked and the download was removed; try again, or another --url."
        ) from exc
    forget_part(config.pretrained_models / model.archive)
    if archive.downloaded and not config.keep_archive:
        archive.path.unlink(missing_ok=True)
    return result


def _already_there(model: ZooModel, folder: Path) -> FetchResult:
    lacking = missing_parts(folder)
    if lacking:
        raise ConfigError(
            f"{folder}: is there, but is no whole model ({', '.join(lacking)} missing or empty). "
            "Move it away, or replace it with --force."
        )
    record = read_record(folder)
    size = record.get("archive_bytes")
    return FetchResult(
        model,
        folder,
        already_there=True,
        source=str(record.get("source", "")),
        sha256=str(record.get("sha256", "")),
        archive_bytes=size if isinstance(size, int) else 0,
    )


def _archive(model: ZooModel, config: FetchConfig, listener: Listener) -> _Archive:
    """The archive as a file: given, downloaded earlier, put there by the user, or downloaded now."""
    source = locate(model, config.url)
    if isinstance(source, Path):
        return _Archive(source, str(source), downloaded=False)
    target = config.pretrained_models / model.archive
    if target.is_file():
        origin = None if part_of(target).exists() else read_origin(target)
        if origin is None:
            listener.note(f"{target} is there: it is used, nothing is downloaded")
            return _Archive(target, str(target), downloaded=False)
        if origin.url == public(source):
            return _Archive(target, public(source), downloaded=True, resumed_from=target.stat().st_size)
        listener.note(f"{target} comes from {origin.url}: downloading anew")
        forget(target)
    listener.phase("downloading")
    policy = Policy(timeout_s=config.timeout, attempts=config.attempts)
    done = download(source, target, policy=policy, listener=listener)
    return _Archive(done.path, public(source), downloaded=True, resumed_from=done.resumed_from)


def _install(model: ZooModel, folder: Path, archive: _Archive, config: FetchConfig, listener: Listener) -> FetchResult:
    """Verify, unpack beside the final place, and move there."""
    listener.phase("verifying")
    sha256, size = sha256_of(archive.path), archive.path.stat().st_size
    if config.sha256 is not None and config.sha256.lower() != sha256:
        raise DataError(f"{archive.path}: its SHA-256 is {sha256}, expected {config.sha256.lower()}.")
    previous = read_record(folder).get("sha256", "")
    whole = ModelArchive(archive.path, archive.source, sha256, size)
    left_out = unpack_model(whole, folder, model.name, listener)
    kept = archive.path if config.keep_archive or not archive.downloaded else None
    return FetchResult(
        model,
        folder,
        already_there=False,
        source=archive.source,
        sha256=sha256,
        archive_bytes=size,
        resumed_from=archive.resumed_from,
        previous_sha256=str(previous),
        left_out=left_out,
        kept_archive=kept,
    )
