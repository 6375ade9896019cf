"""Pictures of test images: what the network and the clustering made of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from study.figures.colours import dimmed, embedding_colours, label_picture, matched_to
from study.figures.names import variant_label
from study.figures.style import WIDTH

TILES = ("image", "truth", "distance", "embedding", "prediction")  # of a panel, from the left
_FOLDED = {"image": (0, 0), "embedding": (0, 1), "truth": (1, 0), "prediction": (1, 1)}
_SHARED, _OWN = ("image", "truth"), ("distance", "embedding", "prediction")  # of all variants, of each
_WORDS = 14  # px, the height of words within a picture
_BAR = 0.35  # of its brightness a picture keeps below words
_GAP = 4  # px between them
NARROW = {"w_pad": 0.02, "h_pad": 0.02, "wspace": 0, "hspace": 0}  # margins of pictures that stand close together
_GREY = 128  # of a tile that a run has nothing for
_LINE = 2  # px, at most, of an outline
_OUTLINES = np.array(  # yellow, magenta, cyan, orange, white, red, blue, green: bright, as photographs seldom are
    [(255, 235, 0), (255, 0, 255), (0, 255, 255), (255, 140, 0), (255, 255, 255), (255, 40, 40), (70, 120, 255),
     (0, 230, 60)], np.uint8)  # fmt: skip
_DISTINCT = 5  # of these in one picture


def panel(
    image: np.ndarray,
    truth: np.ndarray,
    distance: np.ndarray | None,
    embedding: np.ndarray | None,
    prediction: np.ndarray,
) -> np.ndarray:
    """Image, truth, distance map, embedding and prediction side by side; values that are not finite count as 0.

    The image is (M, N, C) and of any range, the labels (M, N), the maps (M, N) and (M, N, E); one that is missing is a
    tile of mid-grey. The embedding is darker outside of the true objects. Gives a uint8 array (M', 5 N' + 16, 3),
    enlarged by a whole factor to at least 160 rows.
    """
    none = np.full((*truth.shape, 3), _GREY, np.uint8)
    factor = -(-160 // image.shape[0])
    matched = matched_to(truth, prediction)
    tiles = [
        _enlarged(image_picture(image), factor),
        label_picture(_enlarged(truth, factor)),  # a line between objects is a pixel wide, whatever the factor
        _enlarged(none if distance is None else relative_brightness(distance), factor),
        _enlarged(none if embedding is None else dimmed(embedding_colours(_finite(embedding)), truth), factor),
        label_picture(_enlarged(matched, factor)),
    ]
    gap = np.full((tiles[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)


def _enlarged(picture: np.ndarray, factor: int) -> np.ndarray:
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _finite(maps: np.ndarray) -> np.ndarray:
    return np.nan_to_num(maps.astype(np.float32), nan=0, posinf=0, neginf=0)


def relative_brightness(distance: np.ndarray) -> np.ndarray:
    """A map (M, N) in grey, (M, N, 3) uint8, white at its maximum; values that are not finite count as 0."""
    distance = _finite(distance)
    grey = (255 * np.clip(distance / max(float(distance.max()), 1e-6), 0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def folded(strip: np.ndarray) -> np.ndarray:
    """A panel as a square of four tiles with their names on them, for the cards of the MLflow page.

    Image and embedding, below them truth and prediction; where a run has no embedding, the distance map stands in its
    place. A card shows a picture in a square: white fills a wide or a high one up. A panel (M', 5 N' + 16, 3) becomes
    (S, S, 3), where S is the greater one of 2 M' + 4 and 2 N' + 4.
    """
    rows, step = strip.shape[0] + _GAP, _step(strip)
    picture = np.full((2 * max(rows, step) - _GAP, 2 * max(rows, step) - _GAP, 3), 255, np.uint8)
    missing = (tile_of(strip, "embedding") == _GREY).all()
    for name, (row, column) in _FOLDED.items():
        shown = "distance" if name == "embedding" and missing else name
        tile = _with_word(tile_of(strip, shown), shown)
        picture[row * rows :, column * step :][: tile.shape[0], : tile.shape[1]] = tile
    return picture


def _with_word(tile: np.ndarray, word: str) -> np.ndarray:
    """A tile with a word on a dark bar at its top left; a tile that is too small stays without."""
    font = ImageFont.load_default(_WORDS)
    left, top, right, bottom = (round(end) for end in font.getbbox(word))
    if tile.shape[0] < 4 * bottom or tile.shape[1] < right + 8:
        return tile
    written = tile.copy()
    written[: bottom + 6, : right + 8] = (_BAR * written[: bottom + 6, : right + 8]).astype(np.uint8)
    picture = Image.fromarray(written)
    ImageDraw.Draw(picture).text((4 - left, 3 - top // 2), word, fill="white", font=font)
    return np.asarray(picture)


def _step(strip: np.ndarray) -> int:
    """Columns of a panel from the start of one tile to that of the next."""
    return (strip.shape[1] + _GAP) // len(TILES)


def tile_of(strip: np.ndarray, name: str) -> np.ndarray:
    """The tile of that name, cut from a panel: image, truth, distance, embedding or prediction."""
    start = TILES.index(name) * _step(strip)
    return strip[:, start : start + _step(strip) - _GAP]


def image_picture(image: np.ndarray) -> np.ndarray:
    """An image (M, N, C) in 8 bits of red, green and blue, between its 0.5 and 99.5 percentiles."""
    low, high = np.percentile(image.astype(np.float32), [0.5, 99.5])
    scaled = 255 * np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    return np.broadcast_to(scaled, (*scaled.shape[:2], 3)).astype(np.uint8)


def outlined(image: np.ndarray, labels: np.ndarray, least: int = 0) -> np.ndarray:
    """An image (M, N, C) of any range with the outlines of its objects (M, N), as a uint8 picture.

    It is enlarged by a whole factor where its longer side has less than `least` px. Outlines lie inside of the objects:
    a bright line, in one of the colours that are farthest from those of the objects themselves, and a dark one within.
    """
    factor = max(1, -(-least // max(labels.shape)))
    picture, rest = _enlarged(image_picture(image), factor), _enlarged(labels, factor)
    colours = _colours_apart(picture[rest > 0])
    for _ in range(min(factor, _LINE)):
        line = find_boundaries(rest, mode="inner")
        picture[line] = colours[rest[line] % len(colours)]
        rest = np.where(line, 0, rest)
    picture[find_boundaries(rest, mode="inner")] = 0
    return picture


def _colours_apart(pixels: np.ndarray) -> np.ndarray:
    """Of the colours of outlines those that are farthest from the mean of some pixels (K, 3)."""
    if not len(pixels):
        return _OUTLINES
    distance = np.linalg.norm(_OUTLINES - pixels.mean(axis=0), axis=1)
    return _OUTLINES[np.sort(np.argsort(-distance, kind="stable")[:_DISTINCT])]


def contact_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]], title: str) -> Figure:
    """Panels (see `panel`) of the same test images, in columns, for each variant, in `rows` by name.

    Image and truth, which all variants share, stand once, above the maps and predictions of the variants.
    """
    columns = max(len(panels) for _, panels in rows)
    shared = next(panels for _, panels in rows if len(panels) == columns)
    lines = [("", [_tiles_of(strip, _SHARED) for strip in shared])]
    lines += [(name, [_tiles_of(strip, _OWN) for strip in panels]) for name, panels in rows]
    ratio = lines[0][1][0].shape[0] / lines[0][1][0].shape[1]
    width = 3.3 * columns + 1.6
    title = wrapped(title, int(12 * width))
    height = len(lines) * 3.3 * ratio + 0.7 + 0.2 * (1 + title.count("\n"))
    figure = Figure(figsize=(width, height), layout="constrained", dpi=160)
    axes = figure.subplots(len(lines), columns, squeeze=False)
    for line, (name, pictures) in zip(axes, lines, strict=True):
        for axis, picture in zip(line, pictures, strict=False):
            axis.imshow(picture, interpolation="nearest")
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    for axis in axes.flat:
        hide_frame(axis)
    for line, names in ((axes[0], _SHARED), (axes[1], _OWN)):
        for axis, strip in zip(line, shared, strict=False):
            for i, tile in enumerate(names):
                axis.text((i + 0.5) * _step(strip), -4, tile, fontsize=8, ha="center", va="bottom")
    figure.suptitle(title, fontsize=11)
    return figure


def _tiles_of(strip: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Some tiles of a panel side by side, filled up with white to the width of three."""
    picture = np.full((strip.shape[0], 3 * _step(strip) - _GAP, 3), 255, np.uint8)
    for i, name in enumerate(names):
        tile = tile_of(strip, name)
        picture[:, i * _step(strip) :][:, : tile.shape[1]] = tile
    return picture


