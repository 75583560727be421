"""Which keypoints exchange their places in a mirror image, read from their names.

In a mirror image the left ear becomes a right ear: a flip has to exchange the two slots, or the
network learns that both names mean both ears.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kpt_tools.config.base import did_you_mean
from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError

_WORDS = {"left": ("left", "right"), "right": ("right", "left")}
_LETTERS = {"l": ("left", "right"), "r": ("right", "left")}
_HEIGHTS = {"top": ("top", "bottom"), "bottom": ("bottom", "top")}
_SideTable = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Flips:
    """What a mirror image does to keypoint slots.

    Attributes:
        pairs: slot ids that exchange in a left-right mirror image, the lower one first, ascending.
        vertical_pairs: the same for an upside-down mirror image. It exchanges anatomical left and right
            just as well; corners named top/bottom exchange top and bottom instead.
        num_keypoints: number of slots.
        warnings: one line per name that has a side but no partner.
    """

    pairs: tuple[tuple[int, int], ...]
    vertical_pairs: tuple[tuple[int, int], ...]
    num_keypoints: int
    warnings: tuple[str, ...] = ()

    @property
    def permutation(self) -> tuple[int, ...]:
        """Slot i of the flipped image takes what was in slot ``permutation[i]``."""
        return _permutation(self.pairs, self.num_keypoints)

    @property
    def vertical_permutation(self) -> tuple[int, ...]:
        """As `permutation`, for an upside-down mirror image."""
        return _permutation(self.vertical_pairs, self.num_keypoints)


def find_flips(label_map: LabelMap, given: str | None = None) -> Flips:
    """Pair the keypoints of each class by name, or as the user says.

    Names pair when they differ by left/right, by a separate l/r (``l_ear``, ``earL``, ``paw_R1``), or by
    left/right at either end of a word (``leftear``). Only names of one class pair.

    Args:
        label_map: classes and slots.
        given: ``"a:b,c:d"`` replaces the pairs found, ``"none"`` says that there are none.

    Raises:
        ConfigError: `given` is malformed, or has a name that no class has, or that occurs twice.
    """
    if given is not None:
        pairs = tuple(sorted(_given_pairs(label_map, given)))
        vertical = tuple(pair for item in label_map.items for pair in _vertical(item, _within(item, pairs)))
        return Flips(pairs, tuple(sorted(vertical)), label_map.num_keypoints)
    found: list[tuple[int, int]] = []
    vertical_found: list[tuple[int, int]] = []
    warnings: list[str] = []
    for item in label_map.items:
        pairs_of_item, lonely = _pairs_of(item.keypoints)
        found += pairs_of_item
        vertical_found += _vertical(item, pairs_of_item)
        warnings += [_lonely_warning(item, name) for name in lonely]
    return Flips(tuple(sorted(found)), tuple(sorted(vertical_found)), label_map.num_keypoints, tuple(warnings))


def names_of(pairs: Iterable[tuple[int, int]], label_map: LabelMap) -> tuple[tuple[str, str], ...]:
    """The labels of pairs of slots, for people to check."""
    label_of = {k.id: k.label for item in label_map.items for k in item.keypoints}
    return tuple((label_of[a], label_of[b]) for a, b in pairs)


def _permutation(pairs: Iterable[tuple[int, int]], count: int) -> tuple[int, ...]:
    slots = list(range(count))
    for a, b in pairs:
        slots[a], slots[b] = b, a
    return tuple(slots)


def _lonely_warning(item: LabelMapItem, name: str) -> str:
    return (
        f"class '{item.name}': keypoint '{name}' names a side, but its mirror partner was not found (or not just one); "
        "it stays in place under a flip. Check the names, or give the pairs with --flip-pairs."
    )


def _pairs_of(keypoints: Iterable[KeypointLabel]) -> tuple[list[tuple[int, int]], list[str]]:
    """Pairs of slots within one class, and the names that ask for a partner in vain."""
    groups: dict[tuple[str, ...], dict[str, list[KeypointLabel]]] = {}
    for keypoint in keypoints:
        for side, rest in _side_of(keypoint.name):
            groups.setdefault(rest, {"left": [], "right": []})[side].append(keypoint)
    pairs: list[tuple[int, int]] = []
    lonely: list[str] = []
    for rest, group in groups.items():
        if len(group["left"]) == len(group["right"]) == 1:
            a, b = group["left"][0].id, group["right"][0].id
            pairs.append((min(a, b), max(a, b)))
        elif _certain(rest):
            lonely += [keypoint.name for side in group.values() for keypoint in side]
    return pairs, lonely


def _certain(rest: tuple[str, ...]) -> bool:
    """Whether the name certainly names a side: 'bright' ends with 'right' by chance."""
    return not any("<side>" in token and not token.startswith("<side>") for token in rest)


def _side_of(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The side that a name names, with the name's tokens after the side is taken out; nothing if there is none."""
    tokens = [token.casefold() for token in _tokens(name)]
    for table, mark in ((_WORDS, "<side>"), (_LETTERS, "<side>l")):
        hits = [token for token in tokens if token in table]
        if hits:
            if len({table[token][0] for token in hits}) == 1:
                yield table[hits[0]][0], tuple(mark if token in table else token for token in tokens)
            return
    for index, token in enumerate(tokens):
        for word, (side, _) in _WORDS.items():
            if token.startswith(word) or token.endswith(word):
                rest = f"<side>{token[len(word) :]}" if token.startswith(word) else f"{token[: -len(word)]}<side>"
                yield side, (*tokens[:index], rest, *tokens[index + 1 :])
                return


