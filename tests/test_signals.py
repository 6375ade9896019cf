"""Signals that come amid a transaction with the store, and others."""

import shutil
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

from study.signals import between_transactions

WRITES = """
    import random, signal, sys, threading, time
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from study.signals import between_transactions
    from study.tracking import use_store

    def stop(number, frame):
        raise SystemExit

    use_store(sys.argv[1])
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    signal.signal(signal.SIGUSR2, between_transactions(stop))
    draw = random.Random(0)
    for step in range(20):
        main = threading.main_thread().ident
        threading.Timer(draw.uniform(0.002, 0.02), signal.pthread_kill, (main, signal.SIGUSR2)).start()
        try:
            while True:
                client.log_batch(run_id, metrics=[Metric(f"m{i}", 1.0, 0, step) for i in range(5)])
        except SystemExit:
            client.set_tag(run_id, "stopped", step)
    print(client.get_run(run_id).data.tags["stopped"])
"""


def test_a_process_that_is_stopped_while_it_writes_leaves_the_store_unlocked(empty_store, tmp_path):
    """Else it would wait for itself, and so would all others, until they give up after 20 seconds."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    command = [sys.executable, "-c", dedent(WRITES), f"sqlite:///{tmp_path}/mlflow.db"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.stdout == "19\n", ended.stderr


def _call(work, *modules):
    """Call something from a function of a module, which a function of the module before has called, and so on."""
    if not modules:
        work()
        return
    names = {"__name__": modules[0], "call": lambda: _call(work, *modules[1:])}
    exec("def f():\n    call()\n    return 1\nf()", names)  # functions of other modules


@pytest.mark.parametrize(
    ("modules", "at_once"),
    [
        (["study.runs.pipeline", "torch.nn.modules"], True),
        (["mlflow.store.tracking.rest_store", "requests.api", "urllib3.connectionpool"], True),  # may last minutes
        (["study.tracking.run", "mlflow.store.tracking.sqlalchemy_store"], False),
        (["mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.orm.session", "contextlib"], False),
        (["mlflow.store.db.utils", "alembic.command"], False),
    ],
)
def test_a_signal_waits_for_the_end_of_a_transaction(modules, at_once):
    handled, seen = [], []

    def work():
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGUSR2)
        seen.extend(handled)

    before = signal.signal(signal.SIGUSR2, between_transactions(lambda number, _: handled.append(number)))
    profile = sys.getprofile()
    try:
        _call(work, *modules)
        assert seen == [signal.SIGUSR2] * (2 if at_once else 0)
        assert handled == [signal.SIGUSR2] * (2 if at_once else 1)
        assert sys.getprofile() is profile
        _call(work, *modules)  # it hears the next one, too
        assert len(handled) == (4 if at_once else 2)
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_an_exception_of_the_handler_comes_at_the_end_of_the_transaction():
    def stop(number, frame):
        raise KeyboardInterrupt

    reached = []

    def work():
        signal.raise_signal(signal.SIGUSR2)
        reached.append("its end")

    before = signal.signal(signal.SIGUSR2, between_transactions(stop))
    try:
        with pytest.raises(KeyboardInterrupt):
            _call(work, "study.tracking", "mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.engine")
        assert reached == ["its end"]
    finally:
        signal.signal(signal.SIGUSR2, before)
