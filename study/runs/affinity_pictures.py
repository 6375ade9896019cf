"""Pictures of what pixel-embedded affinity is made of: affinities, two views of an image, the embedding pyramid.

They show the first test image to a trained network, and are logged with its weights; each comes with a table of its
tiles (Huang et al. 2022, Fig. 1 and 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from study import figures
from study.affinities import Pairs, affinities, label_pairs, pair_offsets, unit_vectors
from study.data.batches import Batch, NetworkImage
from study.data.views import View
from study.device import autocast
from study.inference import maps_of_pixels
from study.losses.affinity import AffinityLoss, nearest
from study.settings import Settings
from study.tracking import TrackedRun

FOLDER = "affinity_pictures"  # of the artifacts
RANGES = (1, 3, 9, 27)  # px, of the affinities that are drawn
VIEW_RANGE = 3  # px, of those between two views
_VIEW_SEED = 24  # of a view that is turned by a quarter and lit otherwise, whatever the image


@dataclass(frozen=True)
class Tiles:
    """A picture in rows and columns of tiles, and a table with a row for each.

    The table has the columns `row`, `column`, `in_row` and `in_column` (what these show), and, where a tile shows
    affinities, their mean over all pairs in one object (`mean_same`) and over all pairs of two (`mean_different`).
    """

    rows: list[list[np.ndarray]]
    table: pd.DataFrame


def log_affinity_pictures(
    run: TrackedRun, network: nn.Module, images: Sequence[NetworkImage], settings: Settings
) -> None:
    """Log the pictures of the first image, where the network gives affinities or has an embedding pyramid."""
    if settings.dims == 2 and images and {"affinities", "pyramid"} & set(settings.heads):
        for name, tiles in affinity_pictures(network, images[0], settings).items():
            run.log_picture(figures.tiled(tiles.rows), tiles.table.assign(image=images[0].name), f"{FOLDER}/{name}")


@torch.no_grad()
def affinity_pictures(network: nn.Module, image: NetworkImage, settings: Settings) -> dict[str, Tiles]:
    """The pictures by name: `affinities`, and `views` and `pyramid` where the network has learned from these."""
    found = {"affinities": _affinity_tiles(network, image, settings)}
    loss = settings.loss
    if isinstance(loss, AffinityLoss) and "pyramid" in settings.heads:
        images, labels = _square(network, image, 2**settings.network.depth)
        empty = images.new_zeros(0)
        batch, generator = Batch(images, empty, labels, empty), torch.Generator().manual_seed(_VIEW_SEED)
        if images.numel() and (view := loss.second_view(batch, settings.heads, generator)) is not None:
            found["views"] = _view_tiles(network, batch, view, settings)
        if images.numel() and loss.pyramid_weight:
            found["pyramid"] = _pyramid_tiles(network, batch, settings)
    return found


class _Grid:
    """Tiles as they are added, row by row."""

    def __init__(self, columns: Sequence[str]):
        self.columns, self.rows, self.table = columns, [], []

    def add(self, name: str, tiles: Sequence[tuple[np.ndarray, dict[str, Any]]]) -> None:
        """Add a row of tiles, each with what is known of it."""
        for column, (_, known) in enumerate(tiles):
            place = {"row": len(self.rows), "column": column, "in_row": name, "in_column": self.columns[column]}
            self.table.append(place | known)
        self.rows.append([tile for tile, _ in tiles])

    def tiles(self) -> Tiles:
        return Tiles(self.rows, pd.DataFrame(self.table))


def _affinity_tiles(network: nn.Module, image: NetworkImage, settings: Settings) -> Tiles:
    """Affinities of the true labels, and of the network, at each range; before them the labels and the embedding."""
    embedding, predicted = _embedding_and_affinities(network, image, settings)
    labels = torch.from_numpy(image.labels)[None].long()
    offsets = {s: pair_offsets([s]) for s in RANGES if s < min(labels.shape[1:])}
    if settings.embedding_metric == "affinity":
        own = settings.loss.offsets(2)[0]
        offsets = {s: pair for s, pair in offsets.items() if set(pair) <= set(own)}
        ours = {s: predicted[:, [own.index(offset) for offset in pair]] for s, pair in offsets.items()}
    else:
        unit = unit_vectors(predicted)
        ours = {s: affinities(unit, pair) for s, pair in offsets.items()}
    pairs = {s: label_pairs(labels, pair) for s, pair in offsets.items()}
    grid = _Grid(["labels or embedding", *(f"range {s} px" for s in offsets)])
    truth = [_least_affinity(pairs[s].target.float(), pairs[s]) for s in offsets]
    grid.add("truth", [(figures.label_colours(image.labels), {}), *truth])
    of_network = [_least_affinity(ours[s], pairs[s]) for s in offsets]
    grid.add("network", [(figures.embedding_colours(np.nan_to_num(embedding)), {}), *of_network])
    return grid.tiles()


def _embedding_and_affinities(
    network: nn.Module, image: NetworkImage, settings: Settings
) -> tuple[np.ndarray, torch.Tensor]:
    """Embedding of an image (M, N, E), and what its affinities are made of (1, C, M, N), both of `ImageMaps`.

    Where the network predicts affinities, the features that it predicts them from stand for the embedding, as in Fig. 1
    of the paper; the ReLU before them gives no negative ones, so that they are taken from their mean.
    """
    features: list[Tensor] = []
    head = getattr(network, "affinity", None)
    hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0])) if head is not None else None
    (maps,) = maps_of_pixels(network, [image.pixels], settings)
    if hook is not None:
        hook.remove()
    predicted = torch.from_numpy(maps.embedding.astype(np.float32)).permute(2, 0, 1)[None]
    if not features:
        return maps.embedding, predicted
    rows, columns = maps.shape
    own = features[0][:1, :, :rows, :columns].float()
    own = unit_vectors(own - own.mean((2, 3), keepdim=True))[0]
    return own.permute(1, 2, 0).cpu().numpy(), predicted


def _least_affinity(affinity: Tensor, pairs: Pairs) -> tuple[np.ndarray, dict[str, Any]]:
    """A tile of affinities (1, N, M, N'), at each pixel the least of all pairs that there are, and their means."""
    affinity, pairs = affinity.cpu().float(), Pairs(pairs.offsets, pairs.target.cpu(), pairs.mask.cpu())
    least = torch.where(pairs.mask, affinity, torch.inf).amin(1)[0]
    least = torch.where(torch.isinf(least), torch.nan, least)
    same, different = (affinity[chosen & pairs.mask] for chosen in (pairs.target, ~pairs.target))
    # of no pairs: NaN
    means = {"mean_same": float(same.mean()), "mean_different": float(different.mean())}
    return figures.brightness(least.numpy()), means


def _square(network: nn.Module, image: NetworkImage, multiple: int) -> tuple[Tensor, Tensor]:
    """The largest square from the middle of an image that the network takes: (1, C, M, M) images, (1, M, M) labels."""
    side = min(image.labels.shape) // multiple * multiple
    rows, columns = (slice((length - side) // 2, (length - side) // 2 + side) for length in image.labels.shape)
    device = next(network.parameters()).device
    images = torch.from_numpy(image.pixels[rows, columns]).permute(2, 0, 1)[None].float()
    return images.to(device), torch.from_numpy(image.labels[rows, columns])[None].long().to(device)


def _view_tiles(network: nn.Module, batch: Batch, view: View, settings: Settings) -> Tiles:
    """An image, its second view, and that brought back: pixels, embedding, and affinities within and between them."""
    with autocast(settings.training.precision, batch.images.device):
        first, second = (network(images).embedding for images in (batch.images, view.images))
    back = view.back(second)
    offsets = pair_offsets([min(VIEW_RANGE, batch.labels.shape[1] - 1)])
    pairs, pairs_of_view = (label_pairs(labels, offsets) for labels in (batch.labels, view.labels))
    low, high = np.percentile(_pixels(batch.images), [0.5, 99.5])
    grid = _Grid(["original", "second view", "second view, brought back"])
    seen = [_pixels(images) for images in (batch.images, view.images, view.back(view.images))]
    grid.add("image", [(figures.brightness(pixels, low, high), {}) for pixels in seen])
    agreement = {"mean_cosine_with_original": float((unit_vectors(first) * unit_vectors(back)).sum(1).mean())}
    known: list[dict[str, Any]] = [{}, {}, agreement]
    colours = [figures.embedding_colours(_pixels(embedding)) for embedding in (first, second, back)]
    grid.add("embedding", list(zip(colours, known, strict=True)))
    first, second, back = (unit_vectors(embedding) for embedding in (first, second, back))
    within = _least_affinity(affinities(first, offsets), pairs)
    within_view = _least_affinity(affinities(second, offsets), pairs_of_view)
    between = _least_affinity(affinities(first, offsets, back), pairs)
    grid.add(f"affinities, range {-offsets[0][0]} px", [within, within_view, between])
    return grid.tiles()


def _pixels(maps: Tensor) -> np.ndarray:
    """(1, C, M, N) maps as an array (M, N, C)."""
    return maps[0].permute(1, 2, 0).float().cpu().numpy()


def _pyramid_tiles(network: nn.Module, batch: Batch, settings: Settings) -> Tiles:
    """Labels, embedding and affinities to the next pixel at each scale, enlarged to the size of the image."""
    with autocast(settings.training.precision, batch.images.device):
        output = network(batch.images)
    scales = [output.embedding, *output.pyramid]
    grid = _Grid(["full size", *(f"1/{2**k}" for k in range(1, len(scales)))])
    labels = [nearest(batch.labels, embedding.shape[2:]) for embedding in scales]
    offsets = pair_offsets([1])
    found = [
        _least_affinity(affinities(unit_vectors(embedding), offsets), label_pairs(own, offsets))
        for embedding, own in zip(scales, labels, strict=True)
    ]
    side = batch.images.shape[-1]
    grid.add("labels", [(_enlarged(figures.label_colours(own[0].cpu().numpy()), side), {}) for own in labels])
    grid.add("embedding", [(_enlarged(figures.embedding_colours(_pixels(e)), side), {}) for e in scales])
    grid.add("affinities, next pixel", [(_enlarged(tile, side), means) for tile, means in found])
    return grid.tiles()


def _enlarged(tile: np.ndarray, side: int) -> np.ndarray:
    """A tile of a coarser scale at the size of the image."""
    factor = side // tile.shape[0]
    return tile.repeat(factor, axis=0).repeat(factor, axis=1)
