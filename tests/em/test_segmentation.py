import numpy as np
import pytest
import torch

from study.affinities import label_pairs, pair_offsets
from study.data.sets.neurites import neurites
from study.em.segmentation import (
    COMPONENT_THRESHOLDS,
    MIN_SIZES,
    THRESHOLDS,
    choose,
    components,
    mean_affinity,
    neurons,
    scores,
)
from study.metrics.neuron import adapted_rand_error

OFFSETS = pair_offsets((1, 3), axial=(1, 2))


def perfect(labels, offsets=OFFSETS):
    return label_pairs(torch.from_numpy(labels)[None], offsets).target[0].numpy().astype(np.float32)


@pytest.fixture(scope="module")
def truth():
    return neurites(np.random.default_rng(0), (6, 40, 40))[1]


@pytest.fixture(scope="module")
def noisy(truth):
    """Affinities with noise, so that there is something to choose."""
    affinity = perfect(truth)
    return affinity + np.random.default_rng(1).normal(0, 0.35, affinity.shape).astype(np.float32)


def test_perfect_affinities_give_the_truth(truth):
    found = neurons(perfect(truth), OFFSETS)
    assert found.dtype == np.int32
    assert adapted_rand_error(truth, found) == 0


def test_a_stride_leaves_out_repulsive_pairs_alone(truth):
    affinity, strided = perfect(truth), neurons(perfect(truth), OFFSETS, stride=3)
    assert adapted_rand_error(truth, strided) < 0.05
    attractive = [k for k, offset in enumerate(OFFSETS) if sum(map(abs, offset)) == 1]
    near = neurons(affinity[attractive], [OFFSETS[k] for k in attractive], stride=3)
    assert near.max() == 1  # all attract at last: affinity 0, too, is an attraction, of weight 0


def test_attraction_wins_above_the_threshold():
    """Two voxels in a row attract by .7, and by .9 to their outer neighbours; the ends repel each other."""
    offsets, affinity = ((0, 0, -1), (0, 0, -3)), np.zeros((2, 1, 1, 4), np.float32)
    affinity[0, 0, 0, 1:] = 0.9, 0.7, 0.9
    affinity[1, 0, 0, 3] = 0.4
    counts = {t: neurons(affinity, offsets, threshold=t).max() for t in (0.4, 0.5, 0.54, 0.56, 0.7)}
    assert counts == {0.4: 1, 0.5: 1, 0.54: 1, 0.56: 2, 0.7: 2}  # (.7 + .4) / 2 = .55


def test_small_fragments_are_merged(truth, noisy):
    sizes = np.bincount(neurons(noisy, OFFSETS, threshold=0.7, min_size=50).ravel())[1:]
    assert sizes.min() >= 50
    assert np.bincount(neurons(noisy, OFFSETS, threshold=0.7).ravel())[1:].min() < 50


def test_mean_affinity_is_that_of_a_naive_loop(noisy):
    affinity = noisy[:, :3, :5, :4]
    shape, total = affinity.shape[1:], {}
    for k, offset in enumerate(OFFSETS):
        for place in np.ndindex(*shape):
            other = tuple(np.add(place, offset))
            if sum(map(abs, offset)) == 1 and min(other) >= 0:
                total.setdefault(place, []).append(affinity[k][place])
                total.setdefault(other, []).append(affinity[k][place])
    expected = [np.mean(total[place]) for place in np.ndindex(*shape)]
    np.testing.assert_allclose(mean_affinity(affinity, OFFSETS).ravel(), expected, rtol=1e-5)


def test_components_grow_until_they_meet():
    mean = np.array([[[0.9, 0.9, 0.2, 0.1, 0.3, 0.9]]], np.float32)
    assert components(mean, 0.5).tolist() == [[[1, 1, 1, 2, 2, 2]]]
    assert components(mean, 0.05).tolist() == [[[1] * 6]]
    assert not components(mean, 0.95).any()


def test_the_choice_has_the_least_error(truth, noisy):
    choice = choose(noisy, OFFSETS, truth, stride=1)
    errors = {
        (threshold, size): adapted_rand_error(truth, neurons(noisy, OFFSETS, threshold=threshold, min_size=size))
        for threshold in THRESHOLDS
        for size in MIN_SIZES
    }
    assert errors[choice.threshold, choice.min_size] == min(errors.values()) < max(errors.values())
    mean = mean_affinity(noisy, OFFSETS)
    baseline = {t: adapted_rand_error(truth, components(mean, t)) for t in COMPONENT_THRESHOLDS}
    assert baseline[choice.component_threshold] == min(baseline.values()) < max(baseline.values())
    assert min(errors.values()) < min(baseline.values())


def test_scores(truth):
    found = np.ones_like(truth)
    values = scores(truth, found, "_x")
    assert list(values) == ["voi_split_x", "voi_merge_x", "voi_x", "arand_x", "n_pred_x"]
    assert values["voi_split_x"] == pytest.approx(0, abs=1e-12)
    assert values["voi_x"] > 1
    assert values["voi_merge_x"] == pytest.approx(values["voi_x"])
    assert values["n_pred_x"] == 1
    assert scores(truth, truth)["arand"] == 0
