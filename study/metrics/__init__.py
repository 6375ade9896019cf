"""Metrics of instance segmentation; but for `neighbour_angle` the arguments are label images, the true one first."""

import numpy as np

from study.metrics.cell import PanopticQuality, aggregated_jaccard, panoptic_quality
from study.metrics.contingency import Contingency
from study.metrics.detection import THRESHOLDS, average_precision, mean_average_precision
from study.metrics.embedding import neighbour_angle
from study.metrics.leaf import (
    best_dice,
    count_difference,
    foreground_dice,
    symmetric_best_dice,
    symmetric_best_dice_legacy,
)
from study.metrics.neuron import VariationOfInformation, adapted_rand_error, variation_of_information

__all__ = [
    "THRESHOLDS",
    "Contingency",
    "PanopticQuality",
    "VariationOfInformation",
    "adapted_rand_error",
    "aggregated_jaccard",
    "average_precision",
    "best_dice",
    "count_difference",
    "foreground_dice",
    "mean_average_precision",
    "neighbour_angle",
    "panoptic_quality",
    "scores",
    "symmetric_best_dice",
    "symmetric_best_dice_legacy",
    "variation_of_information",
]


def scores(true: np.ndarray, pred: np.ndarray) -> dict[str, float]:
    """Every score of one image, from one contingency table.

    Parameters
    ----------
    true, pred : (M, N) int array
        Label images, 0 = background.

    Returns
    -------
    dict of str to float
        ``sbd``, ``sbd_legacy``, ``best_dice_true`` and ``best_dice_pred`` (means over the true and over the
        predicted objects), ``fbd``, ``dic``, ``abs_dic``, ``ap_50`` to ``ap_90`` in steps of 5, ``map``,
        ``aji``, ``pq``, ``sq``, ``rq``, ``n_true``, ``n_pred``. All finite; see the functions for empty images.

    Raises
    ------
    ValueError
        If the shapes differ, or labels are negative or not of an integer type.
    """
    table = Contingency.of(true, pred)
    of_true, of_pred = best_dice(table), best_dice(table.transposed)
    difference = float(count_difference(table))
    precision = average_precision(table)
    panoptic = panoptic_quality(table)
    return {
        "sbd": min(of_true, of_pred),
        "sbd_legacy": max(of_true, of_pred),
        "best_dice_true": of_true,
        "best_dice_pred": of_pred,
        "fbd": foreground_dice(table),
        "dic": difference,
        "abs_dic": abs(difference),
        **{f"ap_{round(100 * t)}": float(value) for t, value in zip(THRESHOLDS, precision, strict=True)},
        "map": float(precision.mean()),
        "aji": aggregated_jaccard(table),
        **panoptic._asdict(),
        "n_true": float(table.true_area.size),
        "n_pred": float(table.pred_area.size),
    }
