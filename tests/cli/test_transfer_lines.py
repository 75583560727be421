from __future__ import annotations

import pytest

from kpt_tools.cli.train_progress import transfer_lines


def part(**changes) -> dict:
    """A part that is restored as it is."""
    row = {"part": "box size", "task": "", "source_task": "", "restored": 4, "adapted": 0, "fresh": 0}
    return {**row, "kept": [], "new": [], "by_position": False, **changes}


def event(*parts: dict) -> dict:
    return {"kind": "transfer", "mode": "match", "checkpoint": "zoo/ckpt-0", "parts": list(parts), "unused": 3}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({}, "  box size: 4 restored", id="whole"),
        pytest.param({"restored": 0, "fresh": 4}, "  box size: 4 fresh", id="fresh"),
        pytest.param(
            {
                "part": "keypoint heat map",
                "task": "mouse",
                "source_task": "sheep",
                "restored": 2,
                "adapted": 2,
                "kept": ["tail", "ear"],
                "new": ["snout"],
            },
            "  keypoint heat map of 'mouse': 2 restored, 2 adapted, from 'sheep' (kept: tail, ear; new: snout)",
            id="adapted-from-another-task",
        ),
        pytest.param(
            {"task": "mouse", "source_task": "mouse", "kept": ["a"], "by_position": True},
            "  box size of 'mouse': 4 restored (channels by position, their names are unknown)",
            id="by-position",
        ),
    ],
)
def test_a_line_per_part(changes: dict, line: str) -> None:
    assert transfer_lines(event(part(**changes)))[1:] == [line]


def test_the_head_line_sums_up() -> None:
    lines = transfer_lines(event(part(), part(restored=1, adapted=2)))
    assert lines[0] == "Start from zoo/ckpt-0 (match): 5 restored, 2 adapted; 3 values of the checkpoint not used."
    assert len(lines) == 3


def test_folded_layers_and_other_settings_are_told() -> None:
    assert len(transfer_lines({**event(part()), "unfolded": 0, "differences": []})) == 2
    lines = transfer_lines({**event(part()), "unfolded": 55, "differences": ["x is a, b there."]})
    assert lines[2].startswith("  55 batch normalisations were folded into convolutions: made fit for training")
    assert lines[3:] == ["  warning: x is a, b there."]
