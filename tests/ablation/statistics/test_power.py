import numpy as np
import pytest
from scipy import stats

from study.ablation.statistics import Components, describe_power, interval, intervals, pooled_components
from study.ablation.statistics.paired import differences
from study.ablation.statistics.power import seeds_needed, smallest_difference
from tests.ablation.statistics.made import ABLATION, noisy
from tests.benchmarks.bench_intervals import EQUAL, families

PARTS = Components(0.02**2, 0.01**2, 0.05**2)
UNET, UNET_ONLY, WNET, WNET_ONLY = ABLATION.variants()


def test_tags_there_and_back():
    tags = PARTS.to_tags()
    assert tags == {"variance.seeds": "0.0004", "variance.images": "0.0001", "variance.rest": "0.0025"}
    assert vars(Components.from_tags({"ablation": "x", **tags})) == pytest.approx(vars(PARTS))
    assert Components.from_tags({"variance.seeds": "0.1"}) is None


def test_components_are_averaged_over_variants_before_they_are_cut_at_0():
    of = {str(v): noisy(v, 0, images=6) for v in ABLATION.variants()}
    found = pooled_components(ABLATION, [result for results in of.values() for result in results])
    each = [interval(differences(of[str(v)], of[str(WNET)], "sbd")) for v in (UNET, UNET_ONLY, WNET_ONLY)]
    assert min(min(one.seeds, one.images) for one in each) < 0
    for name in ("seeds", "images", "rest"):
        assert vars(found)[name] == pytest.approx(max(0, np.mean([vars(one)[name] for one in each])))


def test_a_single_seed_has_no_components():
    assert pooled_components(ABLATION, [*noisy(WNET, 0, (0,)), *noisy(UNET, 0, (0, 1))]) is None
    assert pooled_components(ABLATION, noisy(UNET, 0)) is None


@pytest.mark.parametrize(("seeds", "images", "comparisons"), [(2, 24, 1), (3, 10, 4), (5, 24, 11)])
def test_four_of_five_launches_tell_the_smallest_difference(seeds, images, comparisons):
    size = smallest_difference(PARTS, seeds, images, comparisons)
    shape = (2000 // comparisons, comparisons, seeds, images)
    values = families((0.02, 0.01, 0.05), EQUAL, shape, np.random.default_rng(0)) + size
    found = [one for family in values for one in intervals(family)]
    told = np.mean([one.p < 0.05 / comparisons and one.mean > 0 for one in found])
    assert told == pytest.approx(0.8, abs=0.04)


def test_more_comparisons_help_to_tell_where_trainings_spread_most():
    """With two comparisons nothing is pooled, and with eleven the spread of trainings is known better."""
    parts = Components(0.02**2, 0, 0.01**2)
    assert smallest_difference(parts, 3, 24, 11) < smallest_difference(parts, 3, 24, 2)


def test_without_spread_of_images_many_seeds_give_that_of_a_t_test():
    """With as many images that only the seeds count, as in a paired t-test over seeds."""
    size = smallest_difference(Components(0.01, 0, 1e-12), 6, 10_000)
    power = stats.nct.sf(stats.t.ppf(0.975, 5), 5, size / (0.01 / 6) ** 0.5)
    assert power == pytest.approx(0.8, abs=0.01)
    assert smallest_difference(Components(0, 0, 0), 3, 5) == 0


def test_the_number_of_seeds_is_the_least_that_suffices():
    seeds = seeds_needed(PARTS, 0.02, 24, 5)
    assert smallest_difference(PARTS, seeds, 24, 5) <= 0.02 < smallest_difference(PARTS, seeds - 1, 24, 5)
    assert seeds_needed(PARTS, 0.02, 24) < seeds
    assert seeds_needed(PARTS, 1.0, 24) == 2
    assert seeds_needed(Components(0, 0.1**2, 0), 0.02, 24) is None  # images spread too much


def test_what_can_be_told_in_words():
    words = describe_power(PARTS, 3, 24, 5)
    assert f"with 3 seeds and 24 images, a difference in SBD of {smallest_difference(PARTS, 3, 24, 5):.3f} or" in words
    assert "80 % of launches, at a level of 0.05/5, for the first of 5 comparisons by Holm" in words
    assert f"A difference of 0.02 needs {seeds_needed(PARTS, 0.02, 24, 5)} seeds." in words
    assert "at a level of 0.05)" in describe_power(PARTS, 3, 24, 1)
    wide = describe_power(Components(0.02**2, 0.1**2, 0.05**2), 3, 24, 5)
    assert "A difference of 0.01 cannot be told with these 24 images, by any number of seeds." in wide


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, 1, 24, 5), "With one seed it cannot be said what could be told"),
        ((PARTS, 1, 24, 5), "One seed can tell no difference: that takes two seeds at least. A difference of 0.01 "),
        ((None, 3, 24, 5), "no launch with two seeds or more"),
        ((PARTS, 3, 1, 5), "two test images at least"),
        ((PARTS, 3, 24, 0), "nothing is compared with the control"),
    ],
)
def test_what_cannot_be_said(given, expected):
    assert expected in describe_power(*given)
