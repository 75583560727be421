"""Several processes, on several machines, that train one model together.

TensorFlow's MultiWorkerMirroredStrategy: each worker has all weights and a part of each batch; the gradients are summed
over the network before each update. All workers run the same program in lockstep: what one of them decides alone (to
stop, for example) must be told to all before it is acted upon. Worker 0 is the chief: it alone writes checkpoints and
validates.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

REGISTER_TIMEOUT_S = 600
"""How long the first worker waits for the last."""
HEARTBEAT_TIMEOUT_S = 30
"""A worker that is silent for so long counts as lost."""
SHUTDOWN_TIMEOUT_S = 30
"""How long a worker that has ended waits for the others."""

_JOB = "worker"


def join(addresses: Sequence[str], index: int) -> None:
    """Prepare this process to be a worker; before TensorFlow computes anything.

    Args:
        addresses: "host:port" of each worker, the same list for all.
        index: which of them this is.
    """
    from tensorflow.python.eager import context  # it has the module of the message, whose place changes with versions

    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {_JOB: list(addresses)}, "task": {"type": _JOB, "index": index}},
    )
    job = context.coordination_config_pb2.CoordinatedJob(name=_JOB, num_tasks=len(addresses))
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{_JOB}/replica:0/task:0",
        cluster_register_timeout_in_ms=REGISTER_TIMEOUT_S * 1000,
        heartbeat_timeout_in_ms=HEARTBEAT_TIMEOUT_S * 1000,
        shutdown_barrier_timeout_in_ms=SHUTDOWN_TIMEOUT_S * 1000,
        coordinated_jobs=[job],
    )


def is_chief() -> bool:
    """Whether this process writes the checkpoints; where there is one process, it does."""
    import tensorflow as tf

    return bool(tf.distribute.get_strategy().extended.should_checkpoint)


def several() -> bool:
    """Whether there are other processes."""
    import tensorflow as tf

    return isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)


def agreement() -> Callable[[bool], bool]:
    """A function that all workers call together, and that tells all of them whether one of them said yes."""
    import tensorflow as tf

    if not several():
        return lambda mine: mine
    strategy = tf.distribute.get_strategy()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def total(vote: Any) -> Any:
        votes = strategy.run(tf.identity, args=(vote,))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, votes, axis=None)

    return lambda mine: float(total(tf.constant(float(mine)))) > 0.0


def share_from_chief(variables: Sequence[Any]) -> None:
    """Give the variables of all workers the chief's values; all call it together.

    It is a sum over the workers in which all but the chief's values count as zero.
    """
    kinds = {variable.dtype for variable in variables}
    for kind in sorted(kinds, key=lambda dtype: str(dtype.name)):
        _share_from_chief([variable for variable in variables if variable.dtype == kind])


def _share_from_chief(variables: Sequence[Any]) -> None:
    """The same for variables of one type."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def values() -> Any:
        def one_replica() -> Any:
            replica = tf.distribute.get_replica_context()
            mine = tf.equal(replica.replica_id_in_sync_group, 0)
            parts = [tf.where(mine, variable.read_value(), tf.zeros_like(variable)) for variable in variables]
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, parts)

        return strategy.run(one_replica)

    for variable, value in zip(variables, values(), strict=True):
        variable.assign(strategy.experimental_local_results(value)[0])
