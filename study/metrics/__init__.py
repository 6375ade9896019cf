"""Metrics of instance segmentation; but for those of embeddings the arguments are label images, the true one first."""

import numpy as np

from study.metrics import cell, cost, count, detection, embedding, leaf, neuron
from study.metrics.cell import aggregated_jaccard, panoptic_quality
from study.metrics.contingency import Contingency
from study.metrics.detection import THRESHOLDS, average_precision
from study.metrics.embedding import Directions, distinct_axes, mean_directions, neighbour_angle
from study.metrics.leaf import best_dice, foreground_dice
from study.metrics.neuron import adapted_rand_error, variation_of_information
from study.metrics.registry import (
    KINDS,
    Metric,
    Score,
    described,
    drawn_scores,
    headline,
    kind_of,
    objectives,
    register,
    score_of,
    summary_scores,
    values_of,
)

register(leaf.METRIC, detection.METRIC, cell.METRIC, neuron.METRIC, count.METRIC, embedding.METRIC, cost.METRIC)


def scores(true: np.ndarray, pred: np.ndarray, kind: str = "images") -> dict[str, float]:
    """Every score of one image or volume, from one contingency table.

    Parameters
    ----------
    true, pred : (M, N) or (P, M, N) int array
        Label images, 0 = background.
    kind : str
        A key of `KINDS`.

    Returns
    -------
    dict of str to float
        All registered scores of that kind, by key. All are finite; for empty images see the functions.

    Raises
    ------
    ValueError
        If the shapes differ, or labels are negative or not of an integer type.
    """
    return values_of(Contingency.of(true, pred), kind)
