"""The lock files fit setup.py: who adds a requirement and forgets `make lock` is told here."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ODAPI = "tf-models-research-object-detection"
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)


@pytest.fixture(scope="module")
def lock():
    """The module requirements/lock.py."""
    path = Path(__file__).resolve().parents[1] / "requirements" / "lock.py"
    spec = importlib.util.spec_from_file_location("lock", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(lock, name: str) -> dict[str, list[Version]]:
    """Versions of each package; several where they depend on Python."""
    found: dict[str, list[Version]] = {}
    for package, version, _ in PIN.findall((lock.HERE / name).read_text(encoding="utf-8")):
        found.setdefault(package, []).append(Version(version))
    assert found
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["lean.txt", "all.txt", "beam.txt"])
def test_a_lock_has_all_that_setup_py_asks_for(lock, name: str) -> None:
    arguments = lock.setup_arguments()
    wanted = [*arguments["install_requires"]]
    for extra in lock.locks()[name]:
        wanted += arguments["extras_require"][extra]
    found = pins(lock, name)
    assert len(wanted) > 13
    for text in wanted:
        requirement = Requirement(text)
        versions = found.get(normal(requirement.name))
        assert versions, f"{text} is not in requirements/{name}: run make lock"
        bad = [version for version in versions if version not in requirement.specifier]
        assert not bad, f"requirements/{name} has {requirement.name} {bad[0]}, setup.py wants {text}: run make lock"


def test_every_extra_but_train_is_locked(lock) -> None:
    extras = set(lock.setup_arguments()["extras_require"])
    locked = [extra for found in lock.locks().values() for extra in found]
    assert set(locked) == extras - {"train"}
    assert extras - set(lock.locks()["all.txt"]) == {"train", "beam"}
    assert "lean" in extras


def test_the_od_api_is_there_without_what_it_drags_in(lock) -> None:
    for name in ("lean.txt", "all.txt"):
        found = pins(lock, name)
        assert found[ODAPI] == [Version("2.8.0.post1")]
        assert not {"tf-models-official", "tensorflow-io", "lvis", "apache-beam", "opencv-python"} & set(found)


def test_the_small_lock_is_a_part_of_the_large_one(lock) -> None:
    small, large = pins(lock, "lean.txt"), pins(lock, "all.txt")
    assert small.items() <= large.items()
    assert len(small) < len(large)


def test_tf_keras_is_of_tensorflows_minor_version(lock) -> None:
    found = pins(lock, "lean.txt")
    assert [version.release[:2] for version in found["tf-keras"]] == [
        version.release[:2] for version in found["tensorflow"]
    ]


def test_a_lock_names_no_index(lock) -> None:
    for name in lock.locks():
        assert "://" not in (lock.HERE / name).read_text(encoding="utf-8")
