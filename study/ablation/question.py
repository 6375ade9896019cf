"""A question of a launch: an ablation, its jobs, their outcomes so far, and its answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from study import tracking
from study.ablation.answer import log_answer
from study.ablation.design import Ablation, SettingsOf, plan
from study.code_digest import digest_of
from study.data import Dataset
from study.data.content import in_two_splits
from study.origin import Origin, as_markdown, origin_of
from study.runs.job import Failure, Job, PlannedRun, Result, about, resolved_run, variant_name
from study.runs.resources import contents
from study.settings import ORIGIN
from study.tracking import Point, TrackedRun

ANSWER = ("study.ablation.answer",)  # module to begin with, see `study.code_digest`: what an answer says and shows


@dataclass
class Question:
    """An ablation, its jobs, and their outcomes so far.

    Attributes
    ----------
    caption : str
        What its numbers are measured on.
    note : str
        What is asked.
    origin : Origin
        What the answer is from, for the last section of the description.
    where : str
        Data set and profile, the only ones that verdicts on the papers' claims are about.
    jobs : list of Job
        Without an experiment and a parent run, see `logged_below_parent`.
    parent : TrackedRun or None
        The run of its launch, once there is one.
    experiment_id : str
        That of the parent.
    ended, unanswered : bool
        Whether the parent has ended; whether its answer could not be logged.
    said : str
        The answer in words, once there is one.
    """

    ablation: Ablation
    caption: str
    note: str
    origin: Origin
    where: str
    jobs: list[Job]
    parent: TrackedRun | None = None
    experiment_id: str = ""
    ended: bool = False
    unanswered: bool = False
    said: str = ""
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
        said = (printed, self.note, self.where, as_markdown(self.origin))
        content = [[job.digest for job in self.jobs], asked, *said, digest_of(ANSWER)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    @property
    def origin_names(self) -> dict[str, str]:
        """System, profile and preset of the control."""
        runs = (job.planned for job in self.jobs)
        settings = next(run.settings for run in runs if run.variant == self.ablation.control)
        return {name: getattr(settings, name) for name in ORIGIN}

    def finished_launch(self) -> str | None:
        """An earlier launch, by the id of its parent run, that has given this very answer; None if there is none."""
        return tracking.finished_launch(self.digest) if all(job.reuse for job in self.jobs) else None

    def logged_below_parent(self, job: Job) -> Job:
        """One of the jobs as it is executed: its run stands below the parent, and has its id as the tag `launch`."""
        assert self.parent is not None
        parent_id = self.parent.run_id
        tags = job.tags | {"launch": parent_id}  # the same on the parent and its children, for the page's filter
        return replace(job, experiment_id=self.experiment_id, parent_id=parent_id, tags=tags)

    def answer(self) -> None:
        """Log the answer, and end the parent; a fault in that ends this question alone."""
        parent = self.parent
        assert parent is not None
        reasons = [f"{failure.planned.name}: {failure.reason}" for failure in self.failures]
        if self.results:
            try:
                dataset = self.jobs[0].planned.settings.data.name
                about = (self.caption, self.note, dataset, self.where, self.origin)
                self.said = log_answer(parent, self.ablation, self.results, *about)
            except Exception as error:
                if tracking.is_gone(error):
                    raise
                self.unanswered = True
                reasons.append(f"the answer cannot be logged: {tracking.reason_of(error)}")
                parent.keep_traceback(error)
                kept = f"; artifact failure.txt of run {parent.run_id}" if tracking.traceback_is_kept(error) else ""
                tqdm.write(f"{self.ablation.name}: FAILED: {reasons[-1]}{kept}")
        counts = {"runs/finished": float(len(self.results)), "runs/failed": float(len(self.failures))}
        parent.log_metrics(Point(0, counts))
        parent.end_children("FAILED", "the worker process died")
        parent.end("FAILED" if reasons else "FINISHED", "; ".join(reasons))
        self.ended = True


def measured_on(dataset: str, profile: str) -> str:
    """Data set and profile in words; launches of earlier versions do not know their profile."""
    return f"{dataset}, profile {profile}" if profile else dataset


def plan_question(
    ablation: Ablation,
    base: SettingsOf,
    seeds: Sequence[int],
    dataset: Dataset,
    digest: str,
    reuse: bool = True,
    precision: str = "",
) -> Question:
    """The question that an ablation asks on a data set with that digest, with a job for each of its runs.

    For `base` and errors see `study.ablation.design.plan`; with `reuse` jobs take over what earlier launches have
    finished. `precision` is what `training.precision=auto` becomes, as for `study.runs.resources.resolve`.
    """
    runs = [resolved_run(run, dataset, precision) for run in plan(ablation, base, seeds)]
    caption = about(dataset, runs[0].settings, len(seeds))
    data_note = f"{caption} {in_two_splits(contents(runs[0].settings.data))}".strip()
    varied = f"{len(runs)} runs: {', '.join(ablation.names())}; seeds {list(seeds)}."
    note = f"**{ablation.question}**\n\n{varied} {data_note}"
    where = measured_on(dataset.name, runs[0].settings.profile)
    question = Question(ablation, caption, note, _origin(ablation, runs, dataset), where, [])
    for run in runs:
        tags = {"ablation": ablation.name, "variant": variant_name(run.variant), **run.variant}
        text = f"{run.name}: a variant of the ablation '{ablation.name}'. {data_note}"
        question.jobs.append(Job(run, "", None, text, tags, digest, reuse))
    return question


def _origin(ablation: Ablation, runs: Sequence[PlannedRun], dataset: Dataset) -> Origin:
    """What the answer of these runs is from."""
    variants = {variant_name(run.variant): run.settings for run in runs}
    images = {split: len(records) for split, records in dataset.splits.items()}
    asked = {"note": dataset.split_note, "varied": ablation.varied_names(), "fixed": ablation.fixed}
    return origin_of(variants, variant_name(ablation.control), images, **asked)
