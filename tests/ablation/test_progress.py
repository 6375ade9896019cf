import math

import pytest

from study.ablation.progress import TimeLeft, duration, wall_time


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 min"),
        (1, "1 min"),
        (60, "1 min"),
        (61, "2 min"),
        (90 * 60, "90 min"),
        (91 * 60, "1.5 h"),
        (360000, "100.0 h"),
    ],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("tasks", "slots", "running", "expected"),
    [
        ([], 2, [], 0),
        ([3, 4], 1, [], 7),
        ([3, 4, 5], 2, [], 8),  # the third follows the first
        ([3, 4, 5], 5, [], 5),
        ([2], 2, [6, 1], 6),
        ([10], 2, [6, 1], 11),
    ],
)
def test_wall_time(tasks, slots, running, expected):
    assert wall_time(tasks, slots, running) == expected


def test_tasks_that_take_twice_as_long_as_estimated_are_taken_to_go_on_so():
    clock = Clock()
    left = TimeLeft([10, 10, 30, 30], 2, clock)
    clock.now += 20
    assert left.finished(0) == 60  # the second is as good as done, and is followed by the fourth
    assert left.finished(1) == 60
    clock.now += 60
    assert left.finished(2) == 0
    assert left.finished(3) == 0


def test_what_runs_counts_by_what_is_left_of_it():
    clock = Clock()
    left = TimeLeft([10, 40, 10], 2, clock)
    clock.now += 10
    assert left.finished(0) == 30
    clock.now += 10
    assert left.finished(2) == 20


def test_without_estimates_tasks_are_equally_long():
    clock = Clock()
    left = TimeLeft([0, 0, 0], 1, clock)
    clock.now += 5
    assert left.finished(0) == 10


def test_tasks_without_an_estimate_tell_of_each_other_alone():
    clock = Clock()
    left = TimeLeft([0, 10, 0, 20], 1, clock)
    clock.now += 5
    assert left.finished(0) == 10 + 5 + 20
    clock.now += 20  # twice what was estimated
    assert left.finished(1) == 5 + 40
    clock.now += 7
    assert left.finished(2) == 40


def test_what_an_earlier_launch_has_done_of_a_task_says_nothing_of_its_pace():
    clock = Clock()
    left = TimeLeft([8, 20], 1, clock, done=[0.5, 0])
    clock.now += 4
    assert math.isnan(left.left({0: 0.5}))  # it has only begun to go on
    assert left.left({0: 0.75}) == 4 + 20  # half of what was left of it, in half of the time


def test_more_slots_than_tasks():
    left = TimeLeft([1], 4, Clock())
    assert left.finished(0) == 0


def test_a_task_that_failed_at_once_says_nothing_of_the_others():
    clock = Clock()
    left = TimeLeft([10, 10, 10], 1, clock)
    assert math.isnan(left.finished(0, whole=False))
    clock.now += 20
    assert left.finished(1) == 20


def test_a_task_that_runs_shows_by_its_share_how_long_the_others_will_take():
    clock = Clock()
    left = TimeLeft([10, 10, 20], 2, clock)
    clock.now += 10
    assert math.isnan(left.left())
    # half of the first, after twice what was estimated for it, whatever is known of the second
    assert left.left({0: 0.5}) == 10 + 40
    assert left.left({0: 0.5, 1: 0.25}) == pytest.approx(20 / 7.5 * (5 + 20))
    assert left.finished(0) == 40 - 20  # the third has begun, and takes as long as was estimated
    assert left.left({0: 0.5, 2: 0.0}) == 20  # the first has ended: its share is no news


def test_a_share_of_nothing_tells_nothing():
    assert math.isnan(TimeLeft([10], 1, Clock()).left({0: 0.0}))
