"""Which COCO JSON a command means when none is named."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.errors import ConfigError

DEFAULT_FOLDER = Path("dataset/annotations")


def find_annotations(given: Path | None) -> Path:
    """The JSON file `given`, or the only one in the folder `given` (``dataset/annotations`` if None).

    Raises:
        ConfigError: there is none, or there are several.
    """
    if given is not None and not given.is_dir():
        return given
    folder = given or DEFAULT_FOLDER
    found = sorted(path for path in folder.glob("*.json") if path.is_file()) if folder.is_dir() else []
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found[:8]) + (", ..." if len(found) > 8 else "")
        raise ConfigError(f"{folder}: {len(found)} JSON files ({names}); expected one. Name the one you mean.")
    raise ConfigError(f"{folder}: no JSON file; expected a COCO JSON. Put the export there, or name it.")
