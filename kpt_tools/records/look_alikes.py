"""Pictures that are the same, or look nearly the same, within a data set and across two.

Each picture becomes 16x16 grey cells, free of brightness and contrast. Two pictures look alike if all of their
cells are nearly equal: a copy in another size or JPEG quality differs by less than 0.2 standard deviations in its
worst cell; frames of a static camera in which only a small animal has moved differ by more than 0.35 in the cells
that it left and entered, though they agree nearly everywhere else.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.parallel import Mapper, map_items
from kpt_tools.records.pixels import to_8_bit
from kpt_tools.records.progress import Progress, silent

GRID = 16
_DRAFT_PX = 128
_LEAST_CONTRAST = 12.0
"""Grey levels: flatter pictures are not stretched further, or their noise would be compared."""
_WORST_CELL = 0.35
_MEAN_SQUARE = 0.03
_ASPECT = 0.02
_CANDIDATES = 8
_BLOCK = 512

Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Signature:
    """What is kept of a picture: a digest of its file, its cells as bytes, width by height."""

    digest: bytes
    cells: bytes
    aspect: float


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two pictures, by their places in the sequences compared.

    Attributes:
        index: the picture, in the first sequence.
        other: the one it looks like: an earlier one of the same sequence, or one of the other sequence.
        difference: of the worst cell, in standard deviations of the picture; 0.0 for equal files.
        same_file: equal byte for byte.
    """

    index: int
    other: int
    difference: float
    same_file: bool


class Signatures:
    """The signatures of many pictures, ready to be compared. Pictures that cannot be read are like no other."""

    def __init__(self, signatures: Sequence[Signature | None]) -> None:
        self.signatures = tuple(signatures)

    @cached_property
    def cells(self) -> Cells:
        """[N, 256] cells of mean 0 and standard deviation 1 (less for flat pictures); zeros where unreadable."""
        blank = bytes(GRID * GRID)
        raw = b"".join(blank if each is None else each.cells for each in self.signatures)
        values = np.frombuffer(raw, np.uint8).reshape(-1, GRID * GRID).astype(np.float32)
        values = values - values.mean(axis=1, keepdims=True)
        spread = np.maximum(values.std(axis=1, keepdims=True), np.float32(_LEAST_CONTRAST))
        return np.asarray(values / spread, np.float32)

    @cached_property
    def aspects(self) -> NDArray[np.float64]:
        """[N] width by height; NaN where unreadable."""
        return np.array([np.nan if each is None else each.aspect for each in self.signatures], np.float64)

    def within(self) -> list[LookAlike]:
        """Each picture that is like an earlier one, with the most similar of these."""
        return self._compare(self, earlier=True)

    def across(self, other: Signatures) -> list[LookAlike]:
        """Each picture that is like one of `other`, with the most similar of these."""
        return self._compare(other, earlier=False)

    def _compare(self, other: Signatures, *, earlier: bool) -> list[LookAlike]:
        files: dict[bytes, int] = {}
        if not earlier:
            files = {each.digest: i for i, each in reversed(list(enumerate(other.signatures))) if each}
        found = []
        for start in range(0, len(self.signatures), _BLOCK):
            near = self._candidates(other, start, earlier=earlier)
            for row, candidates in enumerate(near, start=start):
                signature = self.signatures[row]
                if signature is None:
                    continue
                same = files.get(signature.digest)
                if same is not None:
                    found.append(LookAlike(row, same, 0.0, same_file=True))
                    continue
                if earlier:
                    files[signature.digest] = row
                found += self._nearest(other, row, candidates)
        return found

    def _candidates(self, other: Signatures, start: int, *, earlier: bool) -> list[NDArray[np.intp]]:
        """For each row of a block, the pictures of smallest mean square difference, if it is small."""
        rows = slice(start, start + _BLOCK)
        cells, aspects = self.cells[rows], self.aspects[rows]
        limit = min(start + _BLOCK, len(self.signatures)) if earlier else len(other.signatures)
        others = other.cells[:limit]
        squares = (cells**2).mean(axis=1)[:, None] + (others**2).mean(axis=1)[None]
        difference = squares - 2.0 * (cells @ others.T) / (GRID * GRID)
        alike = np.abs(aspects[:, None] / other.aspects[None, :limit] - 1.0) <= _ASPECT
        difference = np.where(alike, difference, np.inf)
        if earlier:
            difference[np.arange(limit)[None, :] >= np.arange(start, start + len(cells))[:, None]] = np.inf
        best = np.argsort(difference, axis=1, kind="stable")[:, :_CANDIDATES]
        return [row[near[row] <= _MEAN_SQUARE] for row, near in zip(best, difference, strict=True)]

    def _nearest(self, other: Signatures, row: int, candidates: NDArray[np.intp]) -> list[LookAlike]:
        worst = [float(np.abs(self.cells[row] - other.cells[index]).max()) for index in candidates]
        if not worst or min(worst) > _WORST_CELL:
            return []
        best = int(np.argmin(worst))
        return [LookAlike(row, int(candidates[best]), round(worst[best], 3), same_file=False)]


def signatures_of(
    paths: Sequence[Path],
    *,
    workers: int = 1,
    progress: Progress = silent,
    mapper: Mapper | None = None,
    read: ReadBytes = Path.read_bytes,
) -> Signatures:
    """Look at all pictures, on `workers` cores or by `mapper`; `read` reads their files."""
    function, what = partial(signature_of, read=read), "comparing images"
    if mapper is not None:
        return Signatures(list(mapper(function, paths, what=what, failed=lambda path, reason: None)))
    return Signatures(list(map_items(function, paths, workers=workers, what=what, progress=progress)))


def signature_of(path: Path, read: ReadBytes = Path.read_bytes) -> Signature | None:
    """The signature of a picture, None if it cannot be decoded (`load_image` tells why); `read` reads its file."""
    from PIL import Image

    try:
        data = read(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures, odd EXIF: told by `load_image`
            with Image.open(io.BytesIO(data)) as image:
                aspect = image.width / image.height
                image.draft("RGB", (_DRAFT_PX, _DRAFT_PX))  # a JPEG is decoded at a fraction of its size
                image.load()
                grey = to_8_bit(image).convert("L").resize((GRID, GRID), Image.Resampling.BOX)
    except Exception:  # damaged files make Pillow raise nearly anything; another step has told it
        return None
    return Signature(hashlib.blake2b(data, digest_size=16).digest(), grey.tobytes(), aspect)
