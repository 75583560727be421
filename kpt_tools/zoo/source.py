"""Where an archive comes from: the zoo's server, another one, or a file that is here already."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from kpt_tools.errors import ConfigError
from kpt_tools.zoo.catalogue import ZooModel


def locate(model: ZooModel, url: str | None) -> str | Path:
    """The URL or the file of a model's archive.

    Args:
        model: the model.
        url: None: the zoo's own server. Else an http or https URL, or a path: of the archive itself, or of the folder
            that it lies in under its own file name.

    Raises:
        ConfigError: not a URL that can be read, or there is no such file.
    """
    if url is None:
        return model.url
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return _remote(model, url)
    if parts.scheme == "file":
        return _local(model, Path(url2pathname(parts.path)))
    if "://" in url:
        raise ConfigError(f"--url {url}: '{parts.scheme}' is not supported; expected http, https or a path.")
    return _local(model, Path(url))


def public(url: str) -> str:
    """`url` without query and fragment, which may hold secrets: what is printed and stored."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _remote(model: ZooModel, url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc:
        raise ConfigError(
            f"--url {parts.scheme}://...: expected a host without user name, such as https://host/models."
        )
    if parts.path.endswith((".tar.gz", ".tgz")):
        return url
    return parts._replace(path=f"{parts.path.rstrip('/')}/{model.archive}").geturl()


def _local(model: ZooModel, path: Path) -> Path:
    file = path / model.archive if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"--url: no such file {file}; expected the archive {model.archive} or its folder.")
    return file
