import logging
import os
import re
from pathlib import Path

import study
from study import process


def test_threads(monkeypatch):
    seen = []
    monkeypatch.setattr("torch.set_num_threads", seen.append)
    process.use_threads(3)
    assert seen == [3]


def test_threads_for_a_while(monkeypatch):
    seen = []
    monkeypatch.setattr("torch.set_num_threads", seen.append)
    monkeypatch.setattr("torch.get_num_threads", lambda: 5)
    with process.with_threads(3):
        assert seen == [3]
    with process.with_threads(0):
        pass
    assert seen == [3, 5, 5, 5]


def test_libraries_are_quiet(monkeypatch):
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", raising=False)
    for name in ("mlflow", "alembic", "optuna"):
        logging.getLogger(name).setLevel(logging.INFO)
    process.quiet_libraries()
    assert {logging.getLogger(name).level for name in ("mlflow", "alembic", "optuna")} == {logging.WARNING}
    assert os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] == "true"


def test_dask_is_quiet(monkeypatch):
    monkeypatch.setattr(logging.getLogger("distributed"), "level", logging.WARNING)
    process.quiet_dask()
    assert logging.getLogger("distributed").level == logging.ERROR


def test_the_given_run_is_taken_once(monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    assert process.take_given_run() == "abc"
    assert process.take_given_run() is None


def test_process_wide_state_is_set_here_alone():
    setters = re.compile(r"set_num_threads\(|\.setLevel\(|set_verbosity\(|environ\.pop\(")
    package = Path(study.__file__).parent
    found = {str(file.relative_to(package)) for file in package.rglob("*.py") if setters.search(file.read_text())}
    assert found == {"process.py"}
