"""The address of a coco-annotator, as people write it."""

from __future__ import annotations

from urllib.parse import urlsplit

from kpt_tools.config.hosts import is_loopback
from kpt_tools.errors import ConfigError


def base_address(url: str) -> str:
    """The address that ``/api`` is put behind.

    What a browser shows (``http://host:5000/#/datasets``) is taken as well as the address of the interface
    (``http://host:5000/api``).

    Raises:
        ConfigError: not an http or https address, or one with a user name or password in it.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f"--url {url}: {exc}; expected an address such as http://localhost:5000.") from exc
    if "@" in parts.netloc:
        raise ConfigError(
            f"--url {parts.scheme}://...@{host}: has a user name in it; expected none. Use --user, and the environment "
            "variable KPT_TOOLS_PASSWORD or the prompt."
        )
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"--url {url}: expected an http or https address such as http://localhost:5000.")
    path = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def in_the_clear(base: str) -> bool:
    """Whether a password sent to this address can be read on the way."""
    parts = urlsplit(base)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
