"""The trainings of a launch on a dask cluster: one at a time on each worker, with the threads of that worker."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from dask import config
from distributed import Client, Future, KilledWorker, get_worker
from distributed.deploy.cluster import Cluster
from tqdm import tqdm

from study.errors import StudyError, first_line, unknown_name
from study.executors.base import Threaded, WorkerDiedError
from study.executors.cluster_file import read_cluster
from study.executors.remote import call_as_bytes, end_calls, forwarded_environment, in_fresh_process, outcome_of
from study.process import quiet_dask

# kinds of cluster that can be started -> their class of dask-jobqueue
_JOB_QUEUES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "htcondor": "HTCondorCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
}
LOCAL = "local"  # processes on this machine
_ATTEMPTS = 3  # workers that a training is given to, one after another, where they are lost
_POLL = 1.0  # s
_REMINDER = 600.0  # s between two lines that no worker is there
_ANSWER = 30  # s until a scheduler answers


class DaskExecutor(Threaded):
    """Gives each training to a worker of a dask cluster that has none.

    A training has a fresh process, which uses as many CPU threads as its worker has. Where a worker is lost, another
    one goes on with its training.

    Parameters
    ----------
    scheduler, cluster : str
        See `open_client`.
    slots : int
        Trainings at a time; 0: as many as there are workers.
    """

    def __init__(self, scheduler: str, slots: int, cluster: str):
        super().__init__(slots)
        self.client, self.cluster = open_client(scheduler, cluster)
        self.elsewhere = self.own_folders = scheduler != LOCAL
        self.address = self.client.scheduler.address  # type: ignore[union-attr]
        self._busy: set[str] = set()
        self._running: set[Future] = set()
        self._change = threading.Condition()

    def ask(self, question: Callable[[Any], Any], given: Any) -> list[Any]:
        worker = self._free_worker()
        try:
            workers = {worker, *self._workers()}
            with ThreadPoolExecutor(len(workers)) as pool:  # each takes seconds to import torch
                return list(pool.map(lambda each: self._on(each, question, given), workers))
        except ModuleNotFoundError as error:
            raise StudyError(
                f"a worker of the dask cluster at {self.address} lacks the package {error.name}: install the study "
                "there, in the version of this launch"
            ) from error
        except (WorkerDiedError, _WorkerLostError) as error:
            raise StudyError(f"a worker of the dask cluster at {self.address} cannot be used: {error}") from error
        finally:
            self._give_back(worker)

    def slots_for(self, trainings: int, gpus: int) -> int:
        return max(1, min(self.slots or len(self._workers()), trainings))

    def run(self, work: Callable[[Any], Any], task: Any) -> Any:
        """Have a worker do a call, and wait for it."""
        reasons = []
        for _ in range(_ATTEMPTS):
            worker = self._free_worker()
            try:
                return self._on(worker, work, task)
            except _WorkerLostError as error:
                reasons.append(str(error))
                tqdm.write(f"{error}: another one goes on with its task")
            finally:
                self._give_back(worker)
        raise WorkerDiedError(f"{_ATTEMPTS} workers were lost with this task, the last one as follows: {reasons[-1]}")

    def _on(self, worker: str, function: Callable, *given: Any) -> Any:
        """The result of a call on that worker."""
        call = call_as_bytes(function, *given)
        bytes_of_call = call_as_bytes(on_worker, call, forwarded_environment())
        future = self.client.submit(
            pickle.loads, bytes_of_call, workers=[worker], allow_other_workers=False, pure=False, retries=0
        )
        self._running.add(future)
        try:
            while not future.done():
                if self.ending:
                    raise CancelledError
                if worker not in self._workers():
                    raise _WorkerLostError(
                        f"the dask worker {worker} has left the cluster: it died, or its connection did"
                    )
                time.sleep(_POLL)
            return outcome_of(future.result())
        except KilledWorker:
            raise _WorkerLostError(f"the dask worker {worker} died") from None
        finally:
            self._running.discard(future)
            future.release()

    def _workers(self) -> set[str]:
        """Addresses of the workers that are there."""
        try:
            return set(self.client.nthreads())  # type: ignore[arg-type]
        except Exception as error:  # each kind of connection raises its own
            if self.ending:
                raise CancelledError from error
            raise WorkerDiedError(f"the connection to the dask scheduler at {self.address} is lost") from error

    def _free_worker(self) -> str:
        """A worker that has nothing to do from now on; waits for one."""
        reminded = 0.0
        while True:
            workers = self._workers()
            with self._change:
                if self.ending:
                    raise CancelledError
                if free := sorted(workers - self._busy):
                    self._busy.add(free[0])
                    return free[0]
                if not workers and time.monotonic() - reminded > _REMINDER:
                    reminded = time.monotonic()
                    tqdm.write(f"waiting for a worker of the dask cluster at {self.address}")
                self._change.wait(_POLL)

    def _give_back(self, worker: str) -> None:
        with self._change:
            self._busy.discard(worker)
            self._change.notify_all()

    def end(self) -> None:
        self.ending = True
        if self.threads is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
        if running := list(self._running):
            keys = [future.key for future in running]
            # a worker that does not answer must not hold the launch
            told = threading.Thread(target=self._end_processes, args=(keys,), daemon=True)
            told.start()
            told.join(_ANSWER)
            self.client.cancel(running, force=True)
        if self.threads is not None:
            self.threads.shutdown()

    def _end_processes(self, keys: list[str]) -> None:
        self.client.run(end_calls, keys, on_error="return")

    def __exit__(self, kind: object, *_: object) -> None:
        self.end()
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()


class _WorkerLostError(Exception):
    """A worker is gone, and with it what it did."""


def on_worker(call: bytes, environment: Mapping[str, str]) -> bytes:
    """Do a call in a fresh process beside the dask worker that this is, see `in_fresh_process`."""
    worker = get_worker()
    key = worker.get_current_task()

    def cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return in_fresh_process(call, environment, worker.state.nthreads, cancelled, str(key))


def open_client(scheduler: str, cluster_file: str) -> tuple[Client, Cluster | None]:
    """A client of a dask scheduler, and the cluster where one was started for it.

    Parameters
    ----------
    scheduler : str
        Address of a scheduler, such as ``tcp://head:8786``; the JSON file that one has written; or the kind of cluster
        to start: `local` for processes of this machine, else a batch system, by dask-jobqueue. Empty: what dask is
        configured for, such as by ``DASK_SCHEDULER_ADDRESS``.
    cluster_file : str
        YAML file with the parameters of the cluster to start, and `jobs`, the number of its jobs.

    Raises
    ------
    StudyError
        If no scheduler answers, or no such cluster can be started.
    """
    quiet_dask()
    scheduler = scheduler or config.get("scheduler-address", None) or ""
    if not scheduler:
        raise StudyError(
            "--executor dask needs a scheduler: name its address by --scheduler tcp://HOST:8786, or the cluster to "
            f"start by --scheduler {LOCAL}, {' or '.join(_JOB_QUEUES)}"
        )
    if "://" not in scheduler and not scheduler.endswith(".json"):
        cluster = _started_cluster(scheduler, read_cluster(cluster_file))
        return Client(cluster, set_as_default=False), cluster
    if cluster_file:
        raise StudyError(f"--cluster describes a cluster to start, and {scheduler} is one that runs")
    try:
        file = scheduler if scheduler.endswith(".json") else None
        address = None if file else scheduler
        return Client(address, scheduler_file=file, timeout=_ANSWER, set_as_default=False), None
    except (OSError, ValueError) as error:
        raise StudyError(
            f"no dask scheduler answers at {scheduler} ({first_line(error)}): start one there by `dask scheduler`, or "
            "correct --scheduler"
        ) from error


def _started_cluster(kind: str, given: dict[str, Any]) -> Cluster:
    if kind not in (LOCAL, *_JOB_QUEUES):
        raise unknown_name("scheduler", kind, (LOCAL, *_JOB_QUEUES))
    jobs = given.pop("jobs", None)
    try:
        if kind == LOCAL:
            from distributed import LocalCluster

            defaults = {"threads_per_worker": 1, "dashboard_address": ":0", **({"n_workers": jobs} if jobs else {})}
            return LocalCluster(**(defaults | given))
        import dask_jobqueue

        cluster = getattr(dask_jobqueue, _JOB_QUEUES[kind])(**given)
        cluster.scale(jobs=jobs or 1)
        return cluster
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise StudyError(f"--scheduler {kind}: no such cluster can be started ({first_line(error)})") from error
