"""Where the objects of a data set are kept while it is prepared: in memory, or in a temporary database on disk.

The database is SQLite's own temporary one: in a file without a name, in the folder that ``SQLITE_TMPDIR`` or
``TMPDIR`` names (else ``/var/tmp``), as soon as it is larger than its cache.
"""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kpt_tools.entities import Instance

if TYPE_CHECKING:
    import sqlite3

IN_MEMORY_UP_TO = 16 << 20
"""In bytes of JSON."""
_CACHE_KIB = 16 * 1024
_MOST_INTEGER = 2**63


class ObjectStore(Protocol):
    """What is kept; one thread at a time may use it.

    Attributes:
        num_objects: how many `add` took.
        sample_bytes: about how many bytes the objects of samples take.
        can_be_copied: whether a copy of this process can read what is in it.
    """

    num_objects: int
    sample_bytes: int
    can_be_copied: bool

    def close(self) -> None:
        """Forget all."""

    def add(self, instance: Instance) -> int | None:
        """Keep an object, unless there is one of its id: then the image id of that one is returned."""

    def objects_of(self, image_id: int) -> tuple[Instance, ...]:
        """The objects of an image, in the order of `add`."""

    def put_instances(self, place: int, instances: Sequence[Instance]) -> None:
        """Keep the objects of a sample; places are 0, 1, 2, ..."""

    def packed_instances_at(self, place: int) -> bytes:
        """The objects of a sample that were kept, for `unpacked`."""


def object_store(path: Path) -> ObjectStore:
    """What suits the objects of a JSON: those of a small one are kept in memory."""
    return Memory() if path.is_file() and path.stat().st_size <= IN_MEMORY_UP_TO else Database()


def unpacked(data: bytes) -> list[Instance]:
    """The objects of a sample."""
    return [Instance(*row) for row in marshal.loads(data)]


class Memory:
    """Objects in memory, packed: a tenth of what they take unpacked, and nothing for the garbage collector to visit."""

    can_be_copied = True

    def __init__(self) -> None:
        """Make an empty one."""
        self._image_of: dict[int, int] = {}
        self._by_image: dict[int, list[bytes]] = {}
        self._samples: list[bytes] = []
        self.num_objects = self.sample_bytes = 0

    def close(self) -> None:
        """See `ObjectStore`."""
        self._image_of, self._by_image, self._samples = {}, {}, []

    def add(self, instance: Instance) -> int | None:
        """See `ObjectStore`."""
        if instance.id in self._image_of:
            return self._image_of[instance.id]
        self._image_of[instance.id] = instance.image_id
        self._by_image.setdefault(instance.image_id, []).append(marshal.dumps(_plain(instance)))
        self.num_objects += 1
        return None

    def objects_of(self, image_id: int) -> tuple[Instance, ...]:
        """See `ObjectStore`."""
        return tuple([Instance(*marshal.loads(data)) for data in self._by_image.get(image_id, ())])

    def put_instances(self, place: int, instances: Sequence[Instance]) -> None:
        """See `ObjectStore`."""
        assert place == len(self._samples), "one after the other"
        self._samples.append(marshal.dumps([_plain(each) for each in instances]))
        self.sample_bytes += len(self._samples[-1])

    def packed_instances_at(self, place: int) -> bytes:
        """See `ObjectStore`."""
        return self._samples[place]


class Database:
    """Objects in a temporary database on disk."""

    can_be_copied = False

    def __init__(self) -> None:
        """Make an empty one."""
        import sqlite3

        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in (f"cache_size = -{_CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE objects (id UNIQUE, image, data BLOB)")
        self._connection.execute("CREATE TABLE samples (place INTEGER PRIMARY KEY, data BLOB)")
        self._connection.execute("BEGIN")
        self.num_objects = self.sample_bytes = 0
        self._indexed = False

    def close(self) -> None:
        """Remove it from the disk."""
        self._connection.close()

    def add(self, instance: Instance) -> int | None:
        """See `ObjectStore`."""
        data = marshal.dumps(_plain(instance))
        key = _key(instance.id)
        rows = self._run("INSERT OR IGNORE INTO objects VALUES (?, ?, ?)", key, _key(instance.image_id), data)
        if rows.rowcount == 1:
            self.num_objects += 1
            return None
        ((known,),) = self._run("SELECT image FROM objects WHERE id = ?", key)
        return int(known)

    def objects_of(self, image_id: int) -> tuple[Instance, ...]:
        """See `ObjectStore`."""
        if not self._indexed:
            self._run("CREATE INDEX by_image ON objects (image)")
            self._indexed = True
        rows = self._run("SELECT data FROM objects WHERE image = ? ORDER BY rowid", _key(image_id))
        return tuple([Instance(*marshal.loads(data)) for (data,) in rows])

    def put_instances(self, place: int, instances: Sequence[Instance]) -> None:
        """See `ObjectStore`."""
        data = marshal.dumps([_plain(each) for each in instances])
        self._run("INSERT INTO samples VALUES (?, ?)", place, data)
        self.sample_bytes += len(data)

    def packed_instances_at(self, place: int) -> bytes:
        """See `ObjectStore`."""
        ((data,),) = self._run("SELECT data FROM samples WHERE place = ?", place)
        return bytes(data)

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)


def _key(number: int) -> int | str:
    """Ids may be any whole numbers; those that SQLite cannot hold are stored as text."""
    return number if -_MOST_INTEGER <= number < _MOST_INTEGER else str(number)


def _plain(instance: Instance) -> Any:
    return (
        instance.id,
        instance.image_id,
        instance.category_id,
        instance.box_xywh_px,
        instance.area_px,
        instance.keypoints_xyv,
        instance.iscrowd,
        instance.segmentation,
    )
