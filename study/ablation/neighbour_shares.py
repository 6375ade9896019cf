"""Which share of the pairs of objects each distance of a plan makes neighbours, so that nobody varies it in vain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from study.data import Dataset
from study.data.batches import network_image
from study.data.targets import neighbours, reach_of
from study.losses.embedding import EmbeddingLoss
from study.runs.job import Job
from study.settings import Settings

IMAGES = 16  # training images that are looked at, at most


def describe_neighbours(jobs: Sequence[Job], dataset: Dataset) -> list[str]:
    """A sentence on the neighbours under each of the jobs' losses, and one for each two that are alike.

    Nothing where no loss has neighbours. Looked at are whole training images at the network's scale.
    """
    rules = dict.fromkeys(rule for job in jobs if (rule := _rule(job.planned.settings)) is not None)
    if not rules:
        return []
    size = jobs[0].planned.settings.data.image_size
    images = [network_image(record.load(), size).labels for record in dataset.splits["train"][:IMAGES]]
    found = {rule: [_pairs(labels, rule) for labels in images] for rule in rules}
    number = sum(pairs.size for pairs in next(iter(found.values())))
    if not number:
        return [
            f"No two objects are in one of the first {len(images)} training images, so that there are no neighbours"
        ]
    shares = [f"{_in_words(rule)} {sum(p.sum() for p in pairs) / number:.0%}" for rule, pairs in found.items()]
    looked_at = f"{len(images)} training image{'s' * (len(images) != 1)}"
    sentences = [f"Neighbours among the pairs of objects in {looked_at}: {', '.join(shares)}"]
    for one, other in itertools.combinations(found, 2):
        if all(np.array_equal(*tables) for tables in zip(found[one], found[other], strict=True)):
            sentences.append(
                f"Warning: {_in_words(one)} and {_in_words(other)} make the same pairs neighbours in all of them, so "
                "that a comparison of the two varies nothing"
            )
    return sentences


def _rule(settings: Settings) -> float | None:
    """The distance that makes neighbours, at the papers' scale; infinite under global constraints."""
    if not isinstance(settings.loss, EmbeddingLoss) or settings.dims == 3:
        return None
    return float("inf") if settings.loss.constraints == "global" else settings.loss.neighbour_distance


def _pairs(labels: np.ndarray, rule: float) -> np.ndarray:
    """For each pair of an image's objects whether they are neighbours."""
    table = neighbours(labels, reach_of(rule, labels.shape))[1:, 1:]
    return table[np.triu_indices(len(table), 1)]


def _in_words(rule: float) -> str:
    return "global constraints" if np.isinf(rule) else f"d = {rule:g} px"
