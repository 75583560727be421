from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kpt_tools.annotations import json_rows
from kpt_tools.annotations.json_rows import FileList, read_rows
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json

WANTED = ("images", "categories", "annotations")

DOCUMENTS: dict[str, str] = {
    "usual": json.dumps({"info": {"a": [1]}, "images": [{"id": 1}, {"id": 2}], "categories": [], "annotations": [{}]}),
    "indented": json.dumps({"images": [{"id": n, "b": [1.5, 2]} for n in range(50)], "annotations": []}, indent=3),
    "any entries": '{"images": [null, true, "x", 1, -2.5e3, [], [[1]], NaN, -Infinity, 12345678901234567890]}',
    "numbers at the border": '{"annotations": [1,22,333,4444,55555,666666,7777777], "images": 12345678}',
    "letters": '{"images": ["\\u00fc\\u2603", "ü☃😀", "\\ud83d\\ude00", "\\ud83d", "a\\"b\\\\"], "ü": [1]}',
    "twice": '{"images": [1], "images": [2, 3]}',
    "not a list": '{"images": {"a": 1}, "categories": "no", "annotations": null}',
    "unwanted list": '{"licenses": [{"id": 1}, {"id": 2}], "images": [1]}',
    "empty": "{}",
    "spaces": ' \n\t{ "images" : [ 1 , 2 ] \r\n, "annotations":[ ] } \n ',
}


@pytest.fixture(autouse=True)
def all_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_WHOLE", -1)


def write(folder: Path, text: str, *, mark: bool = False) -> Path:
    path = folder / "a.json"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    return path


def plain(found: object) -> Any:
    assert isinstance(found, dict)
    return {key: list(value) if isinstance(value, FileList) else value for key, value in found.items()}


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("mark", [False, True], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_values_are_those_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, mark: bool, chunk: int
) -> None:
    monkeypatch.setattr(json_rows, "_CHUNK", chunk)
    path = write(tmp_path, text, mark=mark)
    expected = {key: value for key, value in read_json(path, what="x").items() if key in WANTED}
    found = read_rows(path, WANTED, what="x")
    assert repr(plain(found)) == repr(expected)  # NaN is unlike itself
    assert repr(plain(found)) == repr(expected), "lists can be read again"


@pytest.mark.parametrize("text", [*DOCUMENTS.values(), "[1]"], ids=[*DOCUMENTS, "no object"])
def test_small_files_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = write(tmp_path, text)
    large = read_rows(path, WANTED, what="x")
    monkeypatch.setattr(json_rows, "_WHOLE", path.stat().st_size)
    small = read_rows(path, WANTED, what="x")
    assert repr(small) == repr(large if isinstance(large, list) else plain(large))


BROKEN = ['{"a":1,}', '{"a":[1,2}', "[1,2", '{"a":"x', '{"a" 1}', "{,}", '{"a":1} x', '{"a":nul}', '{"a":[1 2]}',
          '{"a":[1,]}', '{1:2}', '{"a":"\x01"}', "{", "", "  ", '{"images": [' + "[" * 100_000]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_broken_files_are_refused_with_the_words_of_json(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=r"a\.json") as expected:
        read_json(path, what="COCO JSON")
    with pytest.raises(DataError, match=r"a\.json") as found:
        read_rows(path, WANTED, what="COCO JSON")
    assert str(found.value) == str(expected.value)


def test_large_broken_files_are_refused_without_reading_them_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "_SMALL", 3)
    with pytest.raises(DataError, match=r"a.json: not valid JSON \(expecting ',' or '\]' at character 16\); expected"):
        read_rows(write(tmp_path, '{"images": [1, 2}'), WANTED, what="COCO JSON")


@pytest.mark.parametrize("text", ["[1, 2]", "7", '"x"', "null"])
def test_what_is_no_object_comes_as_it_is(tmp_path: Path, text: str) -> None:
    assert read_rows(write(tmp_path, text), WANTED, what="x") == json.loads(text)


def test_bytes_that_are_no_text_are_refused_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"images": ["\xff"]}')
    with pytest.raises(DataError, match=r"a\.json: byte 13 is not UTF-8"):
        read_rows(path, WANTED, what="COCO JSON")


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; expected a COCO JSON"):
        read_rows(tmp_path / "a.json", WANTED, what="COCO JSON")


def test_a_file_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, DOCUMENTS["usual"])
    found = read_rows(path, WANTED, what="x")
    assert isinstance(found, dict)
    path.write_text("{")
    with pytest.raises(DataError, match=r"a.json: changed while it was read .* Run again."):
        list(found["annotations"])


def test_chunks_are_told(tmp_path: Path) -> None:
    told: list[int] = []
    path = write(tmp_path, json.dumps({"images": ["x" * 1000] * 3000}))
    found = read_rows(path, WANTED, what="x", on_chunk=lambda: told.append(1))
    assert len(told) == 3
    assert isinstance(found, dict)
    assert len(list(found["images"])) == 3000
    assert len(told) == 6
