"""Start a model from a checkpoint, whatever of it fits, and tell what was taken over.

The OD API's own loader restores the feature extractor silently ("detection"), or everything ("full"), and dies half
way where a shape differs. Here all values are read and checked before the first one is assigned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.errors import ConfigError
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.odapi.transfer_graph import CheckpointGraph, assign_all, new_values, pair_variables
from kpt_tools.odapi.transfer_names import (
    ModelNames,
    names_from_heads,
    other_extractor,
    read_source,
    read_target,
    refuse_other_extractor,
    setting_differences,
)
from kpt_tools.odapi.transfer_plan import (
    MATCH,
    Pair,
    Step,
    TransferReport,
    extractor_share,
    misfits,
    part_reports,
    plan_exact,
    plan_match,
    source_heads,
    source_tasks,
)

FILE_NAME = "transfer.json"
LEAST_EXTRACTOR_SHARE = 0.5
"""With less of the feature extractor restored, the checkpoint is another network's."""


def transfer(model: Any, config: Message, checkpoint: Path, mode: str = MATCH) -> TransferReport:
    """Give `model` the values of a checkpoint; optimizer and step are not touched.

    Args:
        model: the detection model, built: all its variables exist.
        config: its pipeline.config; names the label map.
        checkpoint: path without suffix; its own pipeline.config and label map are looked for beside it.
        mode: "match" takes whatever fits; "detection" the feature extractor; "full" everything.

    Raises:
        ConfigError: the checkpoint is damaged, belongs to another feature extractor, or has not what `mode` wants.
            The model is unchanged then, and after any other error.
        DataError: a label map is damaged.
    """
    refuse_other_extractor(checkpoint, config)
    graph = CheckpointGraph(checkpoint)
    target = read_target(config)
    source = read_source(checkpoint) or names_from_heads(graph.heads())
    tasks = source_tasks(target, source) if mode == MATCH else {task.task: task.task for task in target.tasks}
    heads = source_heads(tasks)
    paired = pair_variables(model, graph, heads)
    pairs = [pair for pair, _ in paired]
    steps = plan_match(pairs, target, source, heads) if mode == MATCH else plan_exact(pairs, mode)
    _refuse(steps, checkpoint, mode, source, target)
    assign_all(new_values(steps, [variable for _, variable in paired], graph))
    unused = graph.keys() - {step.pair.key for step in steps if step.status != "fresh"}
    differences = setting_differences(checkpoint, config)
    return TransferReport(mode, str(checkpoint), part_reports(steps, tasks), len(unused), steps, differences)


def _refuse(steps: tuple[Step, ...], checkpoint: Path, mode: str, source: ModelNames, target: ModelNames) -> None:
    if extractor_share(steps) < LEAST_EXTRACTOR_SHARE:
        raise other_extractor(checkpoint, source.extractor, target.extractor)
    wrong = misfits(steps, mode)
    if wrong:
        raise ConfigError(
            f"{checkpoint}: --transfer {mode} cannot restore {len(wrong)} of {len(steps)} variables, first "
            f"{_described(wrong[0])}. --transfer match takes what fits and starts the rest fresh."
        )


def _described(pair: Pair) -> str:
    found = f"has shape {pair.key_shape}" if pair.key else "is not in the checkpoint"
    return f"'{pair.path}', which {found}; expected {pair.shape}"
