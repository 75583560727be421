"""What people see of a download."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kpt_tools.cli import fetch_progress
from kpt_tools.cli.fetch_progress import FetchProgress


def shown(*, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120)
    with FetchProgress(console) as progress:
        for name in ("downloading", "verifying", "unpacking"):
            progress.phase(name)
            progress.progress(0, None)
            for done in range(0, 5_000_000, 1_000_000):
                progress.progress(done, 5_000_000)
        progress.note("a [red]note[/red]")
    return stream.getvalue()


def test_a_note_is_shown_as_it_is() -> None:
    assert shown(terminal=False) == "a [red]note[/red]\n"


def test_lines_now_and_then_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_progress, "LINE_INTERVAL_S", 0.0)
    lines = shown(terminal=False).splitlines()
    assert "downloading: 0 bytes" in lines
    assert "unpacking: 4.0 MB of 5.0 MB" in lines


def test_a_bar_on_a_terminal() -> None:
    text = shown(terminal=True)
    assert "unpacking" in text
    assert "4.0/5.0 MB" in text
