"""Configuration of `kpt-tools merge`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class MergeConfig:
    """What to merge, and what to do where the inputs meet.

    Attributes:
        annotations: COCO JSONs, two or more; the first one's ids and spellings count.
        out: the JSON to write.
        rename: ``OLD=NEW`` class names.
        ignore_case: class names that differ only in case are one class.
        images: folder of the images: one for all inputs, or one for each.
        images_prefix: put before the file names of each input: one for each.
        same_images: images of one name are the same picture, without looking.
        copy_images: folder for all images; of two different pictures with one name the second gets another.
    """

    annotations: tuple[Path, ...] = ()
    out: Path = Path("merged.json")
    rename: tuple[str, ...] = ()
    ignore_case: bool = False
    images: tuple[Path, ...] = ()
    images_prefix: tuple[str, ...] = ()
    same_images: bool = False
    copy_images: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        count = len(self.annotations)
        if count < 2:
            raise ConfigError(f"{count} JSON to merge; expected two or more.")
        if len(self.images) not in (0, 1, count):
            raise ConfigError(f"--images is given {len(self.images)} times; expected once, or {count} times in order.")
        if len(self.images_prefix) not in (0, count):
            raise ConfigError(
                f"--images-prefix is given {len(self.images_prefix)} times; expected {count} times, one for each JSON."
            )
        if self.copy_images is not None and not self.images:
            raise ConfigError("--copy-images needs --images, the folder(s) to copy from.")
        self.renames()

    def renames(self) -> dict[str, str]:
        """New class name by old one.

        Raises:
            ConfigError: an entry is not ``OLD=NEW``, or one name is renamed twice.
        """
        table: dict[str, str] = {}
        for entry in self.rename:
            old, equals, new = (part.strip() for part in entry.partition("="))
            if not (old and equals and new):
                raise ConfigError(f"--rename '{entry}': expected OLD=NEW, such as --rename Plier=plier.")
            if table.setdefault(old, new) != new:
                raise ConfigError(f"--rename: '{old}' is to become '{table[old]}' and '{new}'; expected one of them.")
        return table
