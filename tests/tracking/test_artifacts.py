import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from PIL import Image

from study.tracking import connect, start_run
from study.tracking.artifacts import fetch, list_files, read_json, read_picture, read_text


@pytest.fixture
def run_id(store):
    run_id = start_run(connect(), "a run", "", {}).run_id
    store.log_text(run_id, "one,two\n", "tables/a.csv")
    store.log_text(run_id, '{"a": 1}', "a.json")
    store.log_image(run_id, Image.new("L", (3, 2), 7), "pictures/grey.png")
    return run_id


def test_files_of_a_run(run_id, tmp_path):
    assert read_text(run_id, "tables/a.csv") == "one,two\n"
    assert read_json(run_id, "a.json") == {"a": 1}
    np.testing.assert_array_equal(read_picture(run_id, "pictures/grey.png"), np.full((2, 3, 3), 7, np.uint8))
    assert sorted(item.path for item in list_files(run_id)) == ["a.json", "pictures", "tables"]
    assert [item.path for item in list_files(run_id, "tables")] == ["tables/a.csv"]
    assert list_files(run_id, "no such folder") == []
    assert fetch(run_id, "tables", tmp_path).joinpath("a.csv").read_text() == "one,two\n"


def test_a_file_that_is_not_there(run_id, tmp_path):
    with pytest.raises((OSError, MlflowException), match="no such file"):
        read_text(run_id, "no such file.txt")
    assert not list(tmp_path.glob("**/no such file.txt"))


def test_the_store_is_asked_once_for_all_files_of_a_run(run_id, monkeypatch):
    asked = []
    get_run = MlflowClient.get_run
    monkeypatch.setattr(MlflowClient, "get_run", lambda client, run_id: asked.append(run_id) or get_run(client, run_id))
    for _ in range(3):
        read_text(run_id, "tables/a.csv")
        list_files(run_id)
    assert asked == [run_id]
