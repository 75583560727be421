"""Losses; each is a mean over the points that count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.lazy import quiet_tensorflow

Tensor = Any
Loss = Callable[[dict[str, Tensor], Tensor, Tensor, Tensor], Tensor]
"""Takes outputs, target, points [N, K, 2] from 0 to 1, and weights [N, K]; gives a number."""

_JS_WEIGHT = 1.0
_HUBER_DELTA = 0.02
_EPSILON = 1e-9
_AWING = {"alpha": 2.1, "omega": 14.0, "epsilon": 1.0, "theta": 0.5}


def _tf() -> Any:
    return quiet_tensorflow(purpose="training a heatmap model")


def loss_of(spec: HeatmapSpec, name: str) -> Loss:
    """The loss for a target.

    Args:
        spec: the model.
        name: "mse" or "awing" for drawn heatmaps; "own": what the target's own loss is.

    Raises:
        ConfigError: the target does not have this loss.
    """
    drawn = spec.target in ("gaussian", "circle")
    if not drawn and name != "own":
        raise ConfigError(f"--loss {name}: is for the targets gaussian and circle; '{spec.target}' has its own.")
    if drawn:
        return _over_stages(awing if name == "awing" else squares)
    return {"softargmax": _over_stages(dsnt), "simcc": simcc, "points": huber}[spec.target]


def _over_stages(loss: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Loss:
    """The mean over all stages that give heatmaps."""

    def mean(outputs: dict[str, Tensor], target: Tensor, points: Tensor, weights: Tensor) -> Tensor:
        return sum(loss(maps, target, points, weights) for maps in outputs.values()) / float(len(outputs))

    return mean


def squares(maps: Tensor, target: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Mean squared error over all cells of the maps of labelled points: the document's loss."""
    tf = _tf()
    return _weighted(tf.reduce_mean(tf.square(maps - target), axis=(1, 2)), weights)


def awing(maps: Tensor, target: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Adaptive wing loss (Wang et al., ICCV 2019): near the peak small errors count, in the background they do not."""
    tf = _tf()
    alpha, omega, epsilon, theta = (_AWING[key] for key in ("alpha", "omega", "epsilon", "theta"))
    error = tf.abs(target - maps)
    power = alpha - target
    ratio = theta / epsilon
    slope = omega * (1 / (1 + ratio**power)) * power * ratio ** (power - 1) / epsilon
    offset = theta * slope - omega * tf.math.log(1 + ratio**power)
    near = omega * tf.math.log(1 + tf.pow(error / epsilon + _EPSILON, power))
    return _weighted(tf.reduce_mean(tf.where(error < theta, near, slope * error - offset), axis=(1, 2)), weights)


def dsnt(maps: Tensor, target: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Distance of the average to the point, plus the divergence from the target bell.

    Nibali et al., "Numerical Coordinate Regression with Convolutional Neural Networks", 2018: Euclidean distance in
    units of half the input, plus the Jensen-Shannon divergence.
    """
    tf = _tf()
    chances = softmax_maps(maps)
    distance = 2.0 * tf.norm(averages(chances) - points + _EPSILON, axis=-1)
    middle = (chances + target) / 2
    divergence = (_divergence(target, middle) + _divergence(chances, middle)) / 2
    return _weighted(distance + _JS_WEIGHT * divergence, weights)


def simcc(outputs: dict[str, Tensor], target: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy to the smoothed label of each axis."""
    tf = _tf()
    logs = tf.nn.log_softmax(outputs["simcc"], axis=-1)
    return _weighted(-tf.reduce_sum(target * logs, axis=(-2, -1)) / 2, weights)


def huber(outputs: dict[str, Tensor], target: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Huber loss of the coordinates: squares for errors below 2 % of the input's side, straight beyond."""
    tf = _tf()
    error = tf.abs(outputs["points"] - points)
    inner = tf.square(error) / (2 * _HUBER_DELTA)
    each = tf.where(error < _HUBER_DELTA, inner, error - _HUBER_DELTA / 2)
    return _weighted(tf.reduce_sum(each, axis=-1), weights)


def softmax_maps(maps: Tensor) -> Tensor:
    """Logits [N, h, w, K] to maps that add up to 1."""
    tf = _tf()
    height, width, count = (int(side) for side in maps.shape[1:])
    flat = tf.nn.softmax(tf.reshape(maps, (-1, height * width, count)), axis=1)
    return tf.reshape(flat, (-1, height, width, count))


def averages(chances: Tensor) -> Tensor:
    """[N, K, 2]: x, y from 0 to 1 of the averages of maps that add up to 1; `decode.average` in TensorFlow."""
    tf = _tf()
    height, width = int(chances.shape[1]), int(chances.shape[2])
    across = (tf.range(width, dtype=tf.float32) + 0.5) / width
    down = (tf.range(height, dtype=tf.float32) + 0.5) / height
    x = tf.einsum("nhwk,w->nk", chances, across)
    y = tf.einsum("nhwk,h->nk", chances, down)
    return tf.stack([x, y], axis=-1)


def _divergence(first: Tensor, second: Tensor) -> Tensor:
    """Kullback-Leibler divergence of maps [N, h, w, K] per point."""
    tf = _tf()
    ratio = tf.math.log((first + _EPSILON) / (second + _EPSILON))
    return tf.reduce_sum(first * ratio, axis=(1, 2))


def _weighted(each: Tensor, weights: Tensor) -> Tensor:
    tf = _tf()
    return tf.reduce_sum(each * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)
