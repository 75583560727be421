"""Command lines of the OD API's programs, as pure functions."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.odapi.child import program


def train_command(
    pipeline_config: Path,
    model_dir: Path,
    *,
    steps: int,
    checkpoint_every: int,
    precision: str,
    seed: int,
    transfer: str,
) -> list[str]:
    """`model_main_tf2` through the compatibility layer."""
    return program(
        "train",
        f"--pipeline_config_path={pipeline_config}",
        f"--model_dir={model_dir}",
        f"--num_train_steps={steps}",
        f"--checkpoint_every_n={checkpoint_every}",
        "--record_summaries=false",
        f"--kpt_precision={precision}",
        f"--kpt_seed={seed}",
        f"--kpt_transfer={transfer}",
    )


def export_command(pipeline_config: Path, checkpoint_dir: Path, output: Path) -> list[str]:
    """`exporter_main_v2` through the compatibility layer, input type ``image_tensor``."""
    return program(
        "export",
        "--input_type=image_tensor",
        f"--pipeline_config_path={pipeline_config}",
        f"--trained_checkpoint_dir={checkpoint_dir}",
        f"--output_directory={output}",
    )
