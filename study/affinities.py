"""Affinities: whether a pixel and the pixel at a given offset belong together (Huang et al. 2022, Eq. 1, 2 and 4).

An offset is (rows, columns), or (planes, rows, columns) in a volume. The affinity of offset n at pixel i is that of the
pair (i, i + n); it is 0 where i + n lies outside of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from study.errors import StudyError

Offset = tuple[int, ...]

_NEIGHBOURHOODS = {4: ((-1, 0), (0, -1)), 8: ((-1, 0), (0, -1), (-1, -1), (-1, 1))}
_PYRAMID = (4, 3, 2, 1)  # ranges that are left at 1/2, 1/4, 1/8 and 1/16
_SMALLEST = 1e-12  # square of the shortest length that is scaled to 1


def parse_ranges(text: str) -> tuple[int, ...]:
    """Distances of pairs of pixels as they are written in settings: ``1+3+5`` as numbers.

    Raises
    ------
    StudyError
        If it is anything else than different whole numbers above 0, in ascending order and from 1 on.
    """
    try:
        ranges = tuple(int(part) for part in text.split("+"))
    except ValueError:
        ranges = ()
    if not ranges or ranges[0] != 1 or list(ranges) != sorted(set(ranges)):
        raise StudyError(f"ranges are ascending whole numbers from 1 on, joined by +, such as 1+3+5+9, not {text!r}")
    return ranges


def pair_offsets(
    ranges: Sequence[int], *, neighbourhood: int = 4, axial: Sequence[int] | None = None
) -> tuple[Offset, ...]:
    """Offsets of an image, or with `axial` those of a volume; one of each two opposite ones.

    Parameters
    ----------
    ranges : sequence of int
        Distances along rows and columns in pixels; the paper has 1, 3, 5, 9, 27.
    neighbourhood : 4 or 8
        Edges only, or also the diagonals, which reach as far along rows as along columns.
    axial : sequence of int, optional
        Distances along planes, in planes; may be empty.

    Returns
    -------
    tuple of tuple of int
        (-s, 0), (0, -s) and, with 8, (-s, -s), (-s, s) for one range s after the other. In a volume these stand within
        the plane, and (-s, 0, 0) for each axial range follows.

    Raises
    ------
    ValueError
        If a range is not positive or occurs twice, or the neighbourhood is neither 4 nor 8.
    """
    if neighbourhood not in _NEIGHBOURHOODS:
        raise ValueError(f"neighbourhood must be 4 or 8, not {neighbourhood}")
    for distances in (ranges, axial or ()):
        if len(set(distances)) < len(distances) or min(distances, default=1) < 1:
            raise ValueError(f"ranges must be positive and different, not {list(distances)}")
    directions = _NEIGHBOURHOODS[neighbourhood]
    offsets = tuple((s * row, s * column) for s in ranges for row, column in directions)
    if axial is None:
        return offsets
    return (*((0, *offset) for offset in offsets), *((-s, 0, 0) for s in axial))


def pyramid_offsets(
    ranges: Sequence[int], *, neighbourhood: int = 4, axial: Sequence[int] | None = None
) -> tuple[tuple[Offset, ...], ...]:
    """Offsets at 1, 1/2, 1/4, 1/8 and 1/16 of the image's size: all, and at most the first 4, 3, 2 and 1 ranges.

    Axial ranges stay, as planes are not pooled. Arguments and errors are those of `pair_offsets`.
    """
    counts = (len(ranges), *_PYRAMID)
    return tuple(pair_offsets(ranges[:count], neighbourhood=neighbourhood, axial=axial) for count in counts)


def pair_slices(offset: Offset, shape: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the first and where the second pixels of all pairs inside `shape` lie; empty for too large an offset."""
    first = tuple(slice(max(-d, 0), max(n - max(d, 0), 0)) for d, n in zip(offset, shape, strict=True))
    second = tuple(slice(max(d, 0), max(n - max(-d, 0), 0)) for d, n in zip(offset, shape, strict=True))
    return first, second


