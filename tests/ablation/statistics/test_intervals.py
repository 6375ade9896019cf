import itertools

import numpy as np
import pytest
from scipy import stats

from study.ablation.statistics import interval

NAN = float("nan")


def mean_squares(cells):
    """Of seeds, images and rest, cell by cell."""
    seeds, images = len(cells), len(cells[0])
    of_seed = [sum(row) / images for row in cells]
    of_image = [sum(row[i] for row in cells) / seeds for i in range(images)]
    mean = sum(of_seed) / seeds
    rest = sum((cells[s][i] - of_seed[s] - of_image[i] + mean) ** 2 for s in range(seeds) for i in range(images))
    return (
        images * sum((m - mean) ** 2 for m in of_seed) / (seeds - 1),
        seeds * sum((m - mean) ** 2 for m in of_image) / (images - 1),
        rest / ((seeds - 1) * (images - 1)),
    )


def naive(cells):
    """Half the length of the interval, by the formula of docs/intervals.md."""
    seeds, images = np.shape(cells)
    of_seeds, of_images, rest = mean_squares(np.asarray(cells).tolist())
    of_seeds, of_images = max(of_seeds, rest), max(of_images, rest)
    t = [stats.t.ppf(0.975, count - 1) for count in (seeds, images)]
    weighted = (of_seeds * t[0] + of_images * t[1]) / (of_seeds + of_images)
    return weighted * ((of_seeds + of_images - rest) / (seeds * images)) ** 0.5


@pytest.mark.parametrize("shape", [(2, 2), (2, 7), (3, 4), (10, 5)])
@pytest.mark.parametrize("spreads", [(0, 0, 1), (2, 0, 1), (0, 2, 1), (2, 2, 0.1)])
def test_the_interval_equals_the_formula(shape, spreads):
    rng = np.random.default_rng(4)
    sizes = ((shape[0], 1), (1, shape[1]), shape)
    cells = 0.5 + sum(rng.normal(0, spread, size) for spread, size in zip(spreads, sizes, strict=True))
    found = interval(cells)
    assert (found.mean, found.kind) == (pytest.approx(cells.mean()), "seeds and images")
    assert (found.mean - found.low, found.high - found.mean) == pytest.approx([naive(cells)] * 2)
    squares = mean_squares(cells.tolist())
    wanted = [(squares[0] - squares[2]) / shape[1], (squares[1] - squares[2]) / shape[0], squares[2]]
    assert [found.seeds, found.images, found.rest] == pytest.approx(wanted)


def test_components_by_hand():
    found = interval(np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 8.0]]))
    # means of seeds 2 and 5, of images 2, 3, 5.5; rest -.5 -.5 1 .5 .5 -1
    assert [found.seeds, found.images, found.rest] == pytest.approx([4.5 - 1.5 / 3, 3.25 - 1.5 / 2, 1.5])


def test_a_single_seed_has_an_interval_over_images_and_no_p():
    values = np.array([[0.1, 0.4, 0.3, 0.6]])
    found, wanted = interval(values), stats.ttest_1samp(values[0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.kind == "images only"
    assert np.isnan([found.p, found.seeds, found.images, found.rest]).all()


def test_a_single_image_has_an_interval_over_seeds():
    values = np.array([[0.1], [0.4], [0.3]])
    found, wanted = interval(values), stats.ttest_1samp(values[:, 0], 0)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval(0.95)))
    assert (found.kind, found.p) == ("seeds only", pytest.approx(wanted.pvalue))


def test_nothing_and_a_single_score():
    for nothing in (np.full((2, 3), NAN), np.empty((0, 3)), np.empty((2, 0))):
        found = interval(nothing)
        assert found.kind == ""
        assert np.isnan([found.mean, found.low, found.high, found.p]).all()
    found = interval(np.array([[NAN, 0.3]]))
    assert (found.mean, found.kind) == (0.3, "")
    assert np.isnan([found.low, found.high, found.p]).all()


@pytest.mark.parametrize("shape", [(2, 6), (3, 5), (4, 1)])
def test_p_is_that_of_the_interval(shape):
    """It is .05 where an end of the interval is 0, and smaller the farther it is off."""
    cells = np.random.default_rng(1).normal(0, 1, shape)
    found = interval(cells)
    assert interval(cells - found.low).p == pytest.approx(0.05)
    assert interval(cells - found.high).p == pytest.approx(0.05)
    further = [interval(cells - found.mean + by).p for by in (0, 1, 10, 1e3, 1e9)]
    assert further[0] == pytest.approx(1)
    assert all(a > b for a, b in itertools.pairwise(further))
    assert further[-1] < 1e-6


