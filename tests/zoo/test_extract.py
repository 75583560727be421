"""Archives that are good, broken, and hostile."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from zoo_factories import HOURGLASS, Heard, Member, file_member, noise, odd_member, tar_gz, zoo_archive, zoo_files

from kpt_tools.errors import DataError
from kpt_tools.zoo.catalogue import find_model
from kpt_tools.zoo.extract import Limits, safe_path, unpack

TIGHT = Limits(members=5, total_bytes=1000)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "place" / "into"
    folder.mkdir(parents=True)
    return folder


def put(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refuse(tmp_path: Path, into: Path, data: bytes, match: str, limits: Limits | None = None) -> None:
    """It is refused, and nothing lies outside of the folder that the caller removes."""
    before = {path for path in tmp_path.rglob("*") if into not in path.parents}
    archive = put(tmp_path, data)
    with pytest.raises(DataError, match=match) as caught:
        unpack(archive, into, limits=limits)
    assert str(caught.value).startswith(f"{archive}: ")
    assert "\n" not in str(caught.value)
    assert {path for path in tmp_path.rglob("*") if into not in path.parents} == before | {archive}


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("top", ["a/", "./a/", "./", ""])
def test_good(tmp_path: Path, into: Path, tar_format: int, top: str) -> None:
    model = find_model(HOURGLASS)
    contents = zoo_files(model)
    archive = put(
        tmp_path, tar_gz(*[file_member(f"{top}{path}", data) for path, data in contents.items()], tar_format=tar_format)
    )
    heard = Heard()
    done = unpack(archive, into, listener=heard)
    root = into / top
    assert {name: (root / name).read_bytes() for name in files_in(root)} == contents
    assert (done.files, done.total_bytes) == (7, sum(map(len, contents.values())))
    assert heard.done[-1] == (archive.stat().st_size, archive.stat().st_size)


def test_files_get_plain_rights(tmp_path: Path, into: Path) -> None:
    info, data = file_member("a/run.sh")
    info.mode = 0o7777
    locked, nothing = odd_member("a", tarfile.DIRTYPE)
    locked.mode = 0
    unpack(put(tmp_path, tar_gz((locked, nothing), (info, data))), into)
    assert (into / "a" / "run.sh").stat().st_mode & 0o7111 == 0


def test_long_names(tmp_path: Path, into: Path) -> None:
    name = "/".join(["d" * 100] * 3) + "/é.txt"
    for number, tar_format in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        place = into / str(number)
        place.mkdir()
        unpack(put(tmp_path, tar_gz(file_member(name), tar_format=tar_format)), place)
        assert files_in(place) == [name]


@pytest.mark.parametrize(
    ("member", "match"),
    [
        pytest.param(file_member("../x"), r"'\.\./x' points out of the folder", id="upwards"),
        pytest.param(file_member("a/../../x"), "points out of the folder", id="upwards-within"),
        pytest.param(file_member("a/.."), "points out of the folder", id="upwards-at-the-end"),
        pytest.param(odd_member("..", tarfile.DIRTYPE), "points out of the folder", id="upwards-folder"),
        pytest.param(file_member("/tmp/x"), "points out of the folder", id="absolute"),
        pytest.param(file_member("//x"), "points out of the folder", id="absolute-twice"),
        pytest.param(file_member("..\\x"), "is not portable", id="backslash"),
        pytest.param(file_member("C:x"), "is not portable", id="drive"),
        pytest.param(file_member("a/\x1b[2J"), "is not portable", id="escape"),
        pytest.param(file_member("a/\nkpt-tools: done"), "is not portable", id="newline"),
        pytest.param(file_member("x" * 256), "too long", id="long"),
        pytest.param(file_member("d/" * 200 + "x"), "too long", id="deep"),
        pytest.param(file_member("."), "has no name", id="nameless"),
        pytest.param(
            odd_member("a/l", tarfile.SYMTYPE, "pipeline.config"), "a symbolic link; a model has", id="symlink"
        ),
        pytest.param(odd_member("a/l", tarfile.SYMTYPE, "/etc"), "a symbolic link", id="symlink-absolute"),
        pytest.param(odd_member("a/l", tarfile.LNKTYPE, "a/pipeline.config"), "a hard link", id="hardlink"),
        pytest.param(odd_member("a/d", tarfile.CHRTYPE), "a device", id="character-device"),
        pytest.param(odd_member("a/d", tarfile.BLKTYPE), "a device", id="block-device"),
        pytest.param(odd_member("a/p", tarfile.FIFOTYPE), "a pipe", id="pipe"),
        pytest.param(odd_member("a/c", tarfile.CONTTYPE), "neither a file nor a folder", id="contiguous"),
        pytest.param(file_member("a/pipeline.config"), "occurs twice", id="twice"),
        pytest.param(file_member("./a//pipeline.config"), "occurs twice", id="twice-in-other-words"),
        pytest.param(file_member("a/PIPELINE.config"), "occurs twice", id="twice-but-for-case"),
        pytest.param(file_member("a"), "occurs twice", id="file-for-a-folder"),
        pytest.param(odd_member("a/pipeline.config", tarfile.DIRTYPE), "occurs twice", id="folder-for-a-file"),
        pytest.param(file_member("a/pipeline.config/x"), "lies in what is a file", id="below-a-file"),
    ],
)
def test_hostile(tmp_path: Path, into: Path, member: Member, match: str) -> None:
    refuse(tmp_path, into, tar_gz(file_member("a/pipeline.config"), member), match)


def test_a_link_and_a_file_behind_it(tmp_path: Path, into: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    data = tar_gz(odd_member("a", tarfile.SYMTYPE, str(outside)), file_member("a/x"))
    refuse(tmp_path, into, data, "a symbolic link")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("members", "match"),
    [
        pytest.param([file_member(f"{i}", b"") for i in range(6)], "more than 5 members", id="members"),
        pytest.param([odd_member(f"{i}", tarfile.DIRTYPE) for i in range(6)], "more than 5 members", id="folders"),
        pytest.param([file_member("a", bytes(1001))], "files have more than 1000 bytes", id="one-file"),
        pytest.param([file_member(f"{i}", bytes(400)) for i in range(3)], "more than 1000 bytes", id="together"),
    ],
)
def test_bombs(tmp_path: Path, into: Path, members: list[Member], match: str) -> None:
    refuse(tmp_path, into, tar_gz(*members), match, TIGHT)
    assert sum(path.stat().st_size for path in into.rglob("*") if path.is_file()) <= 1000


def test_a_file_as_large_as_allowed(tmp_path: Path, into: Path) -> None:
    assert unpack(put(tmp_path, tar_gz(file_member("a", bytes(1000)))), into, limits=TIGHT).total_bytes == 1000


def test_a_bomb_behind_the_end(tmp_path: Path, into: Path) -> None:
    with gzip.open(io.BytesIO(tar_gz(file_member("a")))) as inner:
        data = gzip.compress(inner.read() + bytes(5_000_000))
    refuse(tmp_path, into, data, "unpacks to more than any model", TIGHT)


def test_a_bomb_in_a_header(tmp_path: Path, into: Path) -> None:
    info, data = file_member("a")
    info.pax_headers = {"comment": "x" * 1_000_000}
    refuse(tmp_path, into, tar_gz((info, data)), "a header of 10000.. bytes")


def test_a_chain_of_headers(tmp_path: Path, into: Path) -> None:
    link = tarfile.TarInfo("././@LongLink")
    link.type, link.size = tarfile.GNUTYPE_LONGNAME, 2
    block = link.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")
    refuse(tmp_path, into, gzip.compress(block * 5000), "damaged or cut off")


def test_a_sparse_file(tmp_path: Path, into: Path) -> None:
    info, data = file_member("a")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,4",
                        "GNU.sparse.size": "4000000000"}  # fmt: skip
    refuse(tmp_path, into, tar_gz((info, data)), "neither a file nor a folder")


@pytest.mark.parametrize("size", [-1, -(1 << 40)])
def test_a_negative_size(tmp_path: Path, into: Path, size: int) -> None:
    info = tarfile.TarInfo("a")
    info.size = size
    refuse(tmp_path, into, gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)), "x.tar.gz: (refused|damaged)")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(
            b"<!DOCTYPE html><html>sign in</html>", "starts with b'<!DOCTYPE html><', which no gzip", id="page"
        ),
        pytest.param(b"\x1f\x8b", "damaged or cut off", id="two-bytes"),
        pytest.param(b"\x1f\x8bnonsense and more", "damaged or cut off", id="magic-alone"),
        pytest.param(gzip.compress(b"no tar" * 1000), "damaged or cut off", id="no-tar"),
        pytest.param(gzip.compress(b""), "damaged or cut off", id="nothing-inside"),
        pytest.param(zoo_archive()[:-1], "damaged or cut off .Compressed file ended", id="last-byte-missing"),
        pytest.param(zoo_archive()[:150_000], "damaged or cut off .Compressed file ended", id="half"),
        pytest.param(zoo_archive() + b"rubbish", "damaged or cut off", id="rubbish-behind"),
        pytest.param(zoo_archive()[:-8] + bytes(8), "damaged or cut off .CRC check failed", id="checksum"),
    ],
)
def test_broken(tmp_path: Path, into: Path, data: bytes, match: str) -> None:
    refuse(tmp_path, into, data, match)


def test_a_tar_that_ends_within_a_file(tmp_path: Path, into: Path) -> None:
    info, _ = file_member("a", bytes(5000))
    refuse(tmp_path, into, gzip.compress(info.tobuf() + bytes(1000)), "cut off")


@pytest.mark.parametrize("inside", [False, True], ids=["gzip", "tar"])
def test_any_damage_is_one_clear_error_or_none(tmp_path: Path, into: Path, inside: bool) -> None:
    """Flipped bytes never end in another exception, and never in a file outside."""
    whole = tar_gz(*[file_member(f"a/{i}", noise(300, i)) for i in range(5)], file_member("a/" + "n" * 200))
    if inside:
        whole = gzip.decompress(whole)
    messages = []
    for seed in range(300):
        rng = random.Random(seed)
        data = bytearray(whole)
        for _ in range(rng.choice([1, 2, 20])):
            data[rng.randrange(len(data))] = rng.choice([0, 255, 45, 47, rng.randrange(256)])
        place = into / str(seed)
        place.mkdir()
        archive = put(tmp_path, gzip.compress(bytes(data), 1) if inside else bytes(data))
        try:
            unpack(archive, place)
        except DataError as exc:
            messages.append(str(exc).removeprefix(f"{archive}: "))
    assert len(messages) > 30
    assert {message.partition(" ")[0] for message in messages} <= {"refused:", "damaged"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "x.tar.gz"]
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["into"]


@pytest.mark.parametrize(
    ("name", "path"),
    [("a/b", "a/b"), ("./a//b/", "a/b"), (".", "."), ("a/..b/c..", "a/..b/c.."), ("é", "é")],
)
def test_safe_path(name: str, path: str) -> None:
    assert str(safe_path(name)) == path


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path: Path, into: Path) -> None:
    """The system refuses files beyond 64 KiB: a real OSError in the middle of a member."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "from pathlib import Path\n"
        "from kpt_tools.zoo.extract import unpack\n"
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    arguments = [sys.executable, "-c", program, str(put(tmp_path, zoo_archive())), str(into)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == "OSError: [Errno 27] File too large"
