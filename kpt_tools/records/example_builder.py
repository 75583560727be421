"""``tf.train.Example``, written field by field as the Protocol Buffers wire format says.

Faster than message classes, and without loading any. Schema: tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

PICTURE = "image/encoded"
Parts = tuple[bytes, bytes, bytes]
"""A record in three pieces, the middle one a picture; joined they are the record."""
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3
"""Their numbers in the message Feature."""


class ExampleBuilder:
    """Collects features, and writes the bytes that protobuf's deterministic serialization has for them."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[str, bytes] = {}

    def add_bytes(self, name: str, values: Iterable[bytes | str]) -> None:
        """Set a list of byte strings; texts are written as UTF-8."""
        self.add_joined(name, joined(values))

    def add_joined(self, name: str, values: bytes) -> None:
        """Set a list of byte strings that `joined` gave."""
        self._entries[name] = _entry_head(name, _BYTES_LIST, len(values)) + values

    def add_floats(self, name: str, values: Sequence[float]) -> None:
        """Set a list of 32-bit floats."""
        count = len(values)
        self._entries[name] = _entry_head(name, _FLOAT_LIST, 4 * count) + struct.pack(f"<{count}f", *values)

    def add_ints(self, name: str, values: Sequence[int]) -> None:
        """Set a list of whole numbers; bools become 0 and 1.

        Raises:
            ValueError: a number does not fit into 64 bits.
        """
        packed = bytes(values) if _all_short(values) else b"".join(map(_varint, values))
        self._entries[name] = _entry_head(name, _INT64_LIST, len(packed)) + packed

    def serialize(self) -> bytes:
        """The message as bytes, its features in the order of their names."""
        return _sized(1, self._in_order())

    def serialize_around(self, value: bytes) -> Parts:
        """What `serialize` gives after ``add_bytes("image/encoded", [value])``, in pieces: `value` is not copied.

        Raises:
            ValueError: a feature comes before it in the order of names.
        """
        if self._entries and min(self._entries) <= PICTURE:
            raise ValueError(f"{PICTURE} is not the first of {sorted(self._entries)}")
        rest = self._in_order()
        tag = _tag(1, len(value))
        head = _entry_head(PICTURE, _BYTES_LIST, len(tag) + len(value)) + tag
        return _tag(1, len(head) + len(value) + len(rest)) + head, value, rest

    def _in_order(self) -> bytes:
        return b"".join([self._entries[name] for name in sorted(self._entries)])


def joined(values: Iterable[bytes | str]) -> bytes:
    """Byte strings as they stand in a BytesList; what two calls give can be put together."""
    return b"".join([_sized(1, value.encode() if isinstance(value, str) else value) for value in values])


@lru_cache(maxsize=4096)
def _entry_head(name: str, kind: int, length: int) -> bytes:
    """What stands before the values of a feature in the map of features.

    Args:
        name: the key.
        kind: of the list.
        length: of the values in bytes.
    """
    head = _tag(1, length) if kind != _BYTES_LIST and length else b""  # numbers are packed into one field of the list
    head = _tag(kind, len(head) + length) + head
    head = _sized(1, name.encode()) + _tag(2, len(head) + length) + head
    return _tag(1, len(head) + length) + head


def _all_short(values: Sequence[int]) -> bool:
    """Whether each number is written as one byte, that of its value."""
    return not values or (min(values) >= 0 and max(values) <= 0x7F)


def _varint(number: int) -> bytes:
    """A whole number as the Protocol Buffers wire format has it; negative ones as two's complement of 64 bits.

    Raises:
        ValueError: it does not fit into 64 bits.
    """
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} does not fit into 64 bits")
    number &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _tag(number: int, length: int) -> bytes:
    """The tag of a length-delimited field, and its length."""
    return bytes((number << 3 | 2, length)) if length <= 0x7F else bytes((number << 3 | 2,)) + _varint(length)


def _sized(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return _tag(number, len(data)) + data
