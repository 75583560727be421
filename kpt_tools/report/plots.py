"""Plots of a data set as SVG that takes colours and font from the page around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kpt_tools.annotations.statistics import MEDIUM_PX, SMALL_PX, ClassStatistics, DatasetStatistics, side_of
from kpt_tools.entities import Dataset
from kpt_tools.lazy import require
from kpt_tools.report.svg import BAR, INK, Plot, plain_figure, short, svg_text

_HIDDEN, _UNLABELLED = "#9cc4f0", "#b9bec7"
_MAX_ROWS = 30
_BINS = 24


def plots_of(dataset: Dataset, statistics: DatasetStatistics) -> list[Plot]:
    """All plots that this data set gives something to show.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", purpose="the plots of the page")
    plots = [_visibility(found) for found in statistics.classes if found.keypoints and found.objects]
    if len(statistics.classes) > 1:
        plots.insert(0, _classes(statistics.classes))
    sides = {category.id: category.name for category in dataset.categories}
    if any(instance.box_xywh_px for instance in dataset.instances):
        plots += [_sizes(dataset, sides), _places(dataset)]
    if statistics.images:
        plots.append(_per_image(statistics))
    if len(statistics.image_sizes) > 1:
        plots.append(_image_sizes(statistics))
    return [plot for plot in plots if plot.svg]


def _classes(classes: Sequence[ClassStatistics]) -> Plot:
    shown = sorted(classes, key=lambda found: found.objects)[-_MAX_ROWS:]
    figure, axes = plain_figure(0.9 + 0.3 * len(shown))
    bars = axes.barh([short(found.name) for found in shown], [found.objects for found in shown], color=BAR)
    axes.bar_label(bars, padding=3, color=INK)
    axes.set_xlabel("objects")
    return Plot("Objects per class", f"{len(classes)} classes.", svg_text(figure))


def _visibility(found: ClassStatistics) -> Plot:
    rows = found.keypoints[:_MAX_ROWS][::-1]
    figure, axes = plain_figure(1.1 + 0.27 * len(rows))
    names = [short(row.name) for row in rows]
    visible, hidden = [row.visible for row in rows], [row.hidden for row in rows]
    both = [a + b for a, b in zip(visible, hidden, strict=True)]
    axes.barh(names, visible, color=BAR, label="visible (v = 2)")
    axes.barh(names, hidden, left=visible, color=_HIDDEN, label="hidden (v = 1)")
    axes.barh(names, [row.unlabelled for row in rows], left=both, color=_UNLABELLED, label="not labelled")
    axes.set_xlabel("objects")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, frameon=False, labelcolor=INK)
    least = min(found.keypoints, key=lambda row: row.labelled_share)
    note = f"Least often labelled: {least.name}, in {least.labelled_share:.0%} of the objects."
    if least.unlabelled == 0:
        note = "Every point is labelled in every object."
    return Plot(f"Keypoints of {found.name}", note, svg_text(figure))


def _sizes(dataset: Dataset, names: dict[int, str]) -> Plot:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    sides = [side for side in map(side_of, dataset.instances) if side is not None and 0 < side < 1e6]
    if not sides:
        return Plot("", "", "")
    low, high = math.log2(min(sides)) - 0.1, math.log2(max(sides)) + 0.1
    edges = [2 ** (low + (high - low) * step / _BINS) for step in range(_BINS + 1)]
    figure, axes = plain_figure(2.6)
    axes.hist(sides, bins=edges, color=BAR)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(2**low, 2**high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    for border in (SMALL_PX, MEDIUM_PX):
        if 2**low < border < 2**high:
            axes.axvline(border, color=INK, linestyle=":", linewidth=1)
    axes.set_xlabel("square root of the box's area, px")
    axes.set_ylabel("objects")
    small = sum(side < SMALL_PX for side in sides)
    note = f"{small} of {len(sides)} objects are small for COCO (below {SMALL_PX:g} px)."
    return Plot("Size of objects", note, svg_text(figure))


def _ticks(low: float, high: float) -> list[float]:
    """Marks of a logarithmic axis: powers of two, or even steps where these are fewer than four."""
    from matplotlib.ticker import MaxNLocator

    powers = [2.0**exponent for exponent in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
    if len(powers) >= 4:
        return powers
    return [float(value) for value in MaxNLocator(6).tick_values(low, high) if low <= value <= high]


def _places(dataset: Dataset) -> Plot:
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    places = []
    sizes = {image.id: (image.width, image.height) for image in dataset.images}
    for instance in dataset.instances:
        width, height = sizes[instance.image_id]
        if instance.box_xywh_px and width and height:
            x, y, w, h = instance.box_xywh_px
            places.append(((x + w / 2) / width, (y + h / 2) / height))
    inside = np.array([place for place in places if 0 <= place[0] <= 1 and 0 <= place[1] <= 1]).reshape(-1, 2)
    if not len(inside):
        return Plot("", "", "")
    counts, _, _ = np.histogram2d(inside[:, 1], inside[:, 0], bins=12, range=((0, 1), (0, 1)))
    figure, axes = plain_figure(2.9)
    shown = axes.pcolormesh(np.linspace(0, 1, 13), np.linspace(0, 1, 13), counts, cmap="Blues", rasterized=True)
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.set_xlabel("share of the width")
    axes.set_ylabel("share of the height")
    bar = figure.colorbar(shown, ax=axes, ticks=MaxNLocator(6, integer=True), label="objects")
    outline: Any = bar.outline
    outline.set_visible(False)
    bar.ax.tick_params(colors=INK)
    bar.ax.yaxis.label.set_color(INK)
    return Plot("Where objects are", "Middles of the boxes, on the image.", svg_text(figure))


def _per_image(statistics: DatasetStatistics) -> Plot:
    from matplotlib.ticker import MaxNLocator

    figure, axes = plain_figure(2.4)
    numbers = list(statistics.objects_per_image)
    axes.bar(numbers, list(statistics.objects_per_image.values()), color=BAR, width=0.8 if len(numbers) > 1 else 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if len(numbers) == 1:
        axes.set(xlim=(numbers[0] - 1, numbers[0] + 1))
    axes.set_xlabel("objects in an image")
    axes.set_ylabel("images")
    note = f"{statistics.without_objects} of {statistics.images} images have none."
    return Plot("Objects per image", note, svg_text(figure))


def _image_sizes(statistics: DatasetStatistics) -> Plot:
    figure, axes = plain_figure(2.9)
    known = {size: count for size, count in statistics.image_sizes.items() if 0 < min(size) and max(size) < 1e6}
    most = max(known.values(), default=1)
    areas = [20 + 180 * count / most for count in known.values()]
    axes.scatter([w for w, _ in known], [h for _, h in known], s=areas, color=BAR, alpha=0.6, linewidths=0)
    axes.set_xlabel("width, px")
    axes.set_ylabel("height, px")
    axes.margins(0.12)
    return Plot("Sizes of images", f"{len(statistics.image_sizes)} sizes.", svg_text(figure) if known else "")