def embedding_figure(
    variants: Sequence[dict[str, Any]], panels: Sequence[Sequence[np.ndarray]], caption: str
) -> Figure:
    """Embeddings of the same test images side by side: Wu et al. 2020, Fig. 4, 5 and 7.

    A row per image, at most two: the image, its truth, and the embedding of each variant, lettered from (a) on, which
    is cut from its `panels` of the same images.
    """
    first = panels[0][:2]
    columns = [("image", panels[0], "image"), ("truth", panels[0], "truth")]
    for letter, variant, own in zip("abcdefghijklmnopqrstuvwxyz", variants, panels, strict=False):
        columns.append((f"({letter}) {variant_label(variant)}", own, "embedding"))
    side = min(1.6, WIDTH / len(columns))
    columns = [(wrapped(title, int(16 * side)), own, tile) for title, own, tile in columns]
    caption = wrapped(caption, int(17 * side * len(columns)))
    ratios = [strip.shape[0] / (_step(strip) - _GAP) for strip in first]
    text = 0.16 * max(title.count("\n") + 1 for title, *_ in columns) + 0.14 * (caption.count("\n") + 1) + 0.1
    size = (side * len(columns), 0.98 * side * sum(ratios) + text)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(**NARROW), dpi=300)
    axes = figure.subplots(len(first), len(columns), squeeze=False, height_ratios=ratios)
    for line, (title, strips, tile) in zip(axes.T, columns, strict=True):
        for axis, strip in zip(line, strips, strict=False):
            axis.imshow(tile_of(strip, tile), interpolation="nearest")
            hide_frame(axis)
        line[-1].set_xlabel(title, fontsize=8, color="black")
    figure.supxlabel(caption, fontsize=7, color="0.3")
    return figure


def hide_frame(axis: Axes) -> None:
    """Leave of an axis the picture alone."""
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set_visible(False)


def wrapped(text: str, width: int) -> str:
    """A text in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, width))
