"""Training losses."""

from study.config import registry
from study.losses.affinity import AffinityLoss
from study.losses.base import Loss
from study.losses.cosine import CosineLoss
from study.losses.discriminative import DiscriminativeLoss
from study.losses.embedding import EmbeddingLoss
from study.losses.three_class import ClassLoss

LOSSES = registry(CosineLoss, DiscriminativeLoss, AffinityLoss, ClassLoss)
