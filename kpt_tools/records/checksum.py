"""CRC-32C, which TFRecord files carry, by the package crc32c."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import cast

Crc32c = Callable[[bytes | memoryview, int, int], int]
_KEEP_LOCK = 0
"""Python's lock is kept: a checksum takes less time than letting another thread on and waiting for it again."""


@cache
def _function() -> Crc32c:
    """The package's function, from its compiled part alone where that is found.

    The package itself reads its own metadata when it is imported, which takes longer than all the checksums of a small
    data set.
    """
    package = find_spec("crc32c")
    places = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec("crc32c._crc32c", places) if places else None
    if spec is None or spec.loader is None:
        return cast(Crc32c, importlib.import_module("crc32c").crc32c)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(Crc32c, module.crc32c)


def crc32c(data: bytes | memoryview, before: int = 0) -> int:
    """The CRC-32C of `data`, or of what had the CRC-32C `before` with `data` behind it (RFC 3720, section 12.1)."""
    return _function()(data, before, _KEEP_LOCK)
