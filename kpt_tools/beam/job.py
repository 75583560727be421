"""A function applied to many items by a Beam pipeline, with results in the order of the items.

Items and results travel in files of some items each, in a folder that all machines reach; a pipeline works on the
numbers of these files. So nothing but numbers is shuffled, the pipeline's description stays small for any number of
items, and a part that a runner tries again is merely written again.
"""

from __future__ import annotations

import json
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar

from kpt_tools.beam.files import filesystems, read_bytes, remove, write_bytes
from kpt_tools.errors import EngineError
from kpt_tools.lazy import require

T = TypeVar("T")
R = TypeVar("R")

_THREADS = 4
"""Of one worker: while one waits for the disk or the net, others decode."""
_POLL_S = 2.0


class _Progress(Protocol):
    def __call__(self, items: Sequence[Any], what: str) -> Iterable[Any]: ...


@dataclass
class BeamMap:
    """Runs functions on Beam.

    Attributes:
        options: of the pipeline, as on the command line: ``--runner=FlinkRunner`` and all others.
        temp: folder for items and results.
        dead_letters: beginning of the names of the files for items that failed; made only if there are any.
        progress: told of the parts that are done.
        jobs: number of pipelines run so far.
    """

    options: Sequence[str]
    temp: str
    dead_letters: str
    progress: _Progress
    jobs: int = field(default=0, init=False)

    def __call__(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        what: str,
        failed: Callable[[T, str], R],
        complaint: Callable[[T, R], str] = lambda item, result: "",
        part: int = 100,
    ) -> Iterator[R]:
        """Yield ``function(item)`` of each item, in order.

        Args:
            function: of a module's top level (or a `functools.partial` of one), so that other machines find it.
            items: what to work on; both they and the results must be picklable.
            what: the name of the work.
            failed: makes the result of an item for which `function` raised; gets the reason.
            complaint: why an item failed though `function` did not raise, "" if it did not; of a module's top level.
            part: items in one file.

        Raises:
            EngineError: the pipeline failed.
            MissingDependencyError: Apache Beam is not installed.
        """
        self.jobs += 1
        folder = f"{self.temp.rstrip('/')}/{self.jobs}"
        parts = _write_parts(folder, items, part)
        work = _Work(folder, what, function, complaint)
        with _Watch(folder, parts, what, self.progress):
            self._run(work, parts)
        for number in range(parts):
            given, results = (pickle.loads(read_bytes(f"{folder}/{kind}-{number:06d}")) for kind in ("in", "out"))
            for item, (result, reason) in zip(given, results, strict=True):
                yield failed(item, reason) if reason else result
        remove([folder])

    def _run(self, work: _Work, parts: int) -> None:
        beam = require("apache_beam", purpose="--runner")
        options = require("apache_beam.options.pipeline_options", purpose="--runner").PipelineOptions
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
        try:
            with beam.Pipeline(options=options(list(self.options))) as pipeline:
                numbers = pipeline | beam.Create(range(parts)) | beam.Reshuffle()
                dead = numbers | beam.FlatMap(work)
                dead | beam.io.WriteToText(
                    f"{self.dead_letters}-{self.jobs}", file_name_suffix=".jsonl", skip_if_empty=True
                )
        except Exception as exc:  # every runner has exceptions of its own
            reason = " ".join(str(exc).split())[-500:] or type(exc).__name__
            raise EngineError(f"{work.what}: the Beam pipeline failed ({reason}). Its log tells more.") from exc


@dataclass(frozen=True)
class _Work:
    """What a worker does with the number of a part: it leaves the results in a file, and yields dead letters."""

    folder: str
    what: str
    function: Callable[[Any], Any]
    complaint: Callable[[Any, Any], str]

    def __call__(self, number: int) -> list[str]:
        items = pickle.loads(read_bytes(f"{self.folder}/in-{number:06d}"))
        with ThreadPoolExecutor(_THREADS) as pool:
            done = list(pool.map(self._try, items))
        results = [(result, reason) for result, reason, _ in done]
        write_bytes(f"{self.folder}/out-{number:06d}", pickle.dumps(results))
        return [letter for _, _, letter in done if letter]

    def _try(self, item: Any) -> tuple[Any, str, str]:
        """Result, reason of failure, dead letter."""
        try:
            result = self.function(item)
        except Exception as exc:  # whatever an item does, the others go on
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())
            return None, reason, self._letter(item, reason, traceback.format_exc())
        reason = self.complaint(item, result)
        return result, "", self._letter(item, reason, "") if reason else ""

    def _letter(self, item: Any, reason: str, trace: str) -> str:
        name = str(getattr(item, "name", item))
        return json.dumps({"work": self.what, "item": name, "reason": reason, "traceback": trace})


def _write_parts(folder: str, items: Iterable[Any], part: int) -> int:
    """Write the items, `part` in a file; returns the number of files."""
    waiting, number = iter(items), 0
    while chunk := list(islice(waiting, part)):
        write_bytes(f"{folder}/in-{number:06d}", pickle.dumps(chunk))
        number += 1
    return number


class _Watch:
    """Tells the progress while the pipeline runs, by the result files that there are."""

    def __init__(self, folder: str, parts: int, what: str, progress: _Progress) -> None:
        self._pattern, self._parts, self._what, self._progress = f"{folder}/out-??????", parts, what, progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        told, bar = 0, iter(self._progress(range(self._parts), self._what))
        next(bar, None)
        while not self._ended.wait(_POLL_S):
            (found,) = filesystems().match([self._pattern])
            for _ in range(len(found.metadata_list) - told):
                next(bar, None)
            told = max(told, len(found.metadata_list))
        for _ in bar:
            pass