def _tokens(name: str) -> list[str]:
    """Words of a name: parted by other signs than letters and digits, by digits, and by camelCase."""
    tokens = [""]
    for index, char in enumerate(name):
        if not char.isalnum():
            tokens.append("")
            continue
        following = name[index + 1 : index + 2]
        if tokens[-1] and _parts(tokens[-1][-1], char, following):
            tokens.append("")
        tokens[-1] += char
    return [token for token in tokens if token]


def _parts(before: str, char: str, following: str) -> bool:
    camel = before.islower() and char.isupper()
    acronym_end = before.isupper() and char.isupper() and following.islower()
    return before.isdigit() != char.isdigit() or camel or acronym_end


def _vertical(item: LabelMapItem, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of an upside-down mirror image: top/bottom if the class names heights, else the left-right pairs."""
    by_rest: dict[tuple[str, ...], dict[str, int]] = {}
    for keypoint in item.keypoints:
        tokens = [token.casefold() for token in _tokens(keypoint.name)]
        heights = [token for token in tokens if token in _HEIGHTS]
        if len(heights) == 1:
            rest = tuple("<height>" if token in _HEIGHTS else token for token in tokens)
            by_rest.setdefault(rest, {})[heights[0]] = keypoint.id
    found = [(min(group.values()), max(group.values())) for group in by_rest.values() if len(group) == 2]
    return found or list(pairs)


def _within(item: LabelMapItem, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    slots = {keypoint.id for keypoint in item.keypoints}
    return [pair for pair in pairs if pair[0] in slots]


def _given_pairs(label_map: LabelMap, given: str) -> list[tuple[int, int]]:
    if given.strip().casefold() == "none":
        return []
    pairs: list[tuple[int, int]] = []
    for part in given.split(","):
        a, colon, b = (word.strip() for word in part.partition(":"))
        if not (a and colon and b) or ":" in b:
            raise ConfigError(
                f"--flip-pairs: '{part.strip()}' is not a pair; expected left_ear:right_ear,left_eye:right_eye or none."
            )
        pairs += _slots_of_pair(label_map, a, b)
    _refuse_reuse(pairs, label_map)
    return pairs


def _slots_of_pair(label_map: LabelMap, a: str, b: str) -> list[tuple[int, int]]:
    """Slots of a pair in every class that has both names."""
    tables = [{key: k.id for k in item.keypoints for key in (k.name, k.label)} for item in label_map.items]
    known = {name: 0 for table in tables for name in table}
    for name in (a, b):
        if name not in known:
            raise ConfigError(f"--flip-pairs: no class has a keypoint '{name}'{did_you_mean(name, known)}")
    pairs = [(min(table[a], table[b]), max(table[a], table[b])) for table in tables if a in table and b in table]
    if not pairs:
        raise ConfigError(f"--flip-pairs: '{a}' and '{b}' belong to different classes; a pair must lie within one.")
    return pairs


def _refuse_reuse(pairs: list[tuple[int, int]], label_map: LabelMap) -> None:
    seen: set[int] = set()
    for a, b in pairs:
        for slot in (a, b):
            if slot in seen or a == b:
                name = names_of([(slot, slot)], label_map)[0][0]
                raise ConfigError(f"--flip-pairs: '{name}' occurs more than once; each keypoint has one partner.")
        seen |= {a, b}
