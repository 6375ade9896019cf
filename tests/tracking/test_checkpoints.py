import pytest
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from study.tracking import connect, drop_checkpoints, fetch_checkpoint, keep_checkpoint, start_run
from study.tracking.artifacts import list_files


@pytest.fixture
def begun(store):
    """Begin a run of the training `abc` in a launch."""
    experiment = connect()

    def begin(launch="one"):
        return start_run(experiment, "a run", "", {"training_digest": "abc", "launch": launch})

    return begin


@pytest.fixture
def keep(tmp_path):
    """Keep a checkpoint whose content is its step."""

    def keep(run, step):
        file = tmp_path / "of_the_training.pt"
        file.write_text(str(step))
        keep_checkpoint(run, file, step)

    return keep


def steps_in_store(run):
    return sorted(item.path for item in list_files(run.run_id, "checkpoint"))


def test_the_newest_two_are_kept(begun, keep):
    run = begun()
    for step in (20, 100, 1000, 300):
        keep(run, step)
    assert steps_in_store(run) == ["checkpoint/1000.pt", "checkpoint/300.pt"]


def test_the_newest_of_all_runs_is_fetched_where_it_is_newer(begun, keep, tmp_path):
    first, second = begun("one"), begun("two")
    keep(first, 200)
    keep(second, 100)
    file = tmp_path / "here" / "checkpoint.pt"
    file.parent.mkdir()
    assert fetch_checkpoint("abc", file, beyond=200) == 200
    assert not file.exists()
    assert fetch_checkpoint("abc", file, beyond=50, launch="two") == 100
    assert file.read_text() == "100"
    assert fetch_checkpoint("abc", file, beyond=100) == 200
    assert file.read_text() == "200"
    assert fetch_checkpoint("of another training", file, beyond=0) == 0


def test_those_of_a_training_that_has_ended_are_deleted(begun, keep, tmp_path):
    runs = [begun(), begun()]
    for run in runs:
        keep(run, 10)
    drop_checkpoints("abc")
    assert [steps_in_store(run) for run in runs] == [[], []]
    assert fetch_checkpoint("abc", tmp_path / "x.pt", beyond=0) == 0


def test_a_store_that_cannot_delete_is_told(begun, keep, monkeypatch, capsys):
    run = begun()
    keep(run, 10)

    def delete_artifacts(*_):
        raise NotImplementedError("not by this kind of store")

    monkeypatch.setattr(LocalArtifactRepository, "delete_artifacts", delete_artifacts)
    drop_checkpoints("abc")
    assert (
        f"the checkpoints of run {run.run_id} stay in the store (not by this kind of store)" in capsys.readouterr().out
    )
