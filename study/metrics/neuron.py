"""Scores of neuron segmentation: variation of information and adapted Rand error, from scikit-image.

Every function takes two label images (int arrays of one shape, of two or three dimensions), or one `Contingency` in
place of both, and raises ValueError as `Contingency.of` does. Pixels of true label 0 do not count. On the others
the predicted background is a segment like any other; some programs make each of its pixels a segment of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from skimage import metrics

from study.metrics.contingency import Contingency
from study.metrics.registry import ERRORS, Metric, Score


class VariationOfInformation(NamedTuple):
    """Variation of information in bits, at least 0 and 0 at best; VOI is the sum of the two."""

    split: float  # H(pred | true): what true objects lose by being cut up
    merge: float  # H(true | pred): what is lost where predicted objects run over several true ones


def variation_of_information(true: np.ndarray | Contingency, pred: np.ndarray | None = None) -> VariationOfInformation:
    """VOI split and VOI merge (Meila 2007). No true object: nothing can be wrong, so both are 0."""
    table = _counts(Contingency.of(true, pred))
    if not table.nnz:
        return VariationOfInformation(0.0, 0.0)
    unused = np.empty(0)  # scikit-image compares the shapes of the images, though it takes the table instead of them
    split, merge = metrics.variation_of_information(unused, unused, table=table / table.sum())
    return VariationOfInformation(max(float(split), 0.0), max(float(merge), 0.0))  # below zero by rounding


def adapted_rand_error(true: np.ndarray | Contingency, pred: np.ndarray | None = None) -> float:
    """ARAND (Arganda-Carreras et al. 2015): 1 - F-score of the pairs of pixels that share a segment, in [0, 1].

    No pair in either image, be it for want of a true object or as all segments are of one pixel: 0.
    """
    table = _counts(Contingency.of(true, pred))
    sizes = np.append(table.sum(axis=0), table.sum(axis=1))
    if sizes.max(initial=0) <= 1:
        return 0.0
    with np.errstate(invalid="ignore"):  # precision or recall of no pair, which are not used
        return float(metrics.adapted_rand_error(table=table)[0])


def _counts(table: Contingency) -> csr_array:
    """(T, 1 + P) pixels that each true object shares with the predicted background (first) and objects."""
    background = table.true_area - np.bincount(table.true_index, table.overlap, table.true_area.size)
    rows = np.append(np.arange(table.true_area.size), table.true_index)
    columns = np.append(np.zeros(table.true_area.size, np.int64), table.pred_index + 1)
    pixels = np.append(background, table.overlap)
    counts = csr_array((pixels, (rows, columns)), shape=(table.true_area.size, table.pred_area.size + 1))
    counts.eliminate_zeros()
    return counts


def _values(table: Contingency) -> tuple[float, ...]:
    split, merge = variation_of_information(table)
    return split, merge, split + merge, adapted_rand_error(table)


METRIC = Metric(
    (
        Score("voi_split", "VOI split", "bits lost by cuts through objects", False, group=ERRORS, bounds=(0, None)),
        Score("voi_merge", "VOI merge", "bits lost by merged objects", False, group=ERRORS, bounds=(0, None)),
        Score("voi", "VOI", "variation of information, their sum", False, group=ERRORS, bounds=(0, None), drawn=True),
        Score("arand", "ARAND", "adapted Rand error", False, group=ERRORS, drawn=True),
    ),
    _values,
    kinds=("volumes",),
)
