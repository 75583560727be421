from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    """The folder whose files are at ``shelf://``."""
    from shelf import Shelf

    root = tmp_path / "shelf"
    root.mkdir()
    Shelf.root = root
    yield root
    Shelf.root = Path()
