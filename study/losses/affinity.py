"""Affinity losses of pixel embeddings: self correlation, cross correlation, embedding pyramid (Huang et al. 2022).

All work on images (B, ..., rows, columns) and volumes (B, ..., planes, rows, columns), here written (B, ..., *S), and
have two settings. `balance` lets the pairs of one object and those of two weigh the same for each image and offset, as
far as neither is rarer than a pair in 20 (of one object) or in 100 (of two). `scale` is `paper` for means (Eq. 3), or
`code` for that times the length of the first axis of S, rows or planes, as the authors' program has it; a large epsilon
in the optimiser needs the latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from study.affinities import Offset, Pairs, affinities, label_pairs, parse_ranges, pyramid_offsets
from study.config import setting
from study.data.batches import Batch
from study.data.views import View, random_view
from study.errors import StudyError
from study.losses.base import Loss, weighted_mask
from study.maps import NetworkOutput

SCALES = ("paper", "code")
_MIN_SAME, _MAX_SAME = 0.05, 0.99  # bounds of the balanced share


@dataclass(frozen=True)
class AffinityLoss(Loss):
    """Loss of affinities, and of the foreground beside it (Huang et al. 2022, Eq. 7)."""

    key: ClassVar[str] = "affinity"
    trains: ClassVar[tuple[str, ...]] = ("pyramid", "affinities")
    dims: ClassVar[tuple[int, ...]] = (2, 3)

    embedding_weight: float = setting(1.0, low=0, high=1e6)  # of the loss of affinities, beside that of the foreground
    # of the cross-entropy of the foreground; auto: 1 where the foreground is predicted, 0 where it is given
    mask_weight: float | str = setting(1.0, low=0, high=1e6, also=("auto",), needs="foreground")
    # pairs of pixels these distances apart, at the coarser scales without the largest ones ...
    ranges: str = setting("1+3+5+9+27", check=parse_ranges, form="ranges {}")
    neighbourhood: int = setting(4, choices=(4, 8))  # ... along rows and columns, or along diagonals too
    # in planes of a volume; the paper does not say, these are of Lee et al. 2017, whose network it takes
    axial: str = setting("1+2+3+4", check=parse_ranges, needs="volumes", form="axial ranges {}")
    # of the correlation with a second view
    cross_weight: float = setting(1.0, low=0, high=1e6, needs="pyramid", values={0.0: "no cross", 1.0: "cross"})
    cross_detach: bool = setting(False, needs="pyramid")  # the second view gets no gradient, and costs less
    # of the coarser scales
    pyramid_weight: float = setting(1.0, low=0, high=1e6, needs="pyramid", values={0.0: "no pyramid", 1.0: "pyramid"})
    pair_balance: bool = False  # pairs in one object and pairs of two weigh the same, for each offset
    scale: str = setting("paper", choices=SCALES)  # mean, or mean times the image's side
    # how the second view differs: mirrored and turned by quarters, in other light, with holes
    view_turns: bool = setting(True, needs="pyramid", values={True: "with turns", False: "without turns"})
    view_intensity: bool = setting(True, needs="pyramid", values={True: "with light", False: "without light"})
    view_cutout: bool = setting(True, needs="pyramid", values={True: "with holes", False: "without holes"})

    @property
    def detaches_view(self) -> bool:
        return self.cross_detach

    def offsets(self, dims: int) -> tuple[tuple[Offset, ...], ...]:
        """Offsets of the pairs at each scale of an image (2) or a volume (3), the finest first."""
        axial = parse_ranges(self.axial) if dims == 3 else None
        return pyramid_offsets(parse_ranges(self.ranges), neighbourhood=self.neighbourhood, axial=axial)

    def affinity_channels(self, dims: int) -> int:
        return len(self.offsets(dims)[0])

    def check(self, settings) -> None:
        super().check(settings)
        if self.scale == "paper" and settings.training.epsilon > 1e-4:
            raise StudyError(
                f"training.epsilon={settings.training.epsilon:g} swallows the gradients of the mean affinity loss, "
                "which stops learning: set loss.scale=code, or a smaller training.epsilon"
            )
        if settings.dims == 3:
            self._check_tiles(settings.data)

    def _check_tiles(self, data) -> None:
        """Raise a StudyError for pairs that no tile of a volume holds, or no pair of tiles that overlap by half."""
        for name, side, crop in (("ranges", data.crop_size, "crop_size"), ("axial", data.crop_planes, "crop_planes")):
            if (longest := max(parse_ranges(getattr(self, name)))) > side // 2:
                raise StudyError(
                    f"setting loss.{name} reaches {longest}, but at most half of data.{crop}, {side // 2}, is allowed: "
                    f"give shorter ranges, or raise data.{crop}"
                )

    def second_view(self, batch: Batch, heads: tuple[str, ...], generator: torch.Generator) -> View | None:
        if not self.cross_weight or "pyramid" not in heads:
            return None
        return random_view(
            batch.images,
            batch.labels,
            generator,
            turns=self.view_turns,
            intensity=self.view_intensity,
            cutout=self.view_cutout,
        )

    def terms(self, output: NetworkOutput, batch: Batch, other: Tensor | None = None) -> dict[str, Tensor]:
        terms = self.affinity_terms(output, batch, other)
        loss = torch.stack(list(terms.values())).sum()
        named = {f"loss_{name}": value for name, value in terms.items()}
        if output.foreground is None:
            return {"loss": self.embedding_weight * loss, **named}
        first = weighted_mask(self.mask_weight, output.foreground, batch.labels)
        return {"loss": first + self.embedding_weight * loss, "loss_mask": first, **named}

    def affinity_terms(self, output: NetworkOutput, batch: Batch, other: Tensor | None) -> dict[str, Tensor]:
        """Weighted terms of the affinities: `self`, `cross`, `pyramid`.

        Of a network that predicts affinities, `self` is their own error, and there are no others.
        """
        how: dict[str, Any] = {"balance": self.pair_balance, "scale": self.scale}
        finest, *coarser = self.offsets(batch.labels.ndim - 1)
        pairs = label_pairs(batch.labels, finest, batch.valid)
        if output.affinities is not None:
            return {"self": affinity_loss(output.affinities, pairs, **how)}
        assert output.embedding is not None
        terms = {"self": self_loss(output.embedding, pairs, **how)}
        if other is not None and self.cross_weight:
            cross = cross_loss(output.embedding, other, pairs, detach=self.cross_detach, **how)
            terms["cross"] = self.cross_weight * cross
        if self.pyramid_weight:
            coarser = coarser[: len(output.pyramid)]
            scales = output.pyramid[: len(coarser)]
            pyramid = pyramid_loss(scales, batch.labels, coarser, batch.valid, **how)
            terms["pyramid"] = self.pyramid_weight * pyramid
        return terms


def affinity_loss(affinity: Tensor, pairs: Pairs, *, balance: bool = False, scale: str = "paper") -> Tensor:
    """Mean squared error of affinities, whatever they are made from.

    The mean runs over the pairs that count of each image and offset, then over all images and offsets that have any.
    The target of pixels of two objects is a cosine of 0, so that a negative one costs, too.

    Parameters
    ----------
    affinity : (B, N, *S) float tensor
    pairs : Pairs
        As of `label_pairs`.
    balance : bool
    scale : `paper` or `code`

    Returns
    -------
    0-d tensor
        0 where no pair counts.

    Raises
    ------
    ValueError
        If the scale is unknown.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, not {scale!r}")
    axes = tuple(range(2, affinity.ndim))
    count = pairs.mask.sum(axes)
    error = torch.where(pairs.mask, affinity - pairs.target.to(affinity.dtype), 0).square()
    if balance:
        same = (pairs.target & pairs.mask).sum(axes)
        share = (same / count.clamp(min=1)).to(affinity.dtype).clamp(_MIN_SAME, _MAX_SAME)
        per_map = (..., *(None for _ in axes))
        total = (error * torch.where(pairs.target, (1 - share)[per_map], share[per_map])).sum(axes)
        count = (1 - share) * same + share * (count - same)
    else:
        total = error.sum(axes)
    present = count > 0
    mean = torch.where(present, total / torch.where(present, count, 1), 0).sum() / present.sum().clamp(min=1)
    return mean * affinity.shape[2] if scale == "code" else mean


