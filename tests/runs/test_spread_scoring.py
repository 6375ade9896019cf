import numpy as np
import pandas as pd
import pytest
from PIL import Image

from study import tracking
from study.errors import StudyError
from study.executors.pool import Pool
from study.inference import batches
from study.runs import spread_scoring as module
from study.runs.commands import evaluate_run
from study.runs.gallery import gallery_of
from study.runs.spread_scoring import known_images, score_by
from tests.workers import TwoWorkers


def evaluated(asked, split, data, executor=None):
    before = {run.info.run_id for run in runs(asked)}
    evaluate_run(asked.children["wnet"].info.run_id, split, data, executor=executor)
    (run,) = [run for run in runs(asked) if run.info.run_id not in before]
    return run


def runs(asked):
    return asked.client.search_runs([asked.experiment.experiment_id])


def assert_same(client, found, wanted, split):
    own, other = (tracking.read_scores(run.info.run_id, split) for run in (found, wanted))
    pd.testing.assert_frame_equal(own.table, other.table, check_exact=True)
    assert len(own.pictures) == 3
    for one, two in zip(own.pictures, other.pictures, strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(*(gallery_of(run.info.run_id) for run in (found, wanted)), strict=True):
        assert one.name == two.name
        for array, same in zip(vars(one).values(), vars(two).values(), strict=True):
            np.testing.assert_array_equal(array, same)
    metrics = [{k: v for k, v in r.data.metrics.items() if not k.startswith("system/")} for r in (found, wanted)]
    assert metrics[0] == metrics[1]
    changing = ("mlflow.log-model", "mlflow.runName", "mlflow.note.content", "process", "heartbeat", "mlflow.source")
    same = [{k: v for k, v in r.data.tags.items() if not k.startswith(changing)} for r in (found, wanted)]
    assert same[0] == same[1]
    artifacts = [sorted(item.path for item in client.list_artifacts(run.info.run_id)) for run in (found, wanted)]
    assert artifacts[0] == artifacts[1]


@pytest.fixture
def sizes(tmp_path, write_folder):
    """Images of two sizes, which the network sees as they are."""
    write_folder(tmp_path / "data", count=5, shape=(16, 16))
    write_folder(tmp_path / "other", count=3, shape=(24, 16))
    for kind in ("images", "labels"):
        for k, file in enumerate(sorted((tmp_path / "other" / kind).iterdir())):
            file.rename(tmp_path / "data" / kind / f"b{k}.png")
    return {"data.name": "folder", "data.root": str(tmp_path / "data"), "data.image_size": "0"}


def test_a_pool_gives_the_same_run(asked, sizes):
    with Pool(module.__name__, 2) as pool:
        found = evaluated(asked, "test", sizes, pool)
    assert_same(asked.client, found, evaluated(asked, "test", sizes), "test")


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_images_of_the_run(asked, split):
    assert_same(asked.client, evaluated(asked, split, {}, TwoWorkers()), evaluated(asked, split, {}), split)


def test_images_are_taken_together_as_in_one_process():
    assert batches([(256, 256, 3), (400, 400, 3), (256, 256, 3), (256, 256, 3)], "cpu") == [[0, 2], [3], [1]]
    assert batches([(256, 256, 3)] * 3, "cuda") == [[0, 1, 2]]
    assert batches([(5, 4, 4, 1)] * 2, "cuda") == [[0], [1]]


def test_a_worker_with_other_images_is_named(asked, sizes, tmp_path):
    settings = asked.settings.with_({"network.name": "wnet", **sizes, "data.all_test": True})
    known = known_images(settings, "test", 3)
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "data" / "labels" / "cell1.png")
    executor, run_id = TwoWorkers(), asked.children["wnet"].info.run_id
    words = f"does not have the image cell1 as it is here: {tmp_path}/data must hold the same files on all workers"
    with pytest.raises(StudyError, match=words):
        score_by(executor, executor.machine("cpu"), run_id, settings, "test", known)
    gone = [known[0]._replace(name="cell9")]
    with pytest.raises(StudyError, match="does not have the image cell9"):
        score_by(executor, executor.machine("cpu"), run_id, settings, "test", gone)


def test_a_store_that_workers_do_not_reach_is_refused(asked):
    class Elsewhere(TwoWorkers):
        elsewhere = True

    with pytest.raises(StudyError, match="workers on other machines cannot write to sqlite"):
        evaluated(asked, "test", {}, Elsewhere())
