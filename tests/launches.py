"""Launches in processes of their own, on a store and in a folder of their own."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

from mlflow import MlflowClient

# 8 runs of 2 trainings; each training takes a second or two after its first checkpoint
NAME, RUNS, TRAININGS = "clustering", 8, 2
SIZES = "network.base_width=2,network.depth=1,data.image_size=32,data.images=2,training.threads=1"
OPTIONS = ["--profile", "smoke", "--report", "0", "--set", f"{SIZES},training.steps=300,training.validations=3"]
INLINE, POOL = ["--executor", "inline"], ["--executor", "pool", "--slots", "2"]


def start(folder, *executor, question=NAME, **variables):
    """Start a launch in a process group of its own, as a shell does; what it writes is in its file `told`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false"}
    with (folder / "told").open("ab") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "ablations", question, *OPTIONS, *executor],
            cwd=folder,
            env=kept | quiet | {"OMP_NUM_THREADS": "1"} | variables,
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.told = folder / "told"
    return process


def start_of_two(folder, *executor, **variables):
    """As `start`, of two runs, each with a training of its own: with a server, more take minutes."""
    return start(folder, *executor, question="cells", **variables)


def ended(process, seconds=180):
    """Status of a launch once it has ended by itself; what it told is printed, for a test that fails to show."""
    try:
        return process.wait(seconds)
    finally:
        if process.poll() is None:
            kill(process)
        print(process.told.read_text(encoding="utf-8"))


def kill(process):
    """Kill a launch and its workers at once: none of them can clean up."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(process, condition):
    """Wait for a moment of a launch."""
    try:
        for _ in range(60_000):
            if condition():
                return
            assert process.poll() is None, "the launch has ended too early"
            time.sleep(0.002)
        raise AssertionError("the moment has not come")
    except BaseException:
        kill(process)
        raise


def is_there(folder, name, count=1):
    """Whether a file of that name is in the folders of so many trainings."""
    return lambda: len(list(folder.glob(f"trainings/*/{name}"))) >= count


def has_finished_runs(folder, count=1):
    def found():
        with closing(sqlite3.connect(f"file:{folder}/mlflow.db?mode=ro", uri=True)) as base:
            return base.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone()[0] >= count

    return found


def client_of(folder):
    return MlflowClient(f"sqlite:///{folder}/mlflow.db")


def runs_in(client):
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    return client.search_runs([experiment.experiment_id])


def statuses(client):
    return Counter(run.info.status for run in runs_in(client))


def parents_and_children(client):
    """Runs of launches, the latest first, and what is below the latest."""
    runs = runs_in(client)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]


def all_histories(client, children, parts=("train/", "val/", "test/")):
    """(run, metric) -> steps and values in the order in which they were logged."""
    return {
        (run.info.run_name, name): [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, name)]
        for run in children
        for name in run.data.metrics
        if name.startswith(parts)
    }
