"""Object, contour and background: targets and loss of the three-class U-Net (Chen et al. 2019, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from study.config import setting
from study.data.batches import Batch
from study.losses.base import Loss
from study.maps import NetworkOutput

BACKGROUND, OBJECT, CONTOUR = range(3)


@dataclass(frozen=True)
class ClassLoss(Loss):
    """Cross-entropy of object, contour and background."""

    key: ClassVar[str] = "classes"
    trains: ClassVar[tuple[str, ...]] = ("classes",)

    balance: bool = setting(False)  # each class that occurs in a batch counts the same; otherwise each pixel

    def terms(self, output: NetworkOutput, batch: Batch, other: Tensor | None = None) -> dict[str, Tensor]:
        assert output.classes is not None
        return {"loss": class_loss(output.classes, batch.labels, balanced=self.balance)}


def contour_classes(labels: Tensor) -> Tensor:
    """Class of each pixel, with a contour two pixels wide: the pixels on both sides of every change of label.

    One of the two lies in the object, so that touching objects part; the frame of the image is no boundary.
    Labels (B, M, N) -> `BACKGROUND`, `OBJECT` or `CONTOUR`, int64.
    """
    contour = torch.zeros_like(labels, dtype=torch.bool)
    for axis in (1, 2):
        length = labels.shape[axis]
        changes = labels.narrow(axis, 1, length - 1) != labels.narrow(axis, 0, length - 1)
        contour.narrow(axis, 1, length - 1).logical_or_(changes)
        contour.narrow(axis, 0, length - 1).logical_or_(changes)
    return torch.where(contour, CONTOUR, (labels > 0).long())


def class_loss(classes: Tensor, labels: Tensor, *, balanced: bool) -> Tensor:
    """Cross-entropy of the classes (B, 3, M, N), before the softmax, with those of the labels (B, M, N).

    If `balanced`, each class that occurs in the batch counts the same; otherwise each pixel.
    """
    target = contour_classes(labels)
    if not balanced:
        return F.cross_entropy(classes, target)
    counts = torch.stack([(target == k).sum() for k in range(3)])
    return F.cross_entropy(classes, target, weight=(target.numel() / counts.clamp(min=1)).to(classes.dtype))
