"""Folders that take each other's place."""

import pytest

from kpt_tools.fsio import replace_folder


def folder(path, text):
    path.mkdir()
    (path / "file").write_text(text)
    return path


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "an older one there"])
def test_a_new_folder_takes_the_place(tmp_path, there: bool) -> None:
    place = tmp_path / "place"
    if there:
        folder(place, "old")
    replace_folder(folder(tmp_path / "new", "new"), place)
    assert (place / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_the_older_one_stays_if_the_new_one_cannot_come(tmp_path) -> None:
    place = folder(tmp_path / "place", "old")
    with pytest.raises(FileNotFoundError, match="new"):
        replace_folder(tmp_path / "new", place)
    assert (place / "file").read_text() == "old"
