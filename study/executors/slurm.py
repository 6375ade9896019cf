"""The trainings of a launch as jobs of SLURM, by submitit; they share the working folder, so that each one resumes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError

from study import allotment
from study.errors import StudyError, first_line
from study.executors.base import Threaded, WorkerDiedError
from study.executors.cluster_file import read_cluster
from study.executors.remote import call_as_bytes, done, outcome_of
from study.process import use_threads
from study.signals import between_transactions

LOGS = Path("outputs/jobs")
_TIMEOUTS = 1000  # time limits that a training may reach; it goes on from its checkpoint each time
_AT_ONCE = 1000  # jobs that wait in the queue where --slots does not bound them
_POLL = 1.0  # s


class SlurmExecutor(Threaded):
    """Submits a job for each training. One that reaches its time limit is put back into the queue, and goes on.

    Parameters
    ----------
    slots : int
        Jobs at a time; 0: all at once, since the batch system decides.
    cluster : str
        YAML file with parameters of submitit, such as `slurm_partition: gpu`, `timeout_min: 240`, `gpus_per_node: 1`;
        with `engine: local`, jobs are processes of this machine.
    """

    def __init__(self, slots: int, cluster: str):
        super().__init__(slots)
        parameters = read_cluster(cluster)
        engine = parameters.pop("engine", "slurm")
        self.elsewhere = engine != "local"
        try:
            self._jobs = submitit.AutoExecutor(
                str(LOGS / "%j"), cluster=engine, **{f"{engine}_max_num_timeout": _TIMEOUTS}
            )
            self._jobs.update_parameters(**({"name": "pixel-embedding"} | parameters))
        except (RuntimeError, ValueError, TypeError, NameError, AssertionError) as error:
            raise StudyError(f"--executor slurm: no jobs can be submitted ({first_line(error)})") from error

    def ask(self, question: Callable[[Any], Any], given: Any) -> list[Any]:
        try:
            return [self.run(question, given)]
        except WorkerDiedError as error:
            raise StudyError(f"--executor slurm: {error}") from error

    def slots_for(self, trainings: int, gpus: int) -> int:
        return max(1, min(self.slots or _AT_ONCE, trainings))

    def run(self, work: Callable[[Any], Any], task: Any) -> Any:
        """Submit a job that does a call, and wait for it."""
        job = self._jobs.submit(_ResumableCall(), call_as_bytes(work, task))
        while not job.done():
            if self.ending:
                self._end(job)
            time.sleep(_POLL)
        try:
            return outcome_of(job.result())
        except (FailedJobError, UncompletedJobError) as error:
            raise WorkerDiedError(
                f"the job {job.job_id} has ended without a result ({job.state}): {job.paths.stderr} tells why"
            ) from error

    def _end(self, job: submitit.Job) -> None:
        if self.elsewhere:
            job.cancel()
            return
        # submitit would send SIGINT, which processes ignore that were started in the background
        with suppress(psutil.NoSuchProcess):
            controller = psutil.Process(int(job.job_id))
            for process in (*controller.children(recursive=True), controller):
                process.kill()

    def end(self) -> None:
        self.ending = True
        if self.threads is not None:
            self.threads.shutdown(cancel_futures=True)

    def __exit__(self, kind: object, *_: object) -> None:
        self.end()


class _ResumableCall:
    """What a job does. At its time limit it is submitted again: a training goes on from its checkpoint."""

    def __call__(self, call: bytes) -> bytes:
        use_threads(allotment.cores())
        for number in (signal.SIGUSR1, signal.SIGUSR2):  # submitit has one of them raise SystemExit
            if callable(handler := signal.getsignal(number)):
                signal.signal(number, between_transactions(handler))
        return done(call)

    def checkpoint(self, call: bytes) -> submitit.helpers.DelayedSubmission:
        return submitit.helpers.DelayedSubmission(self, call)
