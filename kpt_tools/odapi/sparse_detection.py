"""In exported graphs, heads are computed only in the cells that decoding looks at.

CenterNet's decoding looks at every cell of its heatmaps, and then at sizes, offsets and keypoint regressions in the
cells of the peaks and around them. The OD API computes all heads everywhere. Here a head whose cells are few is applied
to the features around them alone; the rest of its map, which nothing looks at, is zero. Detections are the same but for
rounding.
"""

from __future__ import annotations

from typing import Any

from kpt_tools.odapi.head_cells import is_simple, values
from kpt_tools.odapi.offset_average import WINDOW
from kpt_tools.odapi.peak_ties import settled

_LARGEST_SHARE = 0.25
"""Of the cells of a map that decoding may look at; with more, computing them one by one gains nothing."""


def predict(model: Any, images: Any) -> dict[str, list[Any]]:
    """What `CenterNetMetaArch.predict` returns for the last stage, good for `postprocess` and for nothing else.

    Args:
        model: a CenterNet of the OD API with its variables, after `decoding.refine`.
        images: [1, H, W, 3] float32, preprocessed; H and W are known.

    Returns:
        Maps [1, h, w, channels] by the head's name, each in a list of one.
    """
    features = model._feature_extractor(images)[-1]
    heads = {name: stages[-1] for name, stages in model.prediction_head_dict.items()}
    heatmaps = {name: head(features) for name, head in heads.items() if _is_heatmap(name)}
    numbers = _cells_of_decoding(model, heatmaps)
    return {
        name: [heatmaps[name] if name in heatmaps else _map(head, features, numbers.get(name))]
        for name, head in heads.items()
    }


def _is_heatmap(name: str) -> bool:
    from object_detection.meta_architectures import center_net_meta_arch as arch

    return bool(name == arch.OBJECT_CENTER or name.endswith(f"/{arch.KEYPOINT_HEATMAP}"))


def _cells_of_decoding(model: Any, heatmaps: dict[str, Any]) -> dict[str, Any]:
    """[N] int32, numbers of cells, for each head of which decoding looks at a few."""
    import tensorflow as tf
    from object_detection.meta_architectures import center_net_meta_arch as arch

    centres = heatmaps[arch.OBJECT_CENTER]
    cells = tuple(centres.shape[1:3])
    _, *at_centres, _ = arch.top_k_feature_map_locations(
        tf.nn.sigmoid(settled(centres)),
        max_pool_kernel_size=model._center_params.peak_max_pool_kernel_size,
        k=model._center_params.max_box_predictions,
    )
    around_centres = _with_neighbours(*at_centres, cells)
    found = {arch.BOX_SCALE: around_centres, arch.BOX_OFFSET: around_centres}
    for task, params in (model._kp_params_dict or {}).items():
        if params.argmax_postprocessing:  # looks at other cells
            continue
        heatmap = heatmaps[arch.get_keypoint_name(task, arch.KEYPOINT_HEATMAP)]
        _, *at_candidates, _ = arch.top_k_feature_map_locations(
            tf.nn.sigmoid(heatmap),
            max_pool_kernel_size=params.peak_max_pool_kernel_size,
            k=params.num_candidates_per_keypoint,
            per_channel=True,
        )
        found[arch.get_keypoint_name(task, arch.KEYPOINT_OFFSET)] = _with_neighbours(*at_candidates, cells)
        found[arch.get_keypoint_name(task, arch.KEYPOINT_REGRESSION)] = _numbers(*at_centres, cells)
    return found


def _numbers(rows: Any, columns: Any, cells: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.reshape(rows * cells[1] + columns, [-1])


def _with_neighbours(rows: Any, columns: Any, cells: tuple[int, int]) -> Any:
    """Cells of one picture [1, N], and those that `offset_average` takes with each; outside the map, the nearest."""
    import tensorflow as tf

    moves = tf.range(-(WINDOW // 2), WINDOW // 2 + 1)
    near_rows = tf.clip_by_value(rows[..., tf.newaxis] + moves, 0, cells[0] - 1)[..., tf.newaxis]
    near_columns = tf.clip_by_value(columns[..., tf.newaxis] + moves, 0, cells[1] - 1)[..., tf.newaxis, :]
    return _numbers(near_rows, near_columns, cells)


def _map(head: Any, features: Any, numbers: Any) -> Any:
    """A head's map, computed in the cells of these numbers alone if they are few; None: everywhere."""
    import tensorflow as tf

    _, height, width, _ = features.shape
    if numbers is None or not is_simple(head) or numbers.shape[0] > _LARGEST_SHARE * height * width:
        return head(features)
    places, size = numbers[:, tf.newaxis], height * width
    # A cell that comes twice is there twice, summed or not: formats differ, and their share is the same.
    totals = tf.scatter_nd(places, values(head, features, numbers), [size, head.layers[-1].filters])
    times = tf.scatter_nd(places, tf.ones_like(places, tf.float32), [size, 1])
    return tf.reshape(totals / tf.maximum(times, 1.0), [1, height, width, -1])
