"""The engine that runs a SavedModel of the OD API's exporter in TensorFlow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.config.model_metadata import FILE_NAME as METADATA_NAME
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.entities import ModelMetadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.engine import ImageRgb, RawDetections, check_image, detection_keys, first_line
from kpt_tools.lazy import quiet_tensorflow

SAVED_MODEL = Path("saved_model") / "saved_model.pb"
LABEL_MAP = "label_map.pbtxt"
INPUT_NAME = "input_tensor"
MAX_BATCH = 8
"""Pictures that go through the network together; more would only take memory."""
_DEFAULT_SIGNATURE = "serving_default"
_PURPOSE = "running a SavedModel"


def is_exported(folder: Path) -> bool:
    """Whether `folder` holds a SavedModel as `kpt-tools export` writes it."""
    return (folder / SAVED_MODEL).is_file()


def check_exported(folder: Path, models: Sequence[Path] = (SAVED_MODEL,)) -> None:
    """Check that `folder` has all files of an export.

    Args:
        folder: to look into.
        models: one of these must be there.

    Raises:
        ConfigError: it has not; the message names what is missing and the command that makes it.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no such folder; expected an exported model. Train with kpt-tools train, then run "
            "kpt-tools export, or name another folder with --model."
        )
    model = next((name for name in models if (folder / name).is_file()), models[0])
    missing = [str(name) for name in (model, LABEL_MAP, METADATA_NAME) if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder}: has no {', '.join(missing)}; expected a folder that kpt-tools export wrote. "
            "Run kpt-tools export on the run folder."
        )


