"""What a process does with memory that it has freed."""

import platform
import resource
import subprocess
import sys

import pytest

from kpt_tools.odapi.memory import keep_freed_memory

PROGRAM = """
import resource, sys
from kpt_tools.odapi.memory import keep_freed_memory
kept = sys.argv[1] == "keep" and keep_freed_memory()
blocks = [bytes(40_000_000), bytes(40_000_000)]
del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [b"x" * 20_000_000, b"x" * 40_000_000]
    del blocks
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 20 * 60_000_000 // resource.getpagesize()
glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is of the GNU C library")


def run(way: str, **variables: str) -> tuple[int, int]:
    """Whether memory is kept, and the page faults of twenty rounds that allocate and free 60 MB."""
    program = [sys.executable, "-c", PROGRAM, way]
    done = subprocess.run(program, check=True, capture_output=True, text=True, env=variables)
    kept, faults = done.stdout.split()
    return int(kept), int(faults)


@glibc_only
def test_memory_that_was_freed_is_used_again_without_page_faults(repository) -> None:
    kept, faults = run("keep", PYTHONPATH=str(repository))
    assert kept
    assert faults < PAGES / 20
    assert run("give back", PYTHONPATH=str(repository))[1] > PAGES / 2


@glibc_only
def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "100")
    assert not keep_freed_memory()


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
