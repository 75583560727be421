"""Messages on missing packages: one advice everywhere, and one that works."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kpt_tools import lazy
from kpt_tools.errors import MissingDependencyError


@pytest.mark.parametrize(
    ("python", "extra", "command"),
    [
        ((3, 11), "", "pip install ."),
        ((3, 11), "serve", "pip install '.[serve]'"),
        ((3, 12), "train", "pip install '.[train]'"),
        ((3, 13), "train", "pip install --no-deps -r requirements/lean.txt"),
        ((3, 13), "serve", "pip install '.[serve]'"),
    ],
)
def test_the_advice_fits_the_extra_and_python(monkeypatch, python, extra: str, command: str) -> None:
    monkeypatch.setattr(sys, "version_info", python)
    assert lazy.how_to_install(extra) == f"Run in the folder of kpt-tools: {command}"


def test_every_extra_of_the_messages_exists(repository) -> None:
    text = (repository / "setup.py").read_text(encoding="utf-8")
    extras = set(lazy._EXTRA_OF.values())
    assert len(extras) > 3
    assert [extra for extra in extras if f'"{extra}": ' not in text] == []
    assert (repository / "requirements" / "lean.txt").is_file()


def test_a_missing_package_of_the_core(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(
        MissingDependencyError, match=r"a page needs the package 'jinja2', which does not import.*install \.$"
    ):
        lazy.require("jinja2", purpose="a page")


def test_a_package_that_is_there_is_imported() -> None:
    assert lazy.require("json.decoder", purpose="this").__name__ == "json.decoder"
    lazy.check_installed("json", purpose="this")


def test_a_missing_package_is_told_without_importing() -> None:
    with pytest.raises(MissingDependencyError, match=r"it needs the package 'no_such_package', which is not installed"):
        lazy.check_installed("no_such_package", purpose="it")


def test_no_message_speaks_of_a_package_index(repository) -> None:
    """kpt-tools is on no index: pip install kpt-tools[...] would find nothing, or a stranger's package."""
    pages = [*repository.glob("*.md"), *(repository / "docs").glob("*.md"), *(repository / "kpt_tools").rglob("*.py")]
    assert len(pages) > 50
    assert [page.name for page in pages if "kpt-tools[" in page.read_text(encoding="utf-8")] == []


CHATTER = """
import os, sys
from kpt_tools import lazy

with lazy.without_chatter():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"I0000 00:00:1795411029.821025 2459 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"E0000 00:00:1795411029.821025 2459 cuda.cc:1] something is broken\\n")
    print("said by Python", file=sys.stderr)
print("after", file=sys.stderr)
"""


def test_only_the_chatter_of_an_import_is_kept_back() -> None:
    done = subprocess.run([sys.executable, "-c", CHATTER], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert [line.split()[0] for line in lines] == ["E0000", "said", "after"]


def test_an_error_inside_is_still_shown() -> None:
    program = "from kpt_tools import lazy\nwith lazy.without_chatter():\n    raise ValueError('seen')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ValueError: seen" in done.stderr


def test_tensorflow_starts_without_a_word() -> None:
    pytest.importorskip("tensorflow")
    program = "from kpt_tools.lazy import quiet_tensorflow; quiet_tensorflow(purpose='this test').constant(1)"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("", "")
