from functools import partial

import numpy as np
import pytest

from study.ablation.neighbour_shares import describe_neighbours
from study.data.dataset import Dataset, Record
from study.profiles import load_settings
from study.runs.job import Job, PlannedRun


def four_in_a_row():
    """Objects of one pixel at columns 0, 4, 10 and 63 of an image 64 px wide: 4, 6 and 53 px apart."""
    labels = np.zeros((32, 64), np.int32)
    labels[16, [0, 4, 10, 63]] = [1, 2, 3, 4]
    return np.zeros((32, 64, 3), np.uint8), labels


def jobs(*overrides, **options):
    settings = [load_settings("synthetic-cells", overrides=given, **options) for given in overrides]
    return [Job(PlannedRun({}, each), "", None, "", {}, "") for each in settings]


@pytest.fixture
def dataset():
    records = (Record("four", partial(four_in_a_row)),)
    return Dataset("synthetic-cells", {"train": records, "val": (), "test": ()}, False, "")


def test_distances_are_at_the_papers_width(dataset):
    """Of six pairs, one is closer than 40 * 64 / 512 = 5 px, two than 56 / 8 = 7, three than 88 / 8 = 11."""
    asked = jobs("loss.neighbour_distance=40", "loss.neighbour_distance=56", "loss.neighbour_distance=88")
    assert describe_neighbours(asked, dataset) == [
        "Neighbours among the pairs of objects in 1 training image: d = 40 px 17%, d = 56 px 33%, d = 88 px 50%"
    ]


def test_two_distances_with_the_same_neighbours_are_warned_of(dataset):
    asked = jobs("loss.neighbour_distance=41", "loss.neighbour_distance=44", "loss.constraints=global")
    found = describe_neighbours(asked, dataset)
    assert found[0].endswith("d = 41 px 17%, d = 44 px 17%, global constraints 100%")
    assert found[1:] == [
        "Warning: d = 41 px and d = 44 px make the same pairs neighbours in all of them, so that a comparison of the "
        "two varies nothing"
    ]


def test_a_loss_without_neighbours_is_not_spoken_of(dataset):
    assert describe_neighbours(jobs("", system="three-class"), dataset) == []
    assert describe_neighbours(jobs("", system="pea"), dataset) == []
