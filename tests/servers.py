"""Real servers on this machine: PostgreSQL, MLflow, dask; each in a folder of its own, as on another machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(condition, what):
    for _ in range(1200):
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {what}")


@contextmanager
def process_of(folder, *words, path=""):
    """A Python module that runs in a folder, with `path` beside the package on its path."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(path), os.getcwd()]), "PYTHONWARNINGS": "ignore"}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # three more processes, which serve other uses
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


@contextmanager
def mlflow_server(folder, store, port):
    """An MLflow server that keeps the artifacts itself; gives its address."""
    address = f"http://127.0.0.1:{port}"
    words = f"--backend-store-uri {store} --artifacts-destination ./kept --serve-artifacts --workers 1 --port {port}"

    def answers():
        try:
            return urllib.request.urlopen(f"{address}/health", timeout=1).status == 200
        except OSError:
            return False

    with process_of(folder, "mlflow", "server", *words.split()):
        wait_for(answers, "server")
        yield address


@contextmanager
def dask_scheduler(folder, workers, path=""):
    """The address of a scheduler with a worker of one thread in each of some folders."""
    words = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with process_of(folder, *words):
        address = wait_for(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", (folder / "log").read_text()), "scheduler")[0]
        worker = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        with process_of(workers[0], *worker, path=path), process_of(workers[1], *worker, path=path):
            yield address


def _programs():
    """The folder of PostgreSQL's programs; Debian does not put them on the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


@contextmanager
def postgres():
    """A PostgreSQL server of our own; gives the address of an empty database. Skips the test without its programs."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here")
    root = os.getuid() == 0  # for whom it refuses to run
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
    place, port = Path(tempfile.mkdtemp(prefix="postgres")), free_port()
    if root:
        shutil.chown(place, "postgres", "postgres")
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": place, **user}
        subprocess.run([programs / "initdb", "-D", place / "data", "-A", "trust", "-U", "study"], check=True, **quiet)
        words = [programs / "postgres", "-D", place / "data", "-p", str(port), "-h", "127.0.0.1", "-k", place]
        process = subprocess.Popen(words, **quiet)
        try:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "study"]
            wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL")
            yield f"postgresql://study@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # its fast shutdown
            process.wait(60)
    finally:
        shutil.rmtree(place)
