"""A question of a launch: an ablation, its jobs, what they have given so far, and its answer."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from study import tracking
from study.ablation.answer import log_answer
from study.ablation.design import Ablation, plan
from study.code_digest import digest_of
from study.data import Dataset
from study.data.content import in_two_splits
from study.runs.job import Failure, Job, Result, about, resolved_run, variant_name
from study.runs.resources import contents, data_digest
from study.settings import Settings
from study.tracking import TrackedRun

ANSWER = ("study.ablation.answer",)  # module to begin with, see `study.code_digest`: what an answer says and shows


@dataclass
class Question:
    """An ablation, its jobs, and what they have given so far.

    Attributes
    ----------
    ablation : Ablation
    caption : str
        What its numbers are measured on.
    note : str
        What is asked.
    jobs : list of Job
    parent : TrackedRun or None
        The run of its launch, once there is one.
    ended, unanswered : bool
        Whether the parent has ended; whether its answer could not be logged.
    results, failures : lists of Result and Failure
    """

    ablation: Ablation
    caption: str
    note: str
    jobs: list[Job]
    parent: TrackedRun | None = None
    ended: bool = False
    unanswered: bool = False
    results: list[Result] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, outcome: Result | Failure) -> bool:
        """Add the outcome of one job; tells whether it was the last one."""
        (self.results if isinstance(outcome, Result) else self.failures).append(outcome)  # type: ignore[arg-type]
        return len(self.results) + len(self.failures) == len(self.jobs)

    @property
    def digest(self) -> str:
        """Identifies the answer: all results, the question, and the code that draws and writes the answer."""
        printed = self.ablation.printed.read_text() if self.ablation.printed else ""
        asked = repr(replace(self.ablation, printed=None))
        content = [[job.digest for job in self.jobs], asked, printed, self.note, digest_of(ANSWER)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    def finished_launch(self) -> str | None:
        """An earlier launch, by the id of its parent run, that has given this very answer; None if there is none."""
        return tracking.finished_launch(self.digest) if all(job.reuse for job in self.jobs) else None

    def answer(self) -> None:
        """Log the answer, and end the parent; a fault in that ends this question alone."""
        parent = self.parent
        assert parent is not None
        reasons = [f"{failure.planned.name}: {failure.reason}" for failure in self.failures]
        if self.results:
            try:
                log_answer(parent, self.ablation, self.results, self.caption, self.note)
            except Exception as error:
                self.unanswered = True
                reasons.append(f"the answer cannot be logged: {tracking.reason_of(error)}")
                tqdm.write(f"{self.ablation.name}: FAILED: {reasons[-1]}; artifact failure.txt of run {parent.run_id}")
                parent.log_text(traceback.format_exc(), "failure.txt")
        parent.end_children("FAILED", "the worker process died")
        parent.end("FAILED" if reasons else "FINISHED", "; ".join(reasons))
        self.ended = True


def question_of(
    ablation: Ablation,
    base: Callable[[str], Settings],
    seeds: Sequence[int],
    dataset: Dataset,
    *,
    reuse: bool,
) -> Question:
    """The question that an ablation asks on a data set.

    Parameters
    ----------
    ablation : Ablation
    base : callable
        System -> settings of its runs, but for what is varied and the seed.
    seeds : sequence of int
    dataset : Dataset
    reuse : bool
        Whether its jobs take over what earlier launches have finished.

    Raises
    ------
    StudyError
        If a varied value, or what follows from it, does not fit.
    """
    runs = [resolved_run(run, dataset) for run in plan(ablation, base, seeds)]
    caption = about(dataset, runs[0].settings, len(seeds))
    told = f"{caption} {in_two_splits(contents(runs[0].settings.data))}".strip()
    note = f"**{ablation.question}**\n\n{len(runs)} runs: {', '.join(ablation.names())}; seeds {list(seeds)}. {told}"
    question = Question(ablation, caption, note, [])
    for run in runs:
        tags = {"ablation": ablation.name, "variant": variant_name(run.variant), **run.variant}
        text = f"{run.name}: a variant of the ablation '{ablation.name}'. {told}"
        question.jobs.append(Job(run, "", None, text, tags, data_digest(run.settings.data), reuse))
    return question