def self_loss(embedding: Tensor, pairs: Pairs, *, balance: bool = False, scale: str = "paper") -> Tensor:
    """Self correlation: the embeddings of both pixels of a pair come from one view (SCM, Eq. 2 and 3).

    Parameters
    ----------
    embedding : (B, E, *S) float tensor
        Unit vectors over the channels, see `study.affinities.unit_vectors`.
    pairs, balance, scale
        As of `affinity_loss`.
    """
    return affinity_loss(affinities(embedding, pairs.offsets), pairs, balance=balance, scale=scale)


def cross_loss(
    embedding: Tensor, other: Tensor, pairs: Pairs, *, detach: bool = True, balance: bool = False, scale: str = "paper"
) -> Tensor:
    """Cross correlation: the second pixel's embedding is that of another view (CCM, Eq. 4 and 5).

    Parameters
    ----------
    embedding : (B, E, *S) float tensor
        Unit vectors over the channels.
    other : (B, E, *S) float tensor
        Unit vectors of the other view, brought back to the pixels of the first.
    detach : bool
        Whether the other view only serves as a target, and gets no gradient.
    pairs, balance, scale
        As of `affinity_loss`.
    """
    other = other.detach() if detach else other
    return affinity_loss(affinities(embedding, pairs.offsets, other), pairs, balance=balance, scale=scale)


def pyramid_loss(
    embeddings: Sequence[Tensor],
    labels: Tensor,
    offsets: Sequence[Sequence[Offset]],
    valid: Tensor | None = None,
    *,
    balance: bool = False,
    scale: str = "paper",
) -> Tensor:
    """Embedding pyramid: the sum of the self losses at several scales (EPM, Eq. 6).

    Parameters
    ----------
    embeddings : sequence of (B, E, *S) float tensors
        Unit vectors over the channels; the paper has 1/2, 1/4, 1/8 and 1/16 of the image's size.
    labels : (B, *S) int tensor
        At full size; each scale takes the label at its pixels' centres.
    offsets : sequence of sequences of offsets
        Those of each scale, see `study.affinities.pyramid_offsets` after the first.
    valid : (B, *S) bool tensor, optional
        At full size, see `study.affinities.label_pairs`.
    balance, scale
        As of `affinity_loss`; `code` takes the length at each scale.
    """
    loss = embeddings[0].new_zeros(())
    for embedding, own_offsets in zip(embeddings, offsets, strict=True):
        shape = embedding.shape[2:]
        own_valid = None if valid is None else nearest(valid, shape)
        pairs = label_pairs(nearest(labels, shape), own_offsets, own_valid)
        loss = loss + self_loss(embedding, pairs, balance=balance, scale=scale)
    return loss


def nearest(maps: Tensor, shape: Sequence[int]) -> Tensor:
    """(B, *S) maps of any dtype at another `shape`: each pixel takes the value at its centre."""
    for axis, new in enumerate(shape, start=1):
        old = maps.shape[axis]
        index = (2 * torch.arange(new, device=maps.device) + 1) * old // (2 * new)  # exact, unlike float steps
        maps = maps.index_select(axis, index)
    return maps
