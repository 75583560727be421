"""Models for other engines than TensorFlow, each made in a child process of its own, because of their memory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kpt_tools.config.engines import BFLOAT16, FLOAT16, check_precision
from kpt_tools.config.export import FLOAT32, INT8, ONNX, OPENVINO, TFLITE, file_of
from kpt_tools.config.network_input import NetworkInput, write_network_input
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import atomic_open, staging_folder
from kpt_tools.inference.images import load_image
from kpt_tools.inference.preprocess import network_image
from kpt_tools.lazy import check_installed
from kpt_tools.odapi import commands, fixed_graph, pipeline_config
from kpt_tools.odapi.child import run_child

LOG_NAME = "export.log"
LARGE_MODEL = 128 << 20
"""In bytes: beyond, a file of half the size matters more than weights that are rounded once."""
_WEIGHTS = ".bin"
_NEEDS = {
    ONNX: ("tf2onnx", "onnx", "onnxruntime"),
    TFLITE: ("tensorflow", "ai_edge_litert"),
    OPENVINO: ("tf2onnx", "onnx", "onnxruntime", "openvino"),
}

OnEvent = Callable[[dict[str, Any]], None]


def convert(
    format: str,
    precision: str,
    model_folder: Path,
    out: Path,
    calibration_images: Sequence[Path] = (),
    on_event: OnEvent = lambda event: None,
    *,
    log: Path | None = None,
) -> Path:
    """Make one model; see `Converter.convert`. For several models of one export a `Converter` saves time."""
    with Converter(model_folder, calibration_images, on_event, log=log) as converter:
        return converter.convert(format, precision, out)


class Converter(contextlib.AbstractContextManager["Converter"]):
    """Makes models of fixed size of one exported folder; what several of them need is made once."""

    def __init__(
        self,
        model_folder: Path,
        calibration_images: Sequence[Path] = (),
        on_event: OnEvent = lambda event: None,
        *,
        log: Path | None = None,
    ) -> None:
        """Prepare; nothing is made yet.

        Args:
            model_folder: what `kpt-tools export` wrote; its pipeline.config, label map and checkpoint are used.
            calibration_images: pictures like those of the training, for int8; a few dozen are enough.
            on_event: called with ``{"kind": "phase", "name": ...}`` and what the child processes tell.
            log: what the child processes say is appended to it; None: ``export.log`` beside `model_folder`.
        """
        self._model = model_folder
        self._images = tuple(calibration_images)
        self._on_event = on_event
        self._log = log or model_folder.resolve().parent / LOG_NAME
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Converter:
        self._work = self._stack.enter_context(staging_folder(self._model.resolve().parent))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def convert(self, format: str, precision: str, out: Path) -> Path:
        """Make a model.

        Beside the file lies a ``.json`` of the same name: how a picture becomes its input.

        Args:
            format: "onnx", "tflite" or "openvino".
            precision: of `kpt_tools.config.engines.PRECISIONS_OF`. "float16": weights are stored in 16 bits, it is
                computed in float32. "bfloat16": to be computed in bfloat16; weights are stored in 16 bits if the
                model is large, else in 32, so that they are rounded once. "int8": the network is computed in 8-bit
                integers, but for the last convolution of each head; what follows stays float32.
            out: the folder that gets ``onnx/``, ``tflite/`` or ``openvino/``.

        Returns:
            The file, `kpt_tools.config.export.file_of` in `out`.

        Raises:
            ConfigError: no such format or precision, a model that has no fixed size, or int8 without pictures.
            DataError: a calibration picture cannot be read.
            EngineError: a converter failed; the message names its log.
            KeyboardInterrupt: Ctrl-C was pressed.
            MissingDependencyError: a package that the format needs is not installed.
        """
        check_conversion(format, precision)
        if precision == INT8 and not self._images:
            raise ConfigError(f"{format} {precision}: needs pictures to find the ranges of its integers; none given.")
        for package in _NEEDS[format]:
            check_installed(package, purpose=f"the format {format}")
        network = self._network_input()
        makers = {ONNX: self._onnx, TFLITE: self._tflite, OPENVINO: self._openvino}
        made = makers[format](precision)
        target = out / file_of(format, precision)
        write_network_input(target, network)
        for suffix in (_WEIGHTS, target.suffix) if format == OPENVINO else (target.suffix,):
            with atomic_open(target.with_suffix(suffix)) as sink, made.with_suffix(suffix).open("rb") as source:
                shutil.copyfileobj(source, sink)
        return target

    def _network_input(self) -> NetworkInput:
        path = self._model / "pipeline.config"
        return fixed_graph.network_input_of(pipeline_config.read(path), str(path))

    def _tflite(self, precision: str) -> Path:
        graph, calibration, out = self._graph(), self._calibration(precision), self._work / f"{precision}.tflite"
        return self._run(commands.tflite_command(graph, out, precision, calibration), out, "TFLite")

    def _onnx(self, precision: str) -> Path:
        out = self._work / f"{precision}.onnx"
        if out.exists():
            return out
        if precision == FLOAT32:
            return self._run(commands.onnx_command(self._graph(), out), out, "ONNX")
        source, calibration = self._onnx(FLOAT32), self._calibration(precision)
        return self._run(commands.reduce_onnx_command(source, out, precision, calibration), out, f"ONNX {precision}")

    def _openvino(self, precision: str) -> Path:
        source = self._onnx(INT8 if precision == INT8 else FLOAT32)
        out = self._work / f"{precision}.xml"
        halve = precision == FLOAT16 or (precision == BFLOAT16 and source.stat().st_size > LARGE_MODEL)
        return self._run(commands.openvino_command(source, out, halve_weights=halve), out, "OpenVINO")

    def _graph(self) -> Path:
        """The graph of fixed size that TFLite and ONNX are made of."""
        out = self._work / "graph"
        return out if out.exists() else self._run(commands.fixed_graph_command(self._model, out), out, "a fixed size")

    def _calibration(self, precision: str) -> Path | None:
        """The calibration pictures as the network takes them, [N, H, W, 3] float32; None if they are not needed."""
        import numpy as np

        path = self._work / "calibration.npy"
        if precision != INT8 or path.exists():
            return path if precision == INT8 else None
        network = self._network_input()
        shape = (len(self._images), *network.input_hw, 3)
        stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        for number, image in enumerate(self._images):
            stored[number] = network_image(load_image(image), network)
        stored.flush()
        return path

    def _run(self, command: list[str], out: Path, what: str) -> Path:
        """Run a converter; what it leaves half-made when it fails is removed, so that it is not taken for made."""
        try:
            if run_child(command, self._log, self._on_event, what=f"the conversion to {what}").interrupted:
                raise KeyboardInterrupt
        except BaseException:
            shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
            raise
        return out


def check_conversion(format: str, precision: str) -> None:
    """Refuse what no format can be made in.

    Raises:
        ConfigError: no such format, or not in this precision; the message has what there is.
    """
    if format not in _NEEDS:
        raise ConfigError(f"format is '{format}'; expected one of {', '.join(_NEEDS)}.")
    check_precision(format, precision)