def test_scores_without_any_spread():
    found = interval(np.full((3, 4), 0.25))
    assert (found.mean, found.low, found.high, found.p) == (0.25, 0.25, 0.25, 0)
    assert interval(np.zeros((3, 4))).p == 1


def test_images_and_seeds_without_scores_are_passed_over():
    cells = np.random.default_rng(0).random((3, 5))
    gaps = np.full((4, 7), NAN)
    gaps[np.ix_([0, 1, 3], [0, 2, 3, 5, 6])] = cells
    assert interval(gaps) == interval(cells)


def test_a_missing_cell_is_what_seed_and_image_predict():
    rows, columns = np.array([[0.0], [0.3], [0.5]]), np.array([0.1, 0.2, 0.4, 0.0])
    cells = rows + columns
    whole = interval(cells)
    cells[1, 2] = NAN
    found = interval(cells)
    assert (found.mean, found.low, found.high) == pytest.approx((whole.mean, whole.low, whole.high))
    noisy = np.random.default_rng(0).random((3, 4))
    noisy[1, 2] = NAN
    # least squares of the cells that are there: what is left has one degree of freedom less
    s, i = np.nonzero(~np.isnan(noisy))
    design = np.hstack([np.eye(3)[s], np.eye(4)[i]])
    left = np.linalg.lstsq(design, noisy[s, i], rcond=None)
    residual = noisy[s, i] - design @ left[0]
    assert interval(noisy).rest == pytest.approx((residual**2).sum() / (11 - 3 - 4 + 1))


def test_gaps_that_leave_no_rest():
    """Seeds with other images each: what is of the seed and what of the image cannot be told, and none is taken off."""
    found = interval(np.array([[0.1, 0.4, NAN, NAN], [NAN, NAN, 0.5, 0.9]]))
    assert found.rest == 0
    assert found.low < found.mean < found.high


def test_blocks_weigh_the_same():
    rng = np.random.default_rng(0)
    small, large = rng.random((3, 4)), rng.random((3, 40))
    found = interval(small, large)
    assert found.mean == pytest.approx((small.mean() + large.mean()) / 2)
    seeds = (small.mean(axis=1) + large.mean(axis=1)) / 2
    of_seeds = seeds.var(ddof=1) / 3
    images = [block.mean(axis=0).var(ddof=1) / (block.shape[1] * 4) for block in (small, large)]
    rests = [mean_squares(block.tolist())[2] / (block.size * 4) for block in (small, large)]
    terms = [max(of_seeds, sum(rests)), *map(max, images, rests)]
    t = [stats.t.ppf(0.975, df) for df in (2, 3, 39)]
    weighted = sum(np.multiply(terms, t)) / sum(terms)
    assert found.high - found.mean == pytest.approx(weighted * (sum(terms) - sum(rests)) ** 0.5)


def test_blocks_of_one_seed_and_blocks_of_one_image():
    rng = np.random.default_rng(0)
    small, large = rng.random((1, 4)), rng.random((1, 400))
    found = interval(small, large)
    assert found.kind == "images only"
    of = [block.var(ddof=1) / (block.size * 4) for block in (small, large)]
    t = np.array([stats.t.ppf(0.975, df) for df in (3, 399)])
    assert found.high - found.mean == pytest.approx((of @ t) / sum(of) * sum(of) ** 0.5)
    images = rng.random((3, 1)), rng.random((3, 1))
    assert interval(*images).kind == "seeds only"
    assert interval(*images).high == pytest.approx(interval(sum(images) / 2).high)


def test_a_seed_that_lacks_a_block_is_left_out():
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 4)), rng.random((3, 5))
    second[1] = NAN
    assert interval(first, second) == interval(first[[0, 2]], second[[0, 2]])


def test_order_does_not_matter():
    cells = np.random.default_rng(0).random((3, 6))
    turned = interval(cells[[2, 0, 1]][:, ::-1])
    for name, value in vars(interval(cells)).items():
        assert vars(turned)[name] == (value if isinstance(value, str) else pytest.approx(value))
