"""`object_detection.model_main_tf2` through the compatibility layer, with the loop of `train_loop`."""

from __future__ import annotations

import functools
import sys
from typing import Any

from kpt_tools.errors import ConfigError
from kpt_tools.odapi import compat, events
from kpt_tools.odapi.memory import keep_freed_memory


def main() -> None:
    """Run the OD API's training program; flags are its own and those that begin with ``kpt_``."""
    keep_freed_memory()
    compat.activate()
    events.emit("phase", name="importing TensorFlow")
    import tensorflow as tf
    from absl import flags
    from object_detection import model_lib_v2, model_main_tf2

    from kpt_tools.odapi import train_loop
    from kpt_tools.odapi.precision_trial import settle

    flags.DEFINE_integer("kpt_seed", None, "Seed of weights, shuffling and augmentation.")
    flags.DEFINE_string("kpt_precision", "float32", "float32, bfloat16, float16, or auto: what is faster.")
    flags.DEFINE_string("kpt_transfer", "match", "What to take from fine_tune_checkpoint: match, detection or full.")
    flags.DEFINE_float("kpt_ema", 0.0, "Decay of the weights' moving average; 0 for none.")
    flags.DEFINE_integer("kpt_validate_every", 0, "Look at each so-many-th validation picture; 0: at none.")
    flags.DEFINE_integer("kpt_validated_step", 0, "The last step that was validated, for a run that is resumed.")
    flags.DEFINE_boolean("kpt_one_batch", False, "Train on the first batch only.")
    flags.DEFINE_boolean("kpt_keep_decoded", False, "Decode the training pictures once and keep them in memory.")
    flags.DEFINE_float("kpt_rotation", 0.0, "Turn pictures by up to so many degrees.")
    flags.DEFINE_integer("kpt_box_cells", 1, "How many cells learn a box.")
    flags.DEFINE_list("kpt_workers", [], "host:port of each worker, worker 0 first; empty: this process alone.")
    flags.DEFINE_integer("kpt_worker_index", 0, "Which of the workers this is.")

    def run(argv: list[str]) -> None:
        try:
            if flags.FLAGS.kpt_workers:
                _join_workers(flags.FLAGS)
            else:
                settle(flags.FLAGS.kpt_precision)
        except ConfigError as exc:
            events.emit("refused", error=type(exc).__name__, message=str(exc))
            raise
        if not flags.FLAGS.kpt_workers:
            _use_one_device_strategy_where_there_is_one_device(tf)
        options = train_loop.LoopOptions(
            seed=flags.FLAGS.kpt_seed,
            transfer=flags.FLAGS.kpt_transfer,
            ema=flags.FLAGS.kpt_ema,
            validate_every=flags.FLAGS.kpt_validate_every,
            validated_step=flags.FLAGS.kpt_validated_step,
            one_batch=flags.FLAGS.kpt_one_batch,
            keep_decoded=flags.FLAGS.kpt_keep_decoded,
            worker_index=flags.FLAGS.kpt_worker_index,
            degrees=flags.FLAGS.kpt_rotation,
            box_cells=flags.FLAGS.kpt_box_cells,
        )
        model_lib_v2.train_loop = functools.partial(train_loop.train_loop, options=options)
        model_main_tf2.main(argv)

    tf.compat.v1.app.run(run, argv=sys.argv)


def _join_workers(flags: Any) -> None:
    """Make `model_main_tf2` use MultiWorkerMirroredStrategy, with no computation before that."""
    from kpt_tools.odapi import precision, workers

    # A trial would compute before the workers have met.
    resolved = precision.resolve(flags.kpt_precision, on_gpu=precision.has_gpu())
    precision.apply_to_device(resolved)
    events.emit("precision", precision=resolved, speedup=None)
    flags.num_workers = len(flags.kpt_workers)
    events.emit("phase", name=f"waiting for all of {flags.num_workers} workers")
    workers.join(flags.kpt_workers, flags.kpt_worker_index)


def _use_one_device_strategy_where_there_is_one_device(tf: object) -> None:
    """MirroredStrategy over one device only adds work: model_main_tf2 then gets a OneDeviceStrategy."""
    gpus = tf.config.list_logical_devices("GPU")  # type: ignore[attr-defined]
    if len(gpus) > 1:
        return
    device = gpus[0].name if gpus else "/cpu:0"
    one_device = functools.partial(tf.distribute.OneDeviceStrategy, device)  # type: ignore[attr-defined]
    tf.compat.v2.distribute.MirroredStrategy = one_device  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
