from dataclasses import replace

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from study.clustering import CLUSTERERS
from study.clustering.angular import Angular
from study.paper import paper_settings
from study.profiles import load_settings
from study.tuning import paper_thresholds, space_of
from study.tuning.space import nearest, on_grid, starts


@pytest.mark.parametrize("method", CLUSTERERS.values())
def test_the_papers_values_can_be_found(method):
    clustering = method(foreground="predicted")
    space = space_of(clustering)
    assert len(space) > 3
    assert list(space)[-3:] == ["min_size", "min_distance", "foreground_threshold"]  # trials depend on the order
    for name, distribution in space.items():
        value = getattr(clustering, name)
        assert distribution._contains(distribution.to_internal_repr(value)), name
        assert nearest(distribution, value) == value


@pytest.mark.parametrize(("foreground", "searched"), [("predicted", True), ("truth", False), ("none", False)])
def test_a_foreground_is_searched_where_it_is_predicted(foreground, searched):
    assert ("foreground_threshold" in space_of(Angular(foreground=foreground))) == searched


def test_paper_thresholds_leave_alone_what_is_not_searched():
    own = Angular(angle=30, min_size=40, seed_min_distance=9, foreground="truth", foreground_threshold=0.2)
    assert paper_thresholds(own, Angular()) == replace(own, angle=45, min_size=10)


def test_paper_thresholds_are_those_of_the_systems_paper():
    """Of a probability, half is the threshold of Huang et al. 2022; Chen et al. 2019 remove nothing."""
    pea = load_settings("bbbc039", profile="quick", system="pea", overrides="clustering.foreground=predicted")
    own = replace(pea.clustering, foreground_threshold=0.3)
    assert paper_thresholds(own, paper_settings(pea).clustering).foreground_threshold == 0.5
    elc = load_settings("bbbc039", profile="quick", system="elc", overrides="clustering.min_size=30")
    assert paper_thresholds(elc.clustering, paper_settings(elc).clustering).min_size == 0


def test_a_search_starts_from_the_paper_and_the_own_values():
    found = starts(Angular(angle=44.2, min_size=12, seed_threshold=0.99), Angular())
    paper = {"seed_threshold": 0.7, "seed_smoothing": 1.0, "angle": 45.0, "min_size": 10, "min_distance": 0.1}
    assert found == {"paper": paper, "given": paper | {"seed_threshold": 0.95}}
    assert starts(Angular(angle=44.2), Angular()) == {"paper": paper}


@pytest.mark.parametrize(
    ("distribution", "value", "expected"),
    [
        (IntDistribution(2, 16), 4, 4),
        (IntDistribution(50, 300, step=10), 104, 100),
        (IntDistribution(50, 300, step=10), 7, 50),
        (FloatDistribution(0.2, 0.95, step=0.05), 0.71, 0.7),
        (FloatDistribution(0.2, 0.95, step=0.05), 2.0, 0.95),
    ],
)
def test_the_nearest_value_in_a_range(distribution, value, expected):
    found = nearest(distribution, value)
    assert found == expected
    assert type(found) is type(expected)


def test_values_of_the_sampler_become_decimals():
    space = {"bias": FloatDistribution(-0.8, 0.8, step=0.1), "min_size": IntDistribution(0, 100, step=5)}
    assert on_grid(space, {"bias": 0.19999999999999996, "min_size": 5}) == {
        "bias": 0.2,
        "min_size": 5,
    }
