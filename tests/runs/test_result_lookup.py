from types import SimpleNamespace

import pytest

from study.runs import result_lookup
from study.runs.result_lookup import ResultLookup
from study.tracking import MatchingRun

JOB = SimpleNamespace(
    digest="d", settings_digest="s", training_digest="t", data_digest="i", training_settings_digest="ts", reuse=True
)


@pytest.fixture
def lookup(monkeypatch):
    """The results of a job in a store that has these runs, and the network of the training or not."""

    def make(runs, network=True):
        store = SimpleNamespace(
            finished_runs=lambda digest: [MatchingRun(*run) for run in runs],
            run_with_network=lambda digest: "holder" if network else None,
            commits_of_unknown_code=lambda digest: [],
        )
        monkeypatch.setattr(result_lookup, "tracking", store)
        monkeypatch.setattr(result_lookup, "other_checkpoints", lambda *_: [])
        return ResultLookup([JOB])

    return make


def test_a_result_is_known_that_can_be_read(lookup):
    known = lookup([("r", "d", "c", "")])
    assert JOB in known
    assert known.run_of(JOB) == "r"
    assert known.skipped([]) == []


def test_a_result_whose_scores_are_lost_is_not_known(lookup):
    known = lookup([("r", "d", "c", "/old/scores_test.csv")])
    assert JOB not in known
    assert known.run_of(JOB) is None
    assert known.is_trained([JOB])
    assert known.skipped([JOB]) == ["1 finished result is made again, since /old/scores_test.csv is missing"]


def test_a_result_whose_network_is_lost_is_not_known(lookup):
    known = lookup([("r", "d", "c", "")], network=False)
    assert JOB not in known
    assert not known.is_trained([JOB])
    assert known.skipped([JOB]) == ["1 finished result is made again, since the network of run r is lost"]


def test_lost_results_of_other_code_are_passed_over(lookup):
    known = lookup([("r", "d", "c", ""), ("other", "o", "c", "/gone")])
    assert known.run_of(JOB) == "r"
    assert known.skipped([]) == []
