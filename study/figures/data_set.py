"""Figures of a data set before anything is trained: sizes, intensities, objects, and the images to look at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from study.data.check import Report
from study.data.dataset import SPLITS
from study.data.facts import PERCENTILES, ImageFacts, SplitReport
from study.figures.panels import wrapped
from study.figures.report import few_of_a_decade
from study.figures.style import COLOURS, DPI, WIDTH, save
from study.figures.suspicious import suspicious_figure
from study.files import check_writable

_COLOURS: dict[str, str] = dict(zip(SPLITS, COLOURS, strict=False))
_BARS = 12  # different sizes, up to which each has a bar
_BINS = 30
_LEGEND = 1.6  # inches
_FULL = {"uint8": 255, "uint16": 65535}  # the largest value that a type holds


def draw_data_set(report: Report, folder: Path) -> list[Path]:
    """Write the figures of a data set as PNG into a folder, and give their files.

    ``sizes``, ``intensities``, ``objects`` and ``object_sizes`` are drawn of the images that can be read;
    ``suspicious`` shows those that have a defect, and what it is. Of what there is nothing to draw there is no file,
    and none of an earlier call either.

    Raises
    ------
    WriteError
        If the folder cannot be written.
    """
    check_writable(folder)
    figures: dict[str, Callable[[Report], Figure | None]] = {
        "sizes": size_figure,
        "intensities": intensity_figure,
        "objects": object_figure,
        "object_sizes": object_size_figure,
        "suspicious": suspicious_figure,
    }
    written = []
    for name, draw in figures.items():
        file = folder / f"{name}.png"
        figure = draw(report)
        if figure is None:
            file.unlink(missing_ok=True)
        else:
            with warnings.catch_warnings():  # names of images may be in any script, which the font may lack
                warnings.filterwarnings("ignore", "Glyph")
                save(figure, file)
            written.append(file)
    return written


def size_figure(report: Report) -> Figure | None:
    """How many images there are of each size; of many sizes, a dot for each image."""
    splits = _readable(report)
    if not splits:
        return None
    sizes = [(fact.size, split.split) for split in splits for fact in split.facts]
    different = sorted({size for size, _ in sizes}, key=lambda size: (np.prod(size), size))
    if len(different) > _BARS:
        figure, axis = _figure(0.6 * WIDTH, 3.4)
        for split in splits:
            rows, columns = np.array([fact.size[-2:] for fact in split.facts]).T
            axis.plot(columns, rows, "o", ms=4, color=_COLOURS[split.split], mec="white", mew=0.4, alpha=0.8,
                      label=_label(split))  # fmt: skip
        axis.set(xlabel="columns, px", ylabel="rows, px", xlim=(0, None), ylim=(0, None))
    else:
        figure, axis = _figure(0.7 * WIDTH, 0.9 + 0.28 * (1 + len(different)))
        left = np.zeros(len(different))
        for split in splits:
            counts = np.array([sizes.count((size, split.split)) for size in different])
            axis.barh(
                range(len(different)), counts, left=left, color=_COLOURS[split.split], label=_label(split), height=0.7
            )
            left += counts
        for place, count in enumerate(left):
            axis.annotate(f"{count:g}", (count, place), (3, 0), textcoords="offset points", va="center", fontsize=7)
        axis.set_yticks(range(len(different)), [" x ".join(map(str, size)) + " px" for size in different])
        axis.set(xlabel="images", xlim=(0, 1.08 * left.max()), ylim=(-0.7, len(different) - 0.3))
        axis.grid(False, axis="y")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return _finished(figure, axis, f"{report.dataset.name}: sizes of the images")


def intensity_figure(report: Report) -> Figure | None:
    """The values of each image, in the order of their medians; a panel for each type of pixels."""
    splits = _readable(report)
    if not splits:
        return None
    facts = [(fact, split.split) for split in splits for fact in split.facts]
    dtypes = sorted({fact.dtype for fact, _ in facts})
    figure = Figure(figsize=(0.75 * WIDTH + _LEGEND, 0.5 + 2.6 * len(dtypes)), layout="constrained", dpi=DPI)
    axes = figure.subplots(len(dtypes), 1, squeeze=False)[:, 0]
    for axis, dtype in zip(axes, dtypes, strict=True):
        _draw_intensities(axis, dtype, [(fact, split) for fact, split in facts if fact.dtype == dtype])
    axes[-1].set(xlabel="images, from the darkest to the brightest")
    return _finished(figure, axes[0], f"{report.dataset.name}: values of the pixels of each image")


def _draw_intensities(axis: Axes, dtype: str, facts: list[tuple[ImageFacts, str]]) -> None:
    ordered = sorted(facts, key=lambda of_image: of_image[0].brightness[len(PERCENTILES) // 2])
    low, quarter, median, three_quarters, high = np.array([fact.brightness for fact, _ in ordered]).T
    places = np.arange(1, len(ordered) + 1)
    axis.vlines(places, low, high, color="0.8", lw=_line_width(len(places)), label="1 to 99 % of the pixels")
    axis.vlines(places, quarter, three_quarters, color="0.55", lw=_line_width(len(places)), label="25 to 75 %")
    for split in dict.fromkeys(split for _, split in facts):
        chosen = [i for i, (_, of_image) in enumerate(ordered) if of_image == split]
        axis.plot(places[chosen], median[chosen], "o", ms=3, color=_COLOURS[split], mew=0, label=f"median, {split}")
    if dtype in _FULL and high.max() > 0.6 * _FULL[dtype]:
        axis.axhline(_FULL[dtype], color="0.3", ls=":", lw=1, label="largest value of the type")
    axis.set(ylabel=f"value ({dtype})", xlim=(0, len(places) + 1))
    axis.grid(False, axis="x")
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _line_width(images: int) -> float:
    """Points of a line of which so many stand side by side on a panel."""
    return float(np.clip(280 / images, 0.4, 6))


def object_figure(report: Report) -> Figure | None:
    """How many objects images have."""
    splits = _readable(report)
    if not splits:
        return None
    counts = {split.split: [fact.objects for fact in split.facts] for split in splits}
    least, most = min(map(min, counts.values())), max(map(max, counts.values()))
    figure, axis = _figure(0.7 * WIDTH, 2.8)
    _histogram(
        axis, counts, {split.split: _label(split) for split in splits}, _edges(max(0, least - 1), most + 1, np.linspace)
    )
    axis.set(xlabel="objects of an image", ylabel="images")
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return _finished(figure, axis, f"{report.dataset.name}: objects of each image")


def object_size_figure(report: Report) -> Figure | None:
    """How large objects are."""
    areas = {split.split: [area for fact in split.facts for area in fact.areas] for split in _readable(report)}
    areas = {split: found for split, found in areas.items() if found}
    if not areas:
        return None
    together = np.concatenate(list(areas.values()))
    figure, axis = _figure(0.7 * WIDTH, 2.8)
    labels = {split: f"{split}: {len(found)} objects" for split, found in areas.items()}
    _histogram(axis, areas, labels, _edges(max(1, together.min() / 1.3), 1.3 * together.max(), np.geomspace))
    median = float(np.median(together))
    axis.axvline(median, color="0.3", ls=":", lw=1.2, label=f"median: {median:g}")
    unit = "voxels" if any(len(fact.size) == 3 for split in report.splits for fact in split.facts) else "px"
    axis.set(xlabel=f"size of an object, {unit}", ylabel="objects", xscale="log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(few_of_a_decade if together.max() < 100 * together.min() else NullFormatter())
    return _finished(figure, axis, f"{report.dataset.name}: sizes of the objects")


def _edges(least: float, most: float, spaced: Callable[..., np.ndarray]) -> np.ndarray:
    """Ends of bins for whole numbers, none of which is too narrow to hold one."""
    return np.unique(np.floor(spaced(least, most + 1, _BINS + 1))) - 0.5


def _histogram(axis: Axes, values: Mapping[str, Sequence[int]], labels: Mapping[str, str], edges: np.ndarray) -> None:
    """Numbers by split, stacked."""
    colours, words = [_COLOURS[split] for split in values], [labels[split] for split in values]
    axis.hist(list(values.values()), edges.tolist(), stacked=True, color=colours, label=words, lw=0.3)
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _readable(report: Report) -> list[SplitReport]:
    """The splits of which an image can be read."""
    return [split for split in report.splits if split.facts]


def _label(split: SplitReport) -> str:
    return f"{split.split}: {len(split.facts)} image{'s' * (len(split.facts) != 1)}"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width + _LEGEND, height), layout="constrained", dpi=DPI)
    return figure, figure.subplots()


def _finished(figure: Figure, axis: Axes, title: str) -> Figure:
    """With a title, and a legend beside the axis."""
    axis.set_title(wrapped(title, int(12 * (figure.get_figwidth() - _LEGEND))))
    named = {}
    for handles, labels in (other.get_legend_handles_labels() for other in figure.axes):
        named |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in named}
    axis.legend(list(named.values()), list(named), loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure
