"""A second view of a batch, for the cross correlation of Huang et al. 2022: turned, in other light, with holes.

The paper names flips and rotations, changes of brightness and contrast, and cutout, but no amounts; these are our
choice, as is the gamma curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

HOLES = 8  # of a cutout, in each image
HOLE_SIDES = (1 / 16, 1 / 6)  # of the image's side
_BRIGHTNESS = _CONTRAST = 0.15  # largest change, relative to the range of the image's values
_GAMMA = 1.0  # largest binary logarithm


@dataclass(frozen=True)
class View:
    """A batch as it looks in another view; `*S` are (rows, columns) or (planes, rows, columns).

    Attributes
    ----------
    images : (B, C, *S) float tensor
    labels : (B, *S) int tensor
        Turned like the images; holes keep their labels.
    flips : (B, D) bool tensor
        Which of the D axes of each image are reversed.
    swaps : (B,) bool tensor
        Where rows and columns are swapped, before that.
    """

    images: Tensor
    labels: Tensor
    flips: Tensor
    swaps: Tensor

    def back(self, maps: Tensor) -> Tensor:
        """(B, E, *S) maps of the view, such as its embedding, at the pixels of the original; differentiable.

        Maps may also have a coarser scale, if the image's sides are multiples of its step.
        """
        return _swapped(_flipped(maps, self.flips), self.swaps)


def random_view(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    turns: bool = True,
    intensity: bool = True,
    cutout: bool = True,
) -> View:
    """A random view of each image of a batch, all from one sample of random numbers.

    What is switched off leaves the random numbers of the others as they are.

    Parameters
    ----------
    images : (B, C, *S) float tensor
        Of any range of values.
    labels : (B, *S) int tensor
    generator : torch.Generator
        On any device.
    turns : bool
        Reverse each axis in half of the cases, and swap rows and columns in half of them where there are as many of
        both: flips and quarter turns, each equally likely.
    intensity : bool
        Stretch and shift the values by up to 15 % of the image's range, which they do not leave, and bend them by an
        exponent of 1/2 to 2.
    cutout : bool
        Set 8 boxes, with sides of 1/16 to 1/6 of the image's, to each channel's mean.
    """
    shape = images.shape[2:]
    counts = (len(shape), 1, 3, 2 * HOLES * len(shape))
    samples = torch.rand((len(images), sum(counts)), generator=generator, device=generator.device)
    flips, swaps, light, boxes = samples.to(images.device).split(counts, dim=1)
    flips, swaps = flips < 0.5, swaps[:, 0] < 0.5
    if not turns:
        flips, swaps = torch.zeros_like(flips), torch.zeros_like(swaps)
    if shape[-2] != shape[-1]:
        swaps = torch.zeros_like(swaps)
    if intensity:
        images = _relit(images, light)
    if cutout:
        mean = images.mean(tuple(range(2, images.ndim)), keepdim=True)
        images = torch.where(_holes(shape, boxes.view(len(images), HOLES, len(shape), 2)), mean, images)
    if turns:
        images = _flipped(_swapped(images, swaps), flips)
        labels = _flipped(_swapped(labels.unsqueeze(1), swaps), flips).squeeze(1)
    return View(images, labels, flips, swaps)


def _per_image(values: Tensor, like: Tensor) -> Tensor:
    """(B,) values, to be broadcast over `like`."""
    return values.view(-1, *(1 for _ in like.shape[1:]))


def _flipped(maps: Tensor, flips: Tensor) -> Tensor:
    """(B, C, *S) maps with the axes reversed where `flips` (B, D) says so; its own inverse."""
    for axis in range(flips.shape[1]):
        maps = torch.where(_per_image(flips[:, axis], maps), maps.flip(2 + axis), maps)
    return maps


def _swapped(maps: Tensor, swaps: Tensor) -> Tensor:
    """(B, C, *S) maps with rows and columns swapped where `swaps` (B,) says so; its own inverse."""
    if maps.shape[-2] != maps.shape[-1]:
        return maps
    return torch.where(_per_image(swaps, maps), maps.transpose(-2, -1), maps)


def _relit(images: Tensor, samples: Tensor) -> Tensor:
    """Images of other contrast, brightness and gamma, from random numbers (B, 3) in [0, 1)."""
    contrast, brightness, gamma = (_per_image(values, images) for values in (2 * samples - 1).unbind(1))
    axes = tuple(range(1, images.ndim))
    low, high = images.amin(axes, keepdim=True), images.amax(axes, keepdim=True)
    extent = high - low
    values = (images - low) / torch.where(extent > 0, extent, 1)
    values = values * (1 + _CONTRAST * contrast) + _BRIGHTNESS * brightness
    return low + extent * values.clamp(0, 1) ** (2 ** (_GAMMA * gamma))


def _holes(shape: torch.Size, samples: Tensor) -> Tensor:
    """(B, 1, *S) bool tensor, True in boxes from numbers (B, K, D, 2) in [0, 1): side and place along each axis."""
    smallest, largest = HOLE_SIDES
    inside = torch.ones((), dtype=torch.bool, device=samples.device)
    for axis, size in enumerate(shape):
        side = ((smallest + (largest - smallest) * samples[:, :, axis, 0]) * size).ceil()
        start = (samples[:, :, axis, 1] * (size - side + 1)).floor()
        at = torch.arange(size, device=samples.device)
        along = (at >= start.unsqueeze(2)) & (at < (start + side).unsqueeze(2))
        inside = inside & along.view(*along.shape[:2], *(size if other == axis else 1 for other in range(len(shape))))
    return inside.any(1, keepdim=True)
