"""Which results of a launch are in the store already, and which there are skipped since other code made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from study import tracking
from study.runs.cache import other_checkpoints
from study.runs.job import Job
from study.tracking import MatchingRun


class ResultLookup:
    """Finished runs with the settings and data of some jobs, looked up once; none for a job without `reuse`."""

    def __init__(self, jobs: Iterable[Job]):
        self._jobs = {job.settings_digest: job for job in jobs}
        found = {digest: tracking.finished_runs(digest) for digest, job in self._jobs.items() if job.reuse}
        wanted = {job.digest for job in self._jobs.values()}
        self._lost = [run.missing for runs in found.values() for run in runs if run.missing and run.digest in wanted]
        self._runs = {digest: [run for run in runs if not run.missing] for digest, runs in found.items()}
        self._by_digest = {run.digest: run.run_id for runs in self._runs.values() for run in reversed(runs)}
        self._networks: dict[str, bool] = {}

    def __contains__(self, job: Job) -> bool:
        """Whether the result of a job is there, computed by the same code, and the network that it is of."""
        return job.digest in self._by_digest and self._has_network(job)

    def run_of(self, job: Job) -> str | None:
        """The oldest finished run that has the result of a job; None if there is none."""
        return self._by_digest[job.digest] if job in self else None

    def _has_network(self, job: Job) -> bool:
        """Whether the network of a job is in the store; a run that has it from another may outlive that one."""
        digest = job.training_digest
        if digest not in self._networks:
            self._networks[digest] = tracking.run_with_network(digest) is not None
        return self._networks[digest]

    def is_trained(self, jobs: Sequence[Job]) -> bool:
        """Whether all results of a training's jobs are there, or a network to score them with."""
        if all(job in self for job in jobs):
            return True
        return jobs[0].reuse and self._has_network(jobs[0])

    def skipped(self, to_train: Sequence[Job]) -> list[str]:
        """Sentences on finished runs, and on checkpoints of trainings to do, that are skipped: their code differs."""
        sentences = []
        if self._lost:
            sentences.append(f"{_made_again(len(self._lost))}, since {self._lost[0]} is missing")
        if alone := [job for job in self._jobs.values() if job.digest in self._by_digest and job not in self]:
            run = self._by_digest[alone[0].digest]
            sentences.append(f"{_made_again(len(alone))}, since the network of run {run} is lost")
        if others := self._of_other_code():
            commits = ", ".join(dict.fromkeys(run.commit for run in others))
            sentences.append(
                f"{len(others)} finished results of the same settings and data are skipped, since the code that "
                f"computes them has changed (theirs: {commits})"
            )
        if unknown := self._of_unknown_code():
            sentences.append(
                f"{len(unknown)} finished runs on the same images are skipped, since they are from before runs "
                f"recorded the code that made them (theirs: {', '.join(dict.fromkeys(unknown))})"
            )
        checkpoints = [
            found
            for job in to_train
            if job.reuse
            for found in other_checkpoints(job.training_settings_digest, job.training_digest)
        ]
        sentences += [
            f"the checkpoint {path} is of other code ({commit or 'commit unknown'}): it is left there and not resumed"
            for path, commit in checkpoints
        ]
        return sentences

    def _of_unknown_code(self) -> list[str]:
        """The commits of finished runs on the same data that do not record their code."""
        digests = {job.data_digest for job in self._jobs.values() if job.reuse and job not in self}
        return [commit for digest in digests for commit in tracking.commits_of_unknown_code(digest)]

    def _of_other_code(self) -> list[MatchingRun]:
        """A run for each result of other code, where the one of this code is not there."""
        others = {
            digest: runs for digest, runs in self._runs.items() if self._jobs[digest].digest not in self._by_digest
        }
        return list({run.digest: run for runs in others.values() for run in runs}.values())


def _made_again(count: int) -> str:
    return "1 finished result is made again" if count == 1 else f"{count} finished results are made again"
