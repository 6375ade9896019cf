"""The images of a data set that should be looked at, with what is wrong written below them."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from study.data.check import Marked, Report
from study.data.dataset import Record
from study.data.facts import TINY
from study.errors import StudyError
from study.figures.panels import NARROW, hide_frame, outlined
from study.figures.style import COLOURS, DPI, WIDTH

_COLUMNS, _ROWS = 4, 6  # pictures of a sheet
_CHARACTERS, _LINES = 30, 5  # of the words below a picture
_PIXELS = 320  # of the longer side of a picture
_CIRCLES = 20  # around the first of the objects of a pixel or two
_GREY = 200  # of an image that cannot be read
_RATIOS = 0.3, 1.5  # rows to columns of the pictures, at least and at most


def suspicious_figure(report: Report) -> Figure | None:
    """A sheet of the first images of `Report.suspicious`, with the outlines of their objects; None without any."""
    marked = report.suspicious
    if not marked:
        return None
    shown = marked[: _COLUMNS * _ROWS]
    pictures = [_picture(image) for image in shown]
    above = [f"{_cut(image.record.name, 2)}\n({image.split})" for image in shown]
    below = [_cut(image.words, _LINES) for image in shown]
    starts = range(0, len(shown), _COLUMNS)
    ratios = [float(np.clip(max(p.ratio for p in pictures[i : i + _COLUMNS]), *_RATIOS)) for i in starts]
    lines = [max(text.count("\n") for text in texts[i : i + _COLUMNS]) + 1 for texts in (above, below) for i in starts]
    size = (WIDTH, WIDTH / _COLUMNS * sum(ratios) + 0.13 * sum(lines) + 0.1 * len(starts) + 0.25)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(**NARROW), dpi=DPI)
    axes = figure.subplots(len(starts), _COLUMNS, squeeze=False, height_ratios=ratios)
    for axis in axes.flat:
        hide_frame(axis)
    for axis, picture, name, words in zip(axes.flat, pictures, above, below, strict=False):
        axis.imshow(picture.pixels, interpolation="nearest")
        axis.plot(picture.columns, picture.rows, "o", ms=9, mfc="none", mec=COLOURS[1], mew=1.2)
        axis.set_title(name, fontsize=7, pad=2, color="0.3", parse_math=False)  # a name may have dollars
        axis.set_xlabel(words, fontsize=7, color=COLOURS[1], parse_math=False)
    of_all = f"{len(marked)} image{'s' * (len(marked) > 1)} to look at"
    more = f", of which the first {len(shown)} are shown" if len(marked) > len(shown) else ""
    figure.suptitle(f"{report.dataset.name}: {of_all}{more}", fontsize=9)
    return figure


def _cut(text: str, lines: int) -> str:
    """A text in lines, the last of which ends in … where there are too many; long words are broken."""
    return "\n".join(textwrap.wrap(text, _CHARACTERS, max_lines=lines, placeholder=" …"))


class _Picture(NamedTuple):
    """An image with the outlines of its objects, and where those are that are too small to be seen."""

    pixels: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @property
    def ratio(self) -> float:
        """Of rows to columns."""
        return self.pixels.shape[0] / self.pixels.shape[1]


def _picture(image: Marked) -> _Picture:
    """A small picture; grey where the image cannot be read, without outlines where its labels cannot."""
    read = _read(image.record)
    if read is None:
        return _Picture(np.full((60, 100, 3), _GREY, np.uint8), np.zeros(0), np.zeros(0))
    pixels, labels = read
    if pixels.ndim == 4:  # of a volume, its middle
        tiny = np.zeros(0, int)
        pixels, labels = pixels[len(pixels) // 2], labels[len(labels) // 2]
    else:
        ids, first, areas = np.unique(labels, return_index=True, return_counts=True)
        tiny = first[(ids > 0) & (areas <= TINY)][:_CIRCLES]
    rows, columns = np.unravel_index(tiny, labels.shape)
    step = max(1, -(-max(labels.shape) // _PIXELS))
    return _Picture(outlined(pixels[::step, ::step], labels[::step, ::step]), rows / step, columns / step)


def _read(record: Record) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        sample = record.load()
        return sample.image, sample.labels
    except StudyError:
        if record.read_image is None or not record.files:
            return None
        try:
            pixels = record.read_image()  # which there may be without labels
        except StudyError:
            return None
        return pixels, np.zeros(pixels.shape[:-1], np.int32)
