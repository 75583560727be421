"""In exported graphs, heads are computed and refined only in the cells that decoding looks at.

CenterNet's decoding looks at every cell of its heatmaps, and then at sizes, offsets and keypoint regressions in the
cells of the peaks and around them. The OD API computes all heads everywhere, and `decoding` refines what they say
everywhere. Here both are done for the cells of the peaks alone, where these are few; the rest of a map, which nothing
looks at, is zero. Detections are the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kpt_tools.odapi.box_neighbours import is_supervised
from kpt_tools.odapi.head_cells import is_simple, values
from kpt_tools.odapi.keypoint_refinement import refined, refined_at, refined_heads
from kpt_tools.odapi.offset_average import MOVES, averaged, averaged_at, mean, mean_at
from kpt_tools.odapi.peak_ties import settled

_LARGEST_SHARE = 0.25
"""Of the cells of a map that a head may be computed in; with more, computing them one by one gains nothing."""


def detect(model: Any, images: Any, true_shapes: Any) -> dict[str, Any]:
    """What the postprocess of a CenterNet after `decoding.refine` makes of its predictions.

    Args:
        model: a CenterNet of the OD API with its variables.
        images: [1, H, W, 3] float32, preprocessed; H and W are known.
        true_shapes: [1, 3] int32, the size of the picture in it.

    Returns:
        The OD API's outputs.
    """
    return dict(type(model).postprocess(model, maps(model, images), true_shapes))


def maps(model: Any, images: Any) -> dict[str, list[Any]]:
    """Maps [1, h, w, channels] of the last stage by the head's name, refined, each in a list of one."""
    from object_detection.meta_architectures import center_net_meta_arch as arch

    features = model._feature_extractor(images)[-1]
    heads = {name: stages[-1] for name, stages in model.prediction_head_dict.items()}
    heatmaps = {name: head(features) for name, head in heads.items() if _is_heatmap(name)}
    heatmaps[arch.OBJECT_CENTER] = settled(heatmaps[arch.OBJECT_CENTER])
    plans = _plans(model, heatmaps)
    return {
        name: [heatmaps[name] if name in heatmaps else _map(head, features, plans.get(name))]
        for name, head in heads.items()
    }


def _is_heatmap(name: str) -> bool:
    from object_detection.meta_architectures import center_net_meta_arch as arch

    return bool(name == arch.OBJECT_CENTER or name.endswith(f"/{arch.KEYPOINT_HEATMAP}"))


@dataclass(frozen=True)
class _Places:
    """Cells [N] int32 of one picture that decoding looks at, of a map of `size` (rows, columns)."""

    rows: Any
    columns: Any
    size: tuple[int, int]

    @property
    def count(self) -> int:
        return int(self.rows.shape[0])

    @property
    def numbers(self) -> Any:
        """[N] int32, counted through the map row by row."""
        return self.rows * self.size[1] + self.columns

    def neighbours(self) -> tuple[_Places, Any]:
        """The 9 N cells that `MOVES` lead to, those outside the map moved into it, and [N, 9] bool: they are inside."""
        import tensorflow as tf

        moves = tf.constant(MOVES, tf.int32)
        rows, columns = self.rows[:, tf.newaxis] + moves[:, 0], self.columns[:, tf.newaxis] + moves[:, 1]
        height, width = self.size
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        near_rows, near_columns = tf.clip_by_value(rows, 0, height - 1), tf.clip_by_value(columns, 0, width - 1)
        return _Places(tf.reshape(near_rows, [-1]), tf.reshape(near_columns, [-1]), self.size), inside


@dataclass(frozen=True)
class _Plan:
    """Where decoding looks at a head, and how what it says there is refined.

    Attributes:
        places: the cells.
        everywhere: refines a whole map [1, h, w, C].
        at_places: refines [N, 9, C], the values around N places, given [N, 9] bool, which of them are inside the map.
    """

    places: _Places
    everywhere: Callable[[Any], Any] | None = None
    at_places: Callable[[Any, Any], Any] | None = None


def _plans(model: Any, heatmaps: dict[str, Any]) -> dict[str, _Plan]:
    """The plans of all heads of which decoding looks at some cells only, by name."""
    from object_detection.meta_architectures import center_net_meta_arch as arch

    centres = _peaks(
        heatmaps[arch.OBJECT_CENTER],
        max_pool_kernel_size=model._center_params.peak_max_pool_kernel_size,
        k=model._center_params.max_box_predictions,
    )
    if is_supervised(model):
        found = {
            arch.BOX_SCALE: _Plan(centres, mean, mean_at),
            arch.BOX_OFFSET: _Plan(centres, averaged, averaged_at),
        }
    else:
        found = {arch.BOX_SCALE: _Plan(centres), arch.BOX_OFFSET: _Plan(centres)}
    with_refinement = refined_heads(model)
    for task, params in (model._kp_params_dict or {}).items():
        if params.argmax_postprocessing:  # looks at other cells
            continue
        found[arch.get_keypoint_name(task, arch.KEYPOINT_REGRESSION)] = _Plan(centres)
        heatmap = heatmaps[arch.get_keypoint_name(task, arch.KEYPOINT_HEATMAP)]
        candidates = _peaks(
            heatmap,
            max_pool_kernel_size=params.peak_max_pool_kernel_size,
            k=params.num_candidates_per_keypoint,
            per_channel=True,
        )
        name = arch.get_keypoint_name(task, arch.KEYPOINT_OFFSET)
        found[name] = _keypoint_plan(candidates, heatmap) if name in with_refinement else _Plan(candidates)
    return found


def _peaks(heatmap: Any, **settings: Any) -> _Places:
    """The cells that the OD API's decoding chooses in a heatmap of logits."""
    import tensorflow as tf
    from object_detection.meta_architectures import center_net_meta_arch as arch

    _, rows, columns, _ = arch.top_k_feature_map_locations(tf.nn.sigmoid(heatmap), **settings)
    return _Places(rows[0], columns[0], tuple(heatmap.shape[1:3]))


def _keypoint_plan(candidates: _Places, heatmap: Any) -> _Plan:
    def everywhere(offsets: Any) -> Any:
        return refined(offsets, heatmap)

    def at_places(around: Any, inside: Any) -> Any:
        return refined_at(around, inside, heatmap, candidates.rows, candidates.columns)

    return _Plan(candidates, everywhere, at_places)


def _map(head: Any, features: Any, plan: _Plan | None) -> Any:
    """A head's refined map, computed where decoding looks if these are few cells; no plan: everywhere."""
    if plan is None:
        return head(features)
    cells = plan.places.count * (len(MOVES) if plan.at_places else 1)
    height, width = plan.places.size
    if not is_simple(head) or cells > _LARGEST_SHARE * height * width:
        whole = head(features)
        return plan.everywhere(whole) if plan.everywhere else whole
    return _scattered(_at_places(head, features, plan), plan.places)


def _at_places(head: Any, features: Any, plan: _Plan) -> Any:
    """[N, C]: what a head says in the places of the plan, refined."""
    import tensorflow as tf

    if plan.at_places is None:
        return values(head, features, plan.places.numbers)
    near, inside = plan.places.neighbours()
    around = values(head, features, near.numbers)
    return plan.at_places(tf.reshape(around, [plan.places.count, len(MOVES), around.shape[-1]]), inside)


def _scattered(rows: Any, places: _Places) -> Any:
    """[1, h, w, C] with [N, C] in its places and zero elsewhere.

    A place that comes twice is there twice, summed or not: formats differ, but its share of the times is the same.
    """
    import tensorflow as tf

    height, width = places.size
    cells = places.numbers[:, tf.newaxis]
    totals = tf.scatter_nd(cells, rows, [height * width, rows.shape[-1]])
    times = tf.scatter_nd(cells, tf.ones_like(cells, tf.float32), [height * width, 1])
    return tf.reshape(totals / tf.maximum(times, 1.0), [1, height, width, rows.shape[-1]])
