"""Command lines of the OD API's programs, as pure functions."""

from __future__ import annotations

from collections.abc import Sequence
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
    ema: float = 0.0,
    validate_every: int = 0,
    one_batch: bool = False,
    keep_decoded: bool = False,
    workers: Sequence[str] = (),
    worker_index: int = 0,
    degrees: float = 0.0,
    box_cells: int = 1,
) -> list[str]:
    """`model_main_tf2` through the compatibility layer, with our own flags."""
    together = [f"--kpt_workers={','.join(workers)}", f"--kpt_worker_index={worker_index}"] if workers else []
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
        f"--kpt_ema={ema}",
        f"--kpt_validate_every={validate_every}",
        f"--kpt_one_batch={str(one_batch).lower()}",
        f"--kpt_keep_decoded={str(keep_decoded).lower()}",
        f"--kpt_rotation={degrees}",
        f"--kpt_box_cells={box_cells}",
        *together,
    )


def resumed(command: Sequence[str], validated_step: int) -> list[str]:
    """The command line of a training whose last validated checkpoint is that of `validated_step`."""
    return [*command, f"--kpt_validated_step={validated_step}"]


def export_command(
    pipeline_config: Path, checkpoint: Path, *, out: Path | None = None, reference: Path | None = None
) -> list[str]:
    """Write a checkpoint as a model to `out`; write what it finds in the pictures of its input to `reference`."""
    command = program("export", f"--config={pipeline_config}", f"--checkpoint={checkpoint}")
    command += [f"--out={out}"] if out else []
    return command + ([f"--reference={reference}"] if reference else [])


def import_movenet_command(pipeline_config: Path, weights: Path, out: Path) -> list[str]:
    """Write the weights of MoveNet as a checkpoint of the OD API to `out`."""
    return program("import_movenet", f"--config={pipeline_config}", f"--weights={weights}", f"--out={out}")


def fixed_graph_command(model: Path, out: Path) -> list[str]:
    """Write the checkpoint of an exported folder as a graph of fixed size to the folder `out`."""
    return program("fixed_graph", f"--model={model}", f"--out={out}")


def tflite_command(graph: Path, out: Path, precision: str, calibration: Path | None = None) -> list[str]:
    """Convert a graph of fixed size to TFLite."""
    command = program("export_tflite", f"--graph={graph}", f"--out={out}", f"--precision={precision}")
    return command + ([f"--calibration={calibration}"] if calibration else [])


def onnx_command(graph: Path, out: Path) -> list[str]:
    """Convert a graph of fixed size to ONNX in float32."""
    return program("export_onnx", f"--graph={graph}", f"--out={out}")


def reduce_onnx_command(model: Path, out: Path, precision: str, calibration: Path | None = None) -> list[str]:
    """Make an ONNX model of lower precision of one in float32."""
    command = program("reduce_onnx", f"--model={model}", f"--out={out}", f"--precision={precision}")
    return command + ([f"--calibration={calibration}"] if calibration else [])


def openvino_command(model: Path, out: Path, *, halve_weights: bool) -> list[str]:
    """Convert an ONNX model to OpenVINO's own format."""
    command = program("export_openvino", f"--model={model}", f"--out={out}")
    return command + (["--halve-weights"] if halve_weights else [])
