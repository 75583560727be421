"""The files that come with kpt-tools: templates and example label maps.

They live at the top of the repository; a wheel carries them inside the package.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import read_text
from kpt_tools.pipeline.template import Template, parse_template

_TEMPLATES, _TEMPLATE_SUFFIX = "pipeline_templates", ".config"
_LABEL_MAPS, _LABEL_MAP_SUFFIX = "label_maps", ".pbtxt"


def template_names() -> tuple[str, ...]:
    """Names of the shipped templates, sorted."""
    return _names(_TEMPLATES, _TEMPLATE_SUFFIX)


def label_map_names() -> tuple[str, ...]:
    """Names of the label maps that are there: the shipped examples, and in a checkout the user's own."""
    return _names(_LABEL_MAPS, _LABEL_MAP_SUFFIX)


def load_template(name: str) -> Template:
    """A shipped template by name, or any file by a path that ends in ``.config``.

    Raises:
        ConfigError: there is none, or it is malformed.
    """
    if name.endswith(_TEMPLATE_SUFFIX):
        path = Path(name)
        return parse_template(path.stem, read_text(path, what="template of a pipeline.config"))
    names = template_names()
    if name not in names:
        raise ConfigError(f"--template: there is no template '{name}'{did_you_mean(name, names)}")
    return parse_template(name, _folder(_TEMPLATES).joinpath(name + _TEMPLATE_SUFFIX).read_text(encoding="utf-8"))


def load_label_map_text(name: str) -> str:
    """The text of a label map by name.

    Raises:
        ConfigError: there is none.
    """
    names = label_map_names()
    if name not in names:
        raise ConfigError(f"there is no label map '{name}'{did_you_mean(name, names)}")
    text: str = _folder(_LABEL_MAPS).joinpath(name + _LABEL_MAP_SUFFIX).read_text(encoding="utf-8")
    return text


def _names(folder: str, suffix: str) -> tuple[str, ...]:
    files = (entry.name for entry in _folder(folder).iterdir())
    return tuple(sorted(name.removesuffix(suffix) for name in files if name.endswith(suffix)))


def _folder(name: str) -> Any:
    """The folder `name` of a checkout, else the one that the installed package carries (a Traversable)."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "setup.py").is_file() and (checkout / name).is_dir():
        return checkout / name
    packaged = resources.files("kpt_tools").joinpath(name)
    if not packaged.is_dir():
        raise ConfigError(f"the installed kpt-tools lacks its folder '{name}'. Install it again.")
    return packaged