class SavedModelEngine:
    """A detector loaded from a folder that `kpt-tools export` wrote.

    The picture goes in at its full size: resizing and padding happen inside the model, and its boxes and
    points come back relative to the picture, without the padding.
    """

    def __init__(self, folder: Path) -> None:
        """Load the model; this takes seconds.

        Raises:
            ConfigError: the folder is missing or no export.
            DataError: its kpt_tools.json is damaged.
            MissingDependencyError: TensorFlow is not installed.
            EngineError: TensorFlow cannot load it, or it is another kind of model.
        """
        self.folder = Path(folder)
        check_exported(self.folder)
        self._metadata = read_metadata(self.folder)
        self._tf = quiet_tensorflow(purpose=_PURPOSE)
        try:
            self._model = self._tf.saved_model.load(str(self.folder / SAVED_MODEL.parent))
        except Exception as exc:  # TensorFlow raises OSError, ValueError, KeyError, its own errors ...
            raise EngineError(
                f"{self.folder / SAVED_MODEL}: TensorFlow {self._tf.__version__} cannot load it "
                f"({first_line(exc)}). Run kpt-tools export again."
            ) from exc
        self._function = self._signature()

    @property
    def metadata(self) -> ModelMetadata:
        """Classes and keypoints of the model."""
        return self._metadata

    @property
    def calls(self) -> int:
        """One: TensorFlow keeps all cores busy with it."""
        return 1

    @property
    def batch_size(self) -> int:
        """All that go through the network together on a GPU; one on a CPU, which has no gain of more."""
        several = self._function.structured_input_signature[1][INPUT_NAME].shape[0] is None
        return MAX_BATCH if several and self._tf.config.list_physical_devices("GPU") else 1

    def detect(self, image: ImageRgb) -> RawDetections:
        """Detect in one RGB picture; see `kpt_tools.inference.engine.Engine.detect`.

        Raises:
            ValueError: not a [H, W, 3] uint8 array.
            EngineError: TensorFlow failed.
        """
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """Detect in several pictures; see `kpt_tools.inference.engine.Engine.detect_batch`.

        Pictures of one size run together, up to `MAX_BATCH` at once; a model that takes one picture gets one.

        Raises:
            ValueError: not [H, W, 3] uint8 arrays.
            EngineError: TensorFlow failed.
        """
        of_size: dict[tuple[int, ...], list[int]] = {}
        for number, image in enumerate(images):
            check_image(image)
            of_size.setdefault(image.shape, []).append(number)
        size = MAX_BATCH if self._function.structured_input_signature[1][INPUT_NAME].shape[0] is None else 1
        found: dict[int, RawDetections] = {}
        for numbers in of_size.values():
            for begin in range(0, len(numbers), size):
                part = numbers[begin : begin + size]
                found.update(zip(part, self.run(np.stack([images[number] for number in part])), strict=True))
        return [found[number] for number in range(len(images))]

    def run(self, values: npt.NDArray[Any], signature: str = _DEFAULT_SIGNATURE) -> list[RawDetections]:
        """Give a whole batch to one of the model's signatures.

        Args:
            values: what the signature takes: [N, H, W, 3] uint8 or float32, or [N] encoded pictures (dtype object).
            signature: one of `signatures`.

        Raises:
            EngineError: TensorFlow failed.
        """
        function = self._model.signatures[signature]
        try:
            output = function(**{INPUT_NAME: self._tf.constant(values)})
        except self._tf.errors.OpError as exc:
            what = f"{values.shape[2]}x{values.shape[1]}" if values.ndim > 1 else "unknown size"
            raise EngineError(
                f"{self.folder}: TensorFlow failed on {len(values)} picture(s) of {what} ({first_line(exc)}). "
                "If memory ran out, scale the picture down first."
            ) from exc
        arrays = {key: output[key].numpy() for key in detection_keys(self._metadata)}
        return [{key: array[row] for key, array in arrays.items()} for row in range(len(values))]

    def signatures(self) -> dict[str, str]:
        """Name to "dtype[shape]" of what each signature takes; an export of other programs has one."""
        return {
            name: ", ".join(_spec_text(spec) for spec in function.structured_input_signature[1].values())
            for name, function in self._model.signatures.items()
        }

    def input_specs(self) -> dict[str, str]:
        """Name to "dtype[shape]" of the inputs, such as "uint8[?, ?, ?, 3]"."""
        return {name: _spec_text(spec) for name, spec in self._function.structured_input_signature[1].items()}

    def output_specs(self) -> dict[str, str]:
        """Name to "dtype[shape]" of all outputs, also of those that `detect` does not return."""
        outputs = self._function.structured_outputs
        return {name: _spec_text(outputs[name]) for name in sorted(outputs)}

    def _signature(self) -> Any:
        """The serving function, after checking what goes in and comes out."""
        function = self._model.signatures.get(_DEFAULT_SIGNATURE)
        if function is None:
            raise EngineError(
                f"{self.folder}: the SavedModel has no signature '{_DEFAULT_SIGNATURE}'. Export it again."
            )
        inputs = function.structured_input_signature[1]
        spec = inputs.get(INPUT_NAME)
        if set(inputs) != {INPUT_NAME} or spec.dtype != self._tf.uint8 or spec.shape.rank != 4:
            raise EngineError(
                f"{self.folder}: the SavedModel takes {', '.join(map(str, inputs.values()))}; expected images "
                f"'{INPUT_NAME}' of uint8 [N, H, W, 3]. Export it with kpt-tools export."
            )
        missing = [key for key in detection_keys(self._metadata) if key not in function.structured_outputs]
        if missing:
            raise EngineError(
                f"{self.folder}: the SavedModel gives no {', '.join(missing)}, which {METADATA_NAME} promises. "
                "Export it again."
            )
        return function


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Let no GPU round float32 to TensorFloat-32 in the block."""
    switch = quiet_tensorflow(purpose=_PURPOSE).config.experimental
    before = switch.tensor_float_32_execution_enabled()
    switch.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        switch.enable_tensor_float_32_execution(before)


def _spec_text(spec: Any) -> str:
    if spec.shape.rank is None:
        return f"{spec.dtype.name}[...]"
    return f"{spec.dtype.name}[{', '.join('?' if size is None else str(size) for size in spec.shape)}]"
