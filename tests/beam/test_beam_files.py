from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.beam.files import (
    copy_file,
    is_remote,
    local_copy,
    location_of,
    move,
    names_below,
    names_in,
    read_bytes,
    remove,
    write_bytes,
)
from kpt_tools.errors import ConfigError

needs_beam = pytest.mark.skipif(
    "not __import__('importlib').util.find_spec('apache_beam')",
    reason="Apache Beam is not installed; it has an environment of its own: make beam",
)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("gs://bucket/a/b.json", "gs://bucket/a/b.json"),
        (Path("gs://bucket/a/b.json"), "gs://bucket/a/b.json"),
        (Path("s3://bucket") / "a b" / "c.jpg", "s3://bucket/a b/c.jpg"),
        ("hdfs:/host/a", "hdfs://host/a"),
        (Path("dataset/images"), "dataset/images"),
        ("/abs/gs:/x", "/abs/gs:/x"),
        ("C:/Users", "C:/Users"),
    ],
    ids=["address", "path", "joined", "one slash", "relative", "inside", "drive"],
)
def test_addresses_survive_being_paths(given: str | Path, expected: str) -> None:
    assert location_of(given) == expected
    assert location_of(Path(expected)) == expected
    assert is_remote(given) == ("://" in expected)


@needs_beam
@pytest.mark.parametrize("where", ["shelf", "local"])
def test_files_are_written_listed_moved_and_removed(shelf: Path, tmp_path: Path, where: str) -> None:
    top = "shelf://data" if where == "shelf" else str(tmp_path / "data")
    write_bytes(f"{top}/b/one.gz", b"1")
    write_bytes(f"{top}/two", b"2")
    write_bytes(f"{top}/two", b"22")
    assert names_below(top) == ["b/one.gz", "two"]
    assert "two" in names_in(top)
    assert read_bytes(f"{top}/b/one.gz") == b"1"
    move([(f"{top}/b/one.gz", f"{top}/two")])
    assert (names_below(top), read_bytes(f"{top}/two")) == (["two"], b"1")
    (tmp_path / "here").write_bytes(b"here")
    copy_file(tmp_path / "here", f"{top}/three")
    with local_copy(Path(f"{top}/three")) as copy:
        assert copy.read_bytes() == b"here"
    assert copy.exists() == (where == "local")
    remove([f"{top}/two", f"{top}/three", f"{top}/never"])
    with pytest.raises(ConfigError, match="no file there; expected the folder of the annotated images"):
        names_below(top)


@needs_beam
def test_a_file_that_cannot_be_read_is_told(shelf: Path) -> None:
    with pytest.raises(ConfigError, match=r"shelf://a/b.json: cannot be read"), local_copy(Path("shelf://a/b.json")):
        raise AssertionError("not reached")
