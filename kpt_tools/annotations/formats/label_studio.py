"""Label Studio's JSON export: tasks with rectangles and keypoints in percent of the image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import IMAGE_SUFFIXES, Format, ReadOptions
from kpt_tools.annotations.formats.drafts import Picture, assemble
from kpt_tools.annotations.formats.label_studio_regions import Regions
from kpt_tools.annotations.formats.label_studio_write import NAME, write
from kpt_tools.annotations.json_values import as_text, shown
from kpt_tools.entities import Dataset, Report
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json

# Label Studio puts eight hexadecimal digits before the name of an uploaded file.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")
_ANNOTATIONS = ("annotations", "completions")


def read(path: Path, options: ReadOptions) -> tuple[Dataset, Report]:
    """Read an export of the kind "JSON".

    Raises:
        ConfigError: there is no such file.
        DataError: it is not such an export.
    """
    return parse(read_json(path, what="JSON export of Label Studio"), str(path), options)


def is_task(row: object) -> bool:
    """Whether `row` looks like an annotated task of the JSON export."""
    return isinstance(row, dict) and isinstance(row.get("data"), dict) and any(key in row for key in _ANNOTATIONS)


def parse(raw: object, source: str, options: ReadOptions) -> tuple[Dataset, Report]:
    """The data set of a parsed export.

    Raises:
        DataError: it is not a list of tasks.
    """
    if not isinstance(raw, list) or (raw and not any(is_task(row) for row in raw)):
        raise DataError(
            f"{source}: {shown(raw)} is no list of tasks with 'data' and 'annotations'; expected Label Studio's export "
            "of the kind 'JSON' (not 'JSON-MIN'). Export it again."
        )
    report = Report()
    urls = [_image_url(row, f"{source}: task {n}", report) for n, row in enumerate(raw)]
    names = _names([url for url in urls if url])
    regions = Regions(source, report)
    pictures = []
    for number, (row, url) in enumerate(zip(raw, urls, strict=True)):
        if url:
            results = _results(row, names[url], f"{source}: task {row.get('id', number)}", report)
            pictures.append(_picture(names[url], row, regions.of(results, names[url])))
    regions.tell_others()
    return assemble(pictures, options, source, report), report


def _image_url(row: object, where: str, report: Report) -> str:
    """The address of the task's image: ``data.image``, or the only value of ``data`` that ends like an image."""
    if not is_task(row) or not isinstance(row, dict):
        report.extend([finding("label-invalid", f"{where}: {shown(row)} is no annotated task; left out.")])
        return ""
    data: Mapping[str, Any] = row["data"]
    texts = {key: value for key, value in data.items() if as_text(value) and as_text(_path_of(value))}
    pictures = [value for value in texts.values() if PurePosixPath(_path_of(value)).suffix.lower() in IMAGE_SUFFIXES]
    url = texts.get("image") or (pictures[0] if len(pictures) == 1 else "")
    if not url:
        message = f"{where}: data is {shown(data)}; expected the address of one image. Left out."
        report.extend([finding("label-invalid", message)])
    return url


def _path_of(url: str) -> str:
    """The path that an address means; for local files that behind ``?d=``; without the prefix of an upload."""
    parts = urlsplit(url)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0].lstrip("/")
    path = unquote(parts.path).lstrip("/")
    if path.startswith("data/upload/"):
        folder, _, name = path.rpartition("/")
        return f"{folder}/{_UPLOAD.sub('', name)}"
    return path


def _names(urls: Sequence[str]) -> dict[str, str]:
    """A file name for each address: for local files and relative paths the path, else the base name if it is unique."""
    paths = {url: _path_of(url) for url in urls}
    counts = Counter(PurePosixPath(path).name for path in paths.values())
    names = {}
    for url, path in paths.items():
        base = PurePosixPath(path).name
        local = "d" in parse_qs(urlsplit(url).query) or not (url.startswith("/") or urlsplit(url).scheme)
        names[url] = base if counts[base] == 1 and not local else path
    return names


def _results(row: Mapping[str, Any], image: str, where: str, report: Report) -> list[Any]:
    """The regions of the annotation that counts: the ground truth if one is marked so, else the first that stands."""
    key = next(key for key in _ANNOTATIONS if key in row)
    rows = row[key] if isinstance(row[key], list) else []
    standing = [entry for entry in rows if isinstance(entry, dict) and not entry.get("was_cancelled")]
    truths = [entry for entry in standing if entry.get("ground_truth")]
    if not standing:
        return []
    if len(standing) > 1:
        which = "the ground truth" if len(truths) == 1 else "the first"
        message = f"{where}: '{image}' has {len(standing)} annotations; {which} is taken."
        report.extend([finding("annotation-chosen", message, image=image)])
    chosen = truths[0] if len(truths) == 1 else standing[0]
    result = chosen.get("result")
    return result if isinstance(result, list) else []


def _picture(name: str, row: Mapping[str, Any], found: Picture) -> Picture:
    """`found` with the size from the task's data, if no region told it."""
    width, height = row["data"].get("width"), row["data"].get("height")
    if not found.width and isinstance(width, int) and isinstance(height, int):
        return Picture(name, width, height, found.shapes, found.points)
    return found


FORMAT = Format(NAME, read, write, upright=True, is_file=True)
