"""Executes the runs of ablations: what is known is reused, what is missing is trained once, what fails fails alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from tqdm import tqdm

from study import tracking
from study.ablation.cost import cost_of
from study.ablation.design import Ablation
from study.ablation.executors import Launch, execute
from study.ablation.question import Question, question_of
from study.ablation.statistics import Components, what_can_be_told
from study.config import Settings
from study.data import Dataset
from study.data.content import in_two_splits
from study.device import choose_device
from study.errors import StudyError
from study.metrics import headline, summary_scores
from study.runs.commands import threads_for
from study.runs.job import Failure, Job, Result, Task, variant_name
from study.runs.known_results import KnownResults
from study.runs.monitor import PICTURES
from study.runs.pipeline import log_dataset, work
from study.runs.resources import contents, opened
from study.tracking.page_view import shared_view
from study.training.loop import number_of_steps


@dataclass(frozen=True)
class Asked:
    """What has become of a launch.

    Attributes
    ----------
    failed : int
        Number of failed runs and answers.
    parents : list of str
        Ids of the parent runs, one for each ablation, of this launch or of an earlier one that has given the same
        answer; none where only a plan was made.
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
    reuse: bool = True,
) -> Asked:
    """Run ablations and log their answers.

    Runs that differ in their clustering alone share a training, in whichever ablation they are. What an earlier launch
    has finished is taken from there, and what it has begun is gone on with. Where an earlier launch has given the very
    answer that this one would give, from the same results, question and code, there is nothing to do.

    Parameters
    ----------
    ablations : sequence of Ablation
    base : callable
        System -> settings of its runs, but for what is varied and the seed; all of the same data.
    seeds : sequence of int
    launch : Launch
    plan_only : bool
        Tell what would be done, and do nothing.
    reuse : bool
        Take over what earlier launches have finished, and go on with what they have begun.

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
    every = [question_of(ablation, base, seeds, dataset, digest, reuse=reuse) for ablation in ablations]
    experiment = tracking.connect()
    answered = {question.ablation.name: question.finished_launch() for question in every}
    questions = [question for question in every if answered[question.ablation.name] is None]
    if not plan_only and (ended := tracking.end_abandoned(experiment)):
        tqdm.write(f"{ended} runs of processes that were killed are marked KILLED")
    groups = _by_training(questions)
    known = KnownResults(job for question in questions for job in question.jobs)
    new = [group for group in groups if not all(_job(place) in known for place in group)]
    slots = launch.slots_for(len(new), device)
    for name, parent_id in answered.items():
        if parent_id is not None:
            tqdm.write(f"{name}: answered before, by the same runs and code: see the parent run {parent_id}")
    if questions:
        tqdm.write(f"{_in_words(questions, groups, known, dataset)}\n{slots} at a time, on {device}")
    if plan_only:
        return Asked(0, [])
    with _stopped_once(), _parents(questions, experiment, dataset, digest):
        _work_off(questions, groups, new, slots, launch)
    for question in questions:
        tqdm.write(_where_to_look(question, dataset, experiment))
    parents = [answered[q.ablation.name] or (q.parent.run_id if q.parent else "") for q in every]
    return Asked(sum(len(question.failures) + question.unanswered for question in questions), parents)


_Group = list[tuple[Question, int]]  # jobs of one training: question and index of the job


def _by_training(questions: Sequence[Question]) -> list[_Group]:
    """All jobs, grouped by training, in the order in which trainings first appear."""
    groups: dict[str, _Group] = {}
    for question in questions:
        for i, job in enumerate(question.jobs):
            groups.setdefault(job.training_digest, []).append((question, i))
    return list(groups.values())


def _in_words(questions: Sequence[Question], groups: Sequence[_Group], known: KnownResults, dataset: Dataset) -> str:
    """The plan: what is asked, what it costs, and what of earlier launches does not count."""
    jobs = [job for question in questions for job in question.jobs]
    distinct = len({job.digest for job in jobs})
    to_train = [_job(group[0]) for group in groups if not known.is_trained([_job(place) for place in group])]
    lines = [f"{q.ablation.name}: {q.ablation.question} {len(q.jobs)} runs" for q in questions]
    lines.append(
        f"{len(jobs)} runs of {len(groups)} distinct trainings; {len(jobs) - distinct} runs occur more than once, "
        f"{sum(job in known for job in jobs)} are known from before; {len(to_train)} trainings to do: "
        f"{cost_of([job.planned.settings for job in to_train], dataset)}"
    )
    return "\n".join([*lines, *known.passed_over(to_train), *_what_can_be_told(questions, dataset)])


def _what_can_be_told(questions: Sequence[Question], dataset: Dataset) -> list[str]:
    """Which differences each question will be able to tell, by the variances that an earlier launch has found."""
    told = []
    for question in questions:
        source = tracking.launch_with_variances(question.ablation.name, question.jobs[0].data_digest)
        components = Components.from_tags(source.tags) if source else None
        seeds = len({job.planned.settings.seed for job in question.jobs})
        comparisons = len(question.ablation.variants()) - 1
        sentence = what_can_be_told(components, seeds, len(dataset.splits["test"]), comparisons)
        by = f" By the variances of the launch {source.name} ({source.run_id})." if source else ""
        told.append(f"{question.ablation.name}: {sentence}{by}")
    return told


def _job(place: tuple[Question, int]) -> Job:
    question, i = place
    return question.jobs[i]


@contextmanager
def _parents(questions: Sequence[Question], experiment: str, dataset: Dataset, digest: str) -> Iterator[None]:
    """A parent run for each question, which is ended however the block is left."""
    with ExitStack() as beats:
        try:
            for question in questions:
                ablation = question.ablation
                tags = {"ablation": ablation.name, "dataset": dataset.name, "control": variant_name(ablation.control)}
                tags["split_note"] = dataset.split_note  # for the captions of reports
                tags["answer_digest"] = question.digest
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
    questions: Sequence[Question], groups: Sequence[_Group], new: Sequence[_Group], slots: int, launch: Launch
) -> None:
    """Work off all jobs; a line is written as each ends, and each question is answered with its last job."""
    done, total = 0, sum(len(question.jobs) for question in questions)
    known = [group for group in groups if not any(group is other for other in new)]
    # to take results over is quicker than to start a process
    for chosen, executor, at_a_time in ((known, Launch("inline"), 1), (new, launch, slots)):
        tasks = [_task(group, at_a_time) for group in chosen]
        for k, outcomes in execute(work, tasks, at_a_time, executor):
            for place, outcome in zip(chosen[k], _each(outcomes, tasks[k]), strict=True):
                done += 1
                tqdm.write(f"{done}/{total}  {_job(place).planned.name}: {_score_or_reason(outcome)}")
                if place[0].add(outcome):
                    place[0].answer()


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
    if isinstance(outcome, Failure):
        return f"FAILED: {outcome.reason}"
    score = headline(outcome.table)
    return f"{score.label} {outcome.table[score.key].mean():{score.form}}"


def _where_to_look(question: Question, dataset: Dataset, experiment: str) -> str:
    """Keep a view of the runs of a question on the MLflow page, and tell how to open it."""
    name, training = question.ablation.name, question.jobs[0].planned.settings.training
    last = number_of_steps(training, len(dataset.splits["train"]))
    pictures = [tracking.picture_key(record.name) for record in dataset.splits["val"][:PICTURES]]
    pictures = pictures[: training.validation_images]
    assert question.parent is not None
    shown = summary_scores({column for result in question.results for column in result.table})
    view = shared_view(question.parent.run_id, question.ablation.names(), pictures, last, shown)
    links = tracking.share_view(experiment, name, view)
    return f"{name}: {len(question.results)} of {len(question.jobs)} runs finished; look at them with\n{links}"
