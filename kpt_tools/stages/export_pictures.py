"""The pictures on which an exported model is compared with the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kpt_tools.config.export import ExportConfig
from kpt_tools.entities import Instance, LabelMap, ModelMetadata, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import ImageRgb
from kpt_tools.inference.padded import padded, takes_rectangle
from kpt_tools.inference.sources import Sources
from kpt_tools.stages.eval_truth import LOST, count_records, find_shards, records_of_run, truth_from_records

SYNTHETIC_PICTURES = 8
_SYNTHETIC_SIZES_HW = ((240, 320), (320, 240), (256, 256), (480, 640))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to run both models on.

    Attributes:
        name: of its file.
        rgb: the pixels.
        compared: whether boxes, keypoints and scores are compared on it.
        instances: its annotated objects if AP is measured on it, else None.
    """

    name: str
    rgb: ImageRgb
    compared: bool
    instances: tuple[Instance, ...] | None = None


@dataclass(frozen=True)
class Pictures:
    """A source of pictures that can be gone through several times, each time in the same order.

    Attributes:
        text: what they are, in words.
        real: whether they are photographs of someone, not made up here.
        total: how many there are, as far as is known before reading.
        compared: on how many of them the two models are compared.
        annotated: on how many AP is measured.
        read: yields them.
    """

    text: str
    real: bool
    total: int
    compared: int
    annotated: int
    read: Callable[[], Iterator[Picture]]


def pictures_for(config: ExportConfig, metadata: ModelMetadata, report: Report) -> Pictures:
    """The pictures that the settings ask for: those of the validation records, of ``--images``, or made-up ones.

    Args:
        config: the settings.
        metadata: of the model; pictures have about the shape of a rectangular input, padded if need be.
        report: gets what cannot be read, and why there are no validation records.

    Raises:
        ConfigError: the folder of ``--images`` does not exist or holds no image.
        DataError: a shard is damaged.
    """
    pictures = _pictures_for(config, metadata.label_map, report)
    if not takes_rectangle(metadata):
        return pictures

    def read() -> Iterator[Picture]:
        return (replace(each, rgb=padded(each.rgb, metadata.input_hw)) for each in pictures.read())

    return replace(pictures, read=read)


def _pictures_for(config: ExportConfig, label_map: LabelMap, report: Report) -> Pictures:
    own = _of_folder(config.images, config.parity_images, report) if config.images else None
    annotated = _of_records(config, label_map, report, compared=own is None)
    if own is None:
        return annotated or _synthetic()
    return own if annotated is None else _joined(own, annotated)


def _of_records(config: ExportConfig, label_map: LabelMap, report: Report, *, compared: bool) -> Pictures | None:
    """The validation records of the run; None (told) if there are none."""
    try:
        shards = find_shards(records_of_run(config.run, config.run))
    except ConfigError as exc:
        report.add("no-validation-records", "warning", f"{exc} AP was not compared.")
        return None
    total = count_records(shards) or _count(shards)
    annotated = _evenly(total, total if config.ap_images is None else config.ap_images)
    shown = _evenly(total, config.parity_images) if compared else frozenset()
    if not annotated | shown:
        return None

    def read() -> Iterator[Picture]:
        told = Report()
        chosen = truth_from_records(shards, label_map, told, only=annotated | shown)
        for truth in chosen:
            instances = truth.instances if truth.position in annotated else None
            yield Picture(truth.name, truth.rgb, truth.position in shown, instances)
        report.findings[:] = [f for f in report.findings if f.code != LOST] + told.of_severity("error")

    text = ", ".join(str(shard) for shard in shards)
    return Pictures(text, True, len(annotated | shown), len(shown), len(annotated), read)


def _count(shards: list[Path]) -> int:
    from kpt_tools.records.tfrecord import read_tfrecord

    return sum(1 for shard in shards for _ in read_tfrecord(shard))


def _of_folder(folder: Path, wanted: int, report: Report) -> Pictures:
    """Pictures of a folder without annotations; those that cannot be read are reported and passed over."""
    images = Sources([str(folder)])
    positions = _evenly(images.count or 0, wanted)
    chosen = [image for position, image in enumerate(images) if position in positions]

    def read() -> Iterator[Picture]:
        lost: list[str] = []
        for image in chosen:
            try:
                rgb = image.load()
            except DataError as exc:
                lost.append(f"{exc} Passed over.")
                continue
            yield Picture(image.name, rgb, compared=True)
        known = {finding.message for finding in report.findings}
        for message in lost:
            if message not in known:
                report.add(LOST, "error", message)

    return Pictures(str(folder), True, len(chosen), len(chosen), 0, read)


def _joined(first: Pictures, second: Pictures) -> Pictures:
    def read() -> Iterator[Picture]:
        yield from first.read()
        yield from second.read()

    return Pictures(
        f"{first.text} (AP: {second.text})",
        True,
        first.total + second.total,
        first.compared,
        second.annotated,
        read,
    )


def _synthetic() -> Pictures:
    """Drawn scenes: a trained model finds its objects in them only if they are pliers."""

    def read() -> Iterator[Picture]:
        from kpt_tools.demo.scene import draw_scene

        for number in range(SYNTHETIC_PICTURES):
            height, width = _SYNTHETIC_SIZES_HW[number % len(_SYNTHETIC_SIZES_HW)]
            scene = draw_scene(np.random.default_rng(number), width, height)
            yield Picture(f"made-up {number + 1}", np.ascontiguousarray(scene.image_bgr[..., ::-1]), compared=True)

    return Pictures(f"{SYNTHETIC_PICTURES} made-up pictures", False, SYNTHETIC_PICTURES, SYNTHETIC_PICTURES, 0, read)


def _evenly(total: int, wanted: int) -> frozenset[int]:
    """`wanted` of the indices 0..total - 1, evenly spread; all where there are fewer."""
    count = min(total, wanted)
    return frozenset(index * total // count for index in range(count))
