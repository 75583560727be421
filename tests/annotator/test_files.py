from __future__ import annotations

from pathlib import Path

import pytest
from coco_factories import encoded, pixels
from PIL import Image

from kpt_tools.annotator.client import RemoteImage
from kpt_tools.annotator.files import file_stem, plan_files, seems_reencoded, unsafe


def test_names_are_kept() -> None:
    plan = plan_files([RemoteImage(252, "b.jpg"), RemoteImage(9, "cam 1/ä.png")])
    assert [(file.image.id, file.relative) for file in plan.files] == [(252, "b.jpg"), (9, "cam 1/ä.png")]
    assert plan.renamed == {}
    assert plan.findings == ()


@pytest.mark.parametrize(
    "names",
    [("a.jpg", "a.jpg"), ("a.jpg", "A.JPG"), ("\u00e4.jpg", "a\u0308.jpg")],
    ids=["same", "case", "unicode form"],
)
def test_shared_names_get_folders(names: tuple[str, str]) -> None:
    plan = plan_files([RemoteImage(1, names[0]), RemoteImage(2, "other.jpg"), RemoteImage(3, names[1])])
    assert [file.relative for file in plan.files] == [f"1/{names[0]}", "other.jpg", f"3/{names[1]}"]
    assert plan.renamed == {1: f"1/{names[0]}", 3: f"3/{names[1]}"}
    assert [(finding.code, finding.severity) for finding in plan.findings] == [("image-name-shared", "warning")]
    assert "2 pictures have this name (images 1, 3)" in plan.findings[0].message


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../../etc/passwd", "leads to another folder"),
        ("a/../../b.jpg", "leads to another folder"),
        ("a//b.jpg", "leads to another folder"),
        ("./a.jpg", "leads to another folder"),
        ("..", "leads to another folder"),
        ("/etc/passwd", "is an absolute path"),
        ("C:\\windows\\a.jpg", "is an absolute path"),
        ("a.jpg:stream", "is an absolute path"),
        ("..\\a.jpg", "has a backslash"),
        ("a\0.jpg", "has control characters"),
        ("a\n.jpg", "has control characters"),
        ("\ud800.jpg", "has control characters"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("x" * 250 + ".jpg", "is too long"),
    ],
)
def test_unsafe_names_are_refused(name: str, problem: str) -> None:
    assert unsafe(name) == problem
    plan = plan_files([RemoteImage(7, name), RemoteImage(8, "good.jpg")])
    assert [file.relative for file in plan.files] == ["good.jpg"]
    assert [(finding.code, finding.severity) for finding in plan.findings] == [("image-name-unsafe", "error")]
    assert f"image 7: file name {name!r} {problem}" in plan.findings[0].message


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("pliers", "pliers"),
        ("Pliers, spring 2025", "Pliers_ spring 2025"),
        ("../../x", "_.._x"),
        ("a/b", "a_b"),
        ("..", "dataset"),
        ("zangen-prüfung.v2", "zangen-prüfung.v2"),
    ],
)
def test_stem(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    return encoded(Image.fromarray(pixels()), "JPEG", quality=90, exif=exif)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(Image.fromarray(pixels()), "JPEG", quality=90), True),
        (encoded(Image.fromarray(pixels()), "JPEG", quality=92), False),
        (with_exif(), False),
        (encoded(Image.fromarray(pixels()), "PNG"), False),
        (b"no picture", False),
    ],
    ids=["quality 90", "quality 92", "exif", "png", "no picture"],
)
def test_what_the_server_reencodes(tmp_path: Path, content: bytes, expected: bool) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert seems_reencoded(tmp_path / "a.jpg") is expected
