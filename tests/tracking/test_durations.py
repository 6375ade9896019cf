import pytest

from study.tracking import connect, run_seconds


@pytest.mark.parametrize(
    ("status", "value", "steps", "expected"),
    [
        ("FINISHED", "a", 3.0, [7.5]),  # from the begin of the run to its end
        ("FINISHED", "a", 30.0, [30.0]),  # it went on from a checkpoint
        ("FINISHED", "b", 3.0, []),
        ("FAILED", "a", 3.0, []),
    ],
)
def test_the_time_of_earlier_runs(store, status, value, steps, expected):
    run_id = store.create_run(connect(), start_time=1000, tags={"workload": value}).info.run_id
    store.log_metric(run_id, "perf/training_seconds", steps)
    store.set_terminated(run_id, status, 8500)
    assert run_seconds("workload", "a") == expected


def test_the_newest_of_many_runs_are_enough(store):
    experiment = connect()
    for i in range(1, 22):
        run_id = store.create_run(experiment, start_time=1000 * i, tags={"workload": "a"}).info.run_id
        store.set_terminated(run_id, "FINISHED", 2000 * i)
    assert run_seconds("workload", "a") == [float(i) for i in range(21, 1, -1)]
