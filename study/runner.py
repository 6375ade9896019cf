"""Executes the runs of ablations: what is known is reused, what is missing is trained once, what fails fails alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from study import tracking
from study.ablation import Ablation, Result, plan, variant_name
from study.answers import log_answer
from study.config import Settings
from study.data import Dataset
from study.data.content import in_two_splits
from study.errors import StudyError
from study.estimate import cost_of
from study.executors import Launch, execute
from study.loaded import choose_device, contents, opened, resolve
from study.monitor import PICTURES
from study.one_run import Failure, Job, Task, log_dataset, work
from study.shared_view import shared_view
from study.single import about, threads_for
from study.tracking import TrackedRun
from study.training import number_of_steps


@dataclass
class _Question:
    """An ablation, its jobs, and what they have given so far."""

    ablation: Ablation
    caption: str
    note: str
    jobs: list[Job]
    parent: TrackedRun | None = None
    ended: bool = False
    results: list[Result] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, outcome: Result | Failure) -> bool:
        """Add the outcome of one job; tells whether it was the last one."""
        (self.results if isinstance(outcome, Result) else self.failures).append(outcome)  # type: ignore[arg-type]
        return len(self.results) + len(self.failures) == len(self.jobs)


@dataclass(frozen=True)
class Asked:
    """What has become of a launch.

    Attributes
    ----------
    failed : int
        Number of failed runs.
    parents : list of str
        Ids of the parent runs, one for each ablation; none where only a plan was made.
    """

    failed: int
    parents: list[str]


def ask(
    ablations: Sequence[Ablation],
    base: Callable[[str], Settings],
    seeds: Sequence[int],
    launch: Launch,
    *,
    plan_only: bool = False,
) -> Asked:
    """Run ablations and log their answers.

    Runs that differ in their clustering alone share a training, in whichever ablation they are. What an earlier launch
    has finished is taken from there, and what it has begun is gone on with.

    Parameters
    ----------
    ablations : sequence of Ablation
    base : callable
        System -> settings of its runs, but for what is varied and the seed; all of the same data.
    seeds : sequence of int
    launch : Launch
    plan_only : bool
        Tell what would be done, and do nothing.

    Returns
    -------
    Asked

    Raises
    ------
    StudyError
        If the input or the store is at fault, before any run has started.
    """
    first = base(ablations[0].system)
    dataset = opened(first.data)
    dataset.records("test", "answer from")
    training = dataset.records("train", "train on")
    device = choose_device(first.training.device)
    training[0].load()  # a fault that all runs share is told before there is any
    digest = dataset.digest()  # reads all files: an unreadable one must not leave a parent that never ends
    if doubles := in_two_splits(contents(first.data)):
        tqdm.write(doubles)
    questions = [
        _question(ablation, lambda system: resolve(base(system), dataset), seeds, dataset, digest)
        for ablation in ablations
    ]
    experiment = tracking.connect()
    if not plan_only and (ended := tracking.end_abandoned(experiment)):
        tqdm.write(f"{ended} runs of processes that were killed are marked KILLED")
    groups = _by_training(questions)
    new = [group for group in groups if not all(map(_is_known, group))]
    slots = launch.slots_for(len(new), device)
    tqdm.write(f"{_in_words(questions, groups, new, dataset)}\n{slots} at a time, on {device}")
    if plan_only:
        return Asked(0, [])
    with _stopped_once(), _parents(questions, experiment, dataset, digest):
        _work_off(questions, groups, new, slots, launch)
    for question in questions:
        tqdm.write(_where_to_look(question, dataset, experiment))
    parents = [question.parent.run_id for question in questions if question.parent]
    return Asked(sum(len(question.failures) for question in questions), parents)


def _question(
    ablation: Ablation, base: Callable[[str], Settings], seeds: Sequence[int], dataset: Dataset, digest: str
) -> _Question:
    runs = plan(ablation, base, seeds)
    caption = about(dataset, runs[0].settings, len(seeds))
    told = f"{caption} {in_two_splits(contents(runs[0].settings.data))}".strip()
    note = f"**{ablation.question}**\n\n{len(runs)} runs: {', '.join(ablation.names())}; seeds {list(seeds)}. {told}"
    question = _Question(ablation, caption, note, [])
    for run in runs:
        tags = {"ablation": ablation.name, "variant": variant_name(run.variant), **run.variant}
        text = f"{run.name}: a variant of the ablation '{ablation.name}'. {told}"
        question.jobs.append(Job(run, "", None, text, tags, digest))
    return question


_Group = list[tuple[_Question, int]]  # jobs of one training: question and index of the job


def _by_training(questions: Sequence[_Question]) -> list[_Group]:
    """All jobs, grouped by training, in the order in which trainings first appear."""
    groups: dict[str, _Group] = {}
    for question in questions:
        for i, job in enumerate(question.jobs):
            groups.setdefault(job.training_digest, []).append((question, i))
    return list(groups.values())


def _is_known(place: tuple[_Question, int]) -> bool:
    return tracking.finished_run(_job(place).digest) is not None


def _in_words(questions: Sequence[_Question], groups: Sequence[_Group], new: Sequence[_Group], dataset: Dataset) -> str:
    """The plan: what is asked, and what it costs."""
    jobs = [job for question in questions for job in question.jobs]
    known = sum(tracking.finished_run(job.digest) is not None for job in jobs)
    distinct = len({job.digest for job in jobs})
    to_train = [group[0] for group in new if tracking.run_with_network(_job(group[0]).training_digest) is None]
    settings = [_job(place).planned.settings for place in to_train]
    lines = [f"{q.ablation.name}: {q.ablation.question} {len(q.jobs)} runs" for q in questions]
    lines.append(
        f"{len(jobs)} runs of {len(groups)} distinct trainings; {len(jobs) - distinct} runs occur more than once, "
        f"{known} are known from before; {len(to_train)} trainings to do: {cost_of(settings, dataset)}"
    )
    return "\n".join(lines)


def _job(place: tuple[_Question, int]) -> Job:
    question, i = place
    return question.jobs[i]


@contextmanager
def _parents(questions: Sequence[_Question], experiment: str, dataset: Dataset, digest: str) -> Iterator[None]:
    """A parent run for each question, which is ended however the block is left."""
    with ExitStack() as beats:
        try:
            for question in questions:
                ablation = question.ablation
                tags = {"ablation": ablation.name, "dataset": dataset.name, "control": variant_name(ablation.control)}
                tags["split_note"] = dataset.split_note  # for the captions of reports
                name = f"{ablation.name} on {dataset.name}"
                question.parent = parent = tracking.start_run(experiment, name, question.note, tags)
                beats.enter_context(tracking.beating(parent))
                log_dataset(parent, dataset, digest, question.jobs[0].planned.settings.data.root)
                launch = {"launch": parent.run_id}  # the same on the parent and its children, for the page's filter
                parent.set_tags(launch)
                question.jobs = [
                    replace(job, experiment_id=experiment, parent_id=parent.run_id, tags=job.tags | launch)
                    for job in question.jobs
                ]
            yield
        except BaseException:
            for parent in (question.parent for question in questions if question.parent and not question.ended):
                parent.end_children("KILLED", "the launch was stopped")
                parent.end("KILLED", "the launch was stopped")
            raise


@contextmanager
def _stopped_once() -> Iterator[None]:
    """Let SIGTERM, as of a scheduler, end a launch as Ctrl-C does, and no further signal disturb that end.

    `mlflow run` sends a second one right after the first.
    """
    if threading.current_thread() is not threading.main_thread():  # only that may set handlers
        yield
        return
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise KeyboardInterrupt

    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _work_off(
    questions: Sequence[_Question], groups: Sequence[_Group], new: Sequence[_Group], slots: int, launch: Launch
) -> None:
    """Work off all jobs; a line is written as each ends, and each question is answered with its last job."""
    done, total = 0, sum(len(question.jobs) for question in questions)
    known = [group for group in groups if group not in new]
    # to take results over is quicker than to start a process
    for chosen, executor, at_a_time in ((known, Launch("inline"), 1), (new, launch, slots)):
        tasks = [_task(group, at_a_time) for group in chosen]
        for k, outcomes in execute(work, tasks, at_a_time, executor):
            for place, outcome in zip(chosen[k], _each(outcomes, tasks[k]), strict=True):
                done += 1
                tqdm.write(f"{done}/{total}  {_job(place).planned.name}: {_score_or_reason(outcome)}")
                if place[0].add(outcome):
                    _answer(place[0])


def _task(group: _Group, slots: int) -> Task:
    jobs = tuple(_job(place) for place in group)
    return Task(jobs, tracking.current_store(), threads_for(jobs[0].planned.settings, slots))


def _each(outcomes: list[Result | Failure] | Exception, task: Task) -> list[Result | Failure]:
    """Outcome of each job of a task, whose worker may have died."""
    if isinstance(outcomes, StudyError):
        return [Failure(job.planned, str(outcomes)) for job in task.jobs]
    if isinstance(outcomes, Exception):
        reason = f"the worker process died ({outcomes}): with fewer --slots more memory is left to each"
        return [Failure(job.planned, reason) for job in task.jobs]
    return outcomes


def _score_or_reason(outcome: Result | Failure) -> str:
    return f"SBD {outcome.table['sbd'].mean():.3f}" if isinstance(outcome, Result) else f"FAILED: {outcome.reason}"


def _answer(question: _Question) -> None:
    """Log the answer of a question, and end its parent."""
    parent = question.parent
    assert parent is not None
    if question.results:
        log_answer(parent, question.ablation, question.results, question.caption, question.note)
    parent.end_children("FAILED", "the worker process died")
    reasons = "; ".join(f"{failure.planned.name}: {failure.reason}" for failure in question.failures)
    parent.end("FAILED" if reasons else "FINISHED", reasons)
    question.ended = True


def _where_to_look(question: _Question, dataset: Dataset, experiment: str) -> str:
    """Keep a view of the runs of a question on the MLflow page, and tell how to open it."""
    name, training = question.ablation.name, question.jobs[0].planned.settings.training
    last = number_of_steps(training, len(dataset.splits["train"]))
    pictures = [tracking.picture_key(record.name) for record in dataset.splits["val"][:PICTURES]]
    pictures = pictures[: training.validation_images]
    assert question.parent is not None
    view = shared_view(question.parent.run_id, question.ablation.names(), pictures, last)
    links = tracking.share_view(experiment, name, view)
    return f"{name}: {len(question.results)} of {len(question.jobs)} runs finished; look at them with\n{links}"