class Pairs(NamedTuple):
    """The pairs of pixels of label images for each of N offsets.

    Attributes
    ----------
    offsets : tuple of N offsets
    target : (B, N, *S) bool tensor
        Affinity: whether both pixels have the same label; False where there is no pair.
    mask : (B, N, *S) bool tensor
        Pairs that count: both pixels are inside of the image and valid.
    """

    offsets: tuple[Offset, ...]
    target: Tensor
    mask: Tensor


def label_pairs(labels: Tensor, offsets: Sequence[Offset], valid: Tensor | None = None) -> Pairs:
    """Affinities of label images (Eq. 1), and which of them count.

    Parameters
    ----------
    labels : (B, *S) int tensor
        The background, 0, is a label like any other. `*S` are (rows, columns) or (planes, rows, columns).
    offsets : sequence of N offsets
    valid : (B, *S) bool tensor, optional
        Pixels whose label is to be believed.
    """
    shape = labels.shape[1:]
    target = torch.zeros((len(labels), len(offsets), *shape), dtype=torch.bool, device=labels.device)
    mask = torch.zeros_like(target)
    for n, offset in enumerate(offsets):
        first, second = pair_slices(offset, shape)
        target[:, n, *first] = labels[:, *first] == labels[:, *second]
        mask[:, n, *first] = True if valid is None else valid[:, *first] & valid[:, *second]
    return Pairs(tuple(offsets), target, mask)


def unit_vectors(embedding: Tensor) -> Tensor:
    """(B, E, *S) embedding with vectors of length 1 over the channels, in float32 at least; zero stays zero.

    As `torch.nn.functional.normalize`, which takes from 1.6 (channels last) to 4 times as long on a CPU.
    """
    vectors = embedding.to(torch.promote_types(embedding.dtype, torch.float32))
    return vectors * vectors.square().sum(1, keepdim=True).clamp(min=_SMALLEST).rsqrt()


def affinities(unit: Tensor, offsets: Sequence[Offset], other: Tensor | None = None) -> Tensor:
    """Cosines of the embeddings of each pair (Eq. 2), or between the embeddings of two views (Eq. 4).

    Parameters
    ----------
    unit : (B, E, *S) float tensor
        As of `unit_vectors`, so that several calls share one normalisation.
    offsets : sequence of N offsets
    other : (B, E, *S) float tensor, optional
        Embedding of another view, brought back to this one; it gives the second pixel of each pair.

    Returns
    -------
    (B, N, *S) float tensor
        In [-1, 1], 0 where there is no pair. Differentiable once. Kept for the gradient are the embeddings alone, and
        no product of any offset.
    """
    return _PairProducts.apply(unit, other, tuple(offsets))


class _PairProducts(torch.autograd.Function):
    """Scalar products of vectors (B, E, *S) that are an offset apart, of one tensor or of two, for each offset."""

    @staticmethod
    def forward(ctx, first: Tensor, second: Tensor | None, offsets: tuple[Offset, ...]) -> Tensor:
        ctx.save_for_backward(first, second)
        ctx.offsets = offsets
        second = first if second is None else second
        products = first.new_zeros((len(first), len(offsets), *first.shape[2:]))
        for n, offset in enumerate(offsets):
            here, there = pair_slices(offset, first.shape[2:])
            products[:, n, *here] = (first[:, :, *here] * second[:, :, *there]).sum(1)
        return products

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        first, second = ctx.saved_tensors
        needs_first, needs_second, _ = ctx.needs_input_grad
        of_first = torch.zeros_like(first) if needs_first else None
        of_second = torch.zeros_like(second) if needs_second else None
        if second is None:  # both pixels of a pair add to one gradient
            second, onto_second = first, of_first
        else:
            onto_second = of_second
        for n, offset in enumerate(ctx.offsets):
            here, there = pair_slices(offset, first.shape[2:])
            upstream = grad[:, n, *here].unsqueeze(1)
            if of_first is not None:
                of_first[:, :, *here].addcmul_(upstream, second[:, :, *there])
            if onto_second is not None:
                onto_second[:, :, *there].addcmul_(upstream, first[:, :, *here])
        return of_first, of_second, None
