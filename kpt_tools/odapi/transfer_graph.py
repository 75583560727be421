"""The object graphs of a model and of a checkpoint, walked side by side as TensorFlow does when it restores."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.odapi.transfer_plan import ADAPTED, FRESH, Pair, Step

_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"
_HEADS = "_prediction_head_dict"
# Beside its own errors, TensorFlow's reader raises these for files that are damaged or cut short.
_READER_ERRORS = (ValueError, RuntimeError, IndexError, KeyError)


class CheckpointGraph:
    """An object-based checkpoint with a detection model in it.

    Args:
        checkpoint: path without suffix.

    Raises:
        ConfigError: it cannot be read, or holds no detection model.
    """

    def __init__(self, checkpoint: Path) -> None:
        import tensorflow as tf
        from tensorflow.core.protobuf import trackable_object_graph_pb2

        self.path = checkpoint
        try:
            self._reader = tf.train.load_checkpoint(str(checkpoint))
            self._shapes: dict[str, list[int]] = self._reader.get_variable_to_shape_map()
            raw = self._reader.get_tensor(_GRAPH_KEY) if _GRAPH_KEY in self._shapes else b""
        except (tf.errors.OpError, *_READER_ERRORS) as exc:
            raise ConfigError(f"{checkpoint}: cannot be read ({_first_line(exc)}). Copy or download it again.") from exc
        self._nodes = trackable_object_graph_pb2.TrackableObjectGraph.FromString(raw).nodes
        model = self.children(0).get("model") if len(self._nodes) else None
        if model is None:
            raise ConfigError(
                f"{checkpoint}: holds no detection model; expected a checkpoint of kpt-tools train or export, or of "
                "the TF2 detection zoo."
            )
        self.model: int = model

    def children(self, node: int) -> dict[str, int]:
        """Node ids of the children by name."""
        return {child.local_name: child.node_id for child in self._nodes[node].children}

    def variable(self, node: int) -> tuple[str, tuple[int, ...]] | None:
        """Key and shape of the variable that a node is; None if it is none."""
        for attribute in self._nodes[node].attributes:
            if attribute.name == _VALUE and attribute.checkpoint_key in self._shapes:
                return attribute.checkpoint_key, tuple(self._shapes[attribute.checkpoint_key])
        return None

    def heads(self) -> tuple[str, ...]:
        """Names of the model's prediction heads."""
        heads = self.children(self.model).get(_HEADS)
        return () if heads is None else tuple(self.children(heads))

    def keys(self) -> set[str]:
        """Keys of all variables of the model (not of the optimizer, nor the step that a model may refer to)."""
        seen, queue = {self.model}, [self.model]
        while queue:
            fresh = set(self.children(queue.pop()).values()) - seen
            seen |= fresh
            queue += fresh
        found = (self.variable(node) for node in seen)
        return {variable[0] for variable in found if variable is not None and variable[0].startswith("model/")}

    def value(self, key: str) -> Any:
        """The array under a key.

        Raises:
            ConfigError: the data file is damaged, or the values are not finite.
        """
        import numpy as np
        import tensorflow as tf

        try:
            value = np.asarray(self._reader.get_tensor(key))
        except (tf.errors.OpError, *_READER_ERRORS) as exc:
            raise ConfigError(
                f"{self.path}: '{key}' cannot be read ({_first_line(exc)}). Copy or download it again."
            ) from exc
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise ConfigError(
                f"{self.path}: '{key}' holds values that are not finite: this training went wrong. "
                "Choose another checkpoint."
            )
        return value


def _first_line(exc: Exception) -> str:
    return next(iter(str(exc).splitlines()), type(exc).__name__)


@dataclass(frozen=True)
class _Visit:
    trackable: Any
    node: int | None
    path: tuple[str, ...]


def pair_variables(model: Any, graph: CheckpointGraph, heads: Mapping[str, str]) -> list[tuple[Pair, Any]]:
    """Every variable of a built detection model with its partner in the checkpoint.

    Args:
        model: the CenterNet.
        graph: the checkpoint.
        heads: for heads that are named differently there, their names there.
    """
    outputs = _output_variables(model)
    pairs = []
    for visit in _walk(model, graph, heads):
        path = visit.path
        found = None if visit.node is None else graph.variable(visit.node)
        pair = Pair(
            path="/".join(path),
            shape=tuple(visit.trackable.shape.as_list()),
            head=path[1] if path[0] == _HEADS else "",
            output=id(visit.trackable) in outputs,
            key=found[0] if found else None,
            key_shape=found[1] if found else (),
        )
        pairs.append((pair, visit.trackable))
    return pairs


def _walk(model: Any, graph: CheckpointGraph, heads: Mapping[str, str]) -> Iterator[_Visit]:
    """The model's variables, breadth first; an object that has several paths is paired by the first that fits."""
    import tensorflow as tf

    view = tf.train.TrackableView(model)
    start = _Visit(model, graph.model, ())
    seen = {id(model): start}
    queue = deque([start])
    while queue:
        visit = queue.popleft()
        nodes = {} if visit.node is None else graph.children(visit.node)
        for name, child in view.children(visit.trackable).items():
            there = heads.get(name, name) if visit.path == (_HEADS,) else name
            known = seen.get(id(child))
            node = nodes.get(there)
            if known is not None and (known.node is not None or node is None):
                continue
            # `seen` keeps each object alive, so that no id can be used twice.
            found = _Visit(child, node, known.path if known else (*visit.path, name))
            seen[id(child)] = found
            if not isinstance(child, tf.Variable):
                queue.append(found)
    yield from (visit for visit in seen.values() if isinstance(visit.trackable, tf.Variable))


def _output_variables(model: Any) -> set[int]:
    """Ids of kernel and bias of the last layer of each head."""
    nets = [net for nets in model.prediction_head_dict.values() for net in nets]
    return {id(variable) for net in nets for variable in net.layers[-1].variables}


def new_values(steps: Sequence[Step], variables: Sequence[Any], graph: CheckpointGraph) -> list[tuple[Any, Any]]:
    """The values that variables get, read and checked, with nothing assigned yet.

    Raises:
        ConfigError: the checkpoint is damaged.
        EngineError: a value does not fit its variable.
    """
    values = []
    for step, variable in zip(steps, variables, strict=True):
        if step.status == FRESH and not step.from_zero:
            continue
        start = variable.numpy() * (0 if step.from_zero else 1)
        value = start if step.status == FRESH or step.pair.key is None else graph.value(step.pair.key)
        if step.status == ADAPTED:
            value = _with_rows(start, value, step.rows)
        if value.shape != step.pair.shape:
            raise EngineError(f"{step.pair.path}: has shape {step.pair.shape}, the new value {value.shape}.")
        values.append((variable, value))
    return values


def _with_rows(current: Any, value: Any, rows: Sequence[tuple[int, int]]) -> Any:
    """`current` with some channels (last axis) replaced by channels of `value`."""
    result = current.copy()
    for wanted, given in rows:
        result[..., wanted] = value[..., given]
    return result


def assign_all(values: list[tuple[Any, Any]]) -> None:
    """Assign every value, or none: after an error the variables have their old values again."""
    before = []
    try:
        while values:
            variable, value = values.pop()
            before.append((variable, variable.numpy()))
            variable.assign(value)
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise
