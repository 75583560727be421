"""One of several processes that train a model together: what is checked, and where its files go."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace

from kpt_tools.config.train import TrainConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.odapi import checkpoints
from kpt_tools.stages.preflight import AUTO

_ADDRESS = re.compile(r"^[^\s:,]+:\d{1,5}$")


def check_workers(config: TrainConfig) -> None:
    """Refuse lists of workers that cannot work.

    Raises:
        ConfigError: what is wrong with them.
    """
    count = len(config.workers)
    if not count:
        if config.worker_index is not None:
            raise ConfigError(f"--worker-index {config.worker_index} without --workers; give both, or none.")
        return
    for address in config.workers:
        if not _ADDRESS.match(address):
            raise ConfigError(f"--workers: '{address}'; expected host:port, as in 10.0.0.5:5000.")
    if count == 1 or len(set(config.workers)) != count:
        raise ConfigError(f"--workers {','.join(config.workers)}: expected at least two different addresses.")
    if config.worker_index is None or not 0 <= config.worker_index < count:
        given = "is missing" if config.worker_index is None else f"is {config.worker_index}"
        raise ConfigError(f"--worker-index {given}; expected 0 to {count - 1}, each on one of the {count} workers.")
    if config.batch_size == AUTO or config.overfit_one_batch:
        what = "--batch-size auto" if config.batch_size == AUTO else "--overfit-one-batch"
        raise ConfigError(f"{what} with --workers: each would decide alone. Find it out without --workers first.")


def check_batch(config: TrainConfig, batch_size: int) -> None:
    """Refuse a batch that cannot be shared out evenly.

    Raises:
        ConfigError: the message has one that can.
    """
    given = int(config.batch_size) if config.batch_size and config.batch_size.isdecimal() else batch_size
    count = max(len(config.workers), 1)
    if given % count:
        raise ConfigError(
            f"batch size {given} for {count} workers: it counts for all of them together and must be a multiple. "
            f"Use --batch-size {-(-given // count) * count}."
        )


def as_worker(config: TrainConfig) -> TrainConfig:
    """The settings of this worker: all but the first have a folder of their own in the run, and validate nothing."""
    if not config.worker_index:
        return config
    return replace(config, run=config.run / f"worker-{config.worker_index}", validate=False)


@contextlib.contextmanager
def told_to_workers(config: TrainConfig) -> Iterator[None]:
    """If one worker ends, all do: say in the error what to do then."""
    try:
        yield
    except EngineError as exc:
        if not config.workers:
            raise
        last = checkpoints.latest(config.run)
        start = f"from step {last.step}" if last else "from the last checkpoint of worker 0, if there is one"
        raise type(exc)(
            f"worker {config.worker_index} of {', '.join(config.workers)}: {exc} When one worker ends, all do; the "
            f"first to fail tells why. Start all of them again: they go on {start}."
        ) from exc
