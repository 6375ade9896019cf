"""Executes the runs of ablations: known results are reused, each training is done once, and failures stay alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from tqdm import tqdm

from study import tracking
from study.ablation.cost import Cost, Time, cost_of
from study.ablation.design import Ablation, SettingsOf
from study.ablation.live_view import LiveView
from study.ablation.plan_words import plan_in_words
from study.ablation.progress import TimeLeft, duration
from study.ablation.question import Question, plan_question
from study.data import Dataset
from study.data.content import in_two_splits
from study.data.settings import Data
from study.device import choose_device
from study.errors import StudyError, first_line
from study.executors import Inline, LaunchExecutor, execute
from study.executors.base import WorkerDiedError
from study.metrics import headline, summary_scores
from study.origin import as_markdown
from study.runs.cache import TrainingCache
from study.runs.commands import threads_for
from study.runs.environment import environment
from study.runs.job import Failure, Job, Postponed, Result, Task, variant_name
from study.runs.monitor import picture_names
from study.runs.pipeline import log_dataset, run_task
from study.runs.resources import contents, opened
from study.runs.result_lookup import ResultLookup
from study.runs.workload import WORKLOAD, workload
from study.tracking.page_view import shared_view
from study.training.loop import number_of_steps


@dataclass(frozen=True)
class LaunchResult:
    """The number of failed runs and answers of a launch, and the parent run of each ablation.

    A parent is of this launch or of an earlier one that has given the same answer; there is none where only a plan was
    made.
    """

    failed: int
    parent_ids: list[str]


class _QuestionJob(NamedTuple):
    """A job together with the question that it belongs to."""

    question: Question
    job: Job


_Training = list[_QuestionJob]  # the jobs that share one training


@tracking.told_if_gone()
def run_ablations(
    ablations: Sequence[Ablation],
    base: SettingsOf,
    seeds: Sequence[int],
    executor: LaunchExecutor,
    *,
    plan_only: bool = False,
    reuse: bool = True,
) -> LaunchResult:
    """Run ablations and log their answers.

    Runs that differ in their clustering alone share a training, in whichever ablation they are. Results of an earlier
    launch are reused, and its unfinished trainings are resumed. Where an earlier launch has given the very answer that
    this one would give, from the same results, question and code, there is nothing to do.

    Parameters
    ----------
    base : callable
        See `study.ablation.design.plan`; the settings of all systems and variants are of the same data.
    executor : LaunchExecutor
        What does the trainings, see `study.executors.opened_executor`.
    plan_only : bool
        Print what would be done, and do nothing.
    reuse : bool
        Reuse what earlier launches have finished, and resume what they have begun.

    Raises
    ------
    StudyError
        If the input or the store is at fault, before any run has started.
    """
    first = base(ablations[0], ablations[0].control)
    machine = executor.machine(first.training.device)
    dataset = opened(first.data)
    digest = _check_data(dataset, first.data)
    planned = [
        plan_question(ablation, base, seeds, dataset, digest, reuse, machine.precision) for ablation in ablations
    ]
    experiment = tracking.connect()
    if executor.elsewhere:
        tracking.check_reachable(experiment)
    answered = {question.ablation.name: question.finished_launch() for question in planned}
    questions = [question for question in planned if answered[question.ablation.name] is None]
    if not plan_only and (ended := tracking.end_abandoned(experiment)):
        what = "1 run of a process that was killed is" if ended == 1 else f"{ended} runs of killed processes are"
        tqdm.write(f"{what} marked KILLED")
    known = ResultLookup(job for question in questions for job in question.jobs)
    trainings = _by_training(questions)
    finished = [training for training in trainings if all(item.job in known for item in training)]
    unfinished = [training for training in trainings if not all(item.job in known for item in training)]
    slots = executor.slots_for(len(unfinished), machine.gpus)
    to_train = [i for i, items in enumerate(unfinished) if not known.is_trained([item.job for item in items])]
    cost = _cost_of([unfinished[i][0].job for i in to_train], dataset, slots, here=not executor.elsewhere)
    for name, parent_id in answered.items():
        if parent_id is not None:
            tqdm.write(f"{name}: answered before, by the same runs and code: see the parent run {parent_id}")
    if questions:
        skipped = known.skipped([unfinished[i][0].job for i in to_train])
        costs = cost.in_words(slots, machine.device)
        tqdm.write(plan_in_words(questions, len(trainings), known, dataset, costs, skipped))
    if plan_only:
        return LaunchResult(0, [])
    with _parents(questions, experiment, dataset, digest):
        known_times = dict(zip(to_train, cost.times, strict=True))
        estimated = [known_times.get(i, Time()) for i in range(len(unfinished))]
        total = sum(len(question.jobs) for question in questions)
        with LiveView(total, lambda: _at_work(questions)) as view:
            try:
                _execute_jobs(finished, unfinished, estimated, slots, executor, view)
            except BaseException:
                executor.end()  # before their runs are ended: none may begin another one after that
                raise
    for question in questions:
        tqdm.write(f"\n{question.said}\n" if question.said else "")
        tqdm.write(_where_to_look(question, dataset, experiment))
    if questions:
        tracking.describe_experiment(experiment)
    parent_ids = [answered[q.ablation.name] or (q.parent.run_id if q.parent else "") for q in planned]
    return LaunchResult(sum(len(q.failures) + q.unanswered for q in questions), parent_ids)


def _check_data(dataset: Dataset, settings: Data) -> str:
    """The digest of a data set; raises the faults that all runs would share, before there is any run."""
    dataset.records("test", "answer from")
    dataset.records("train", "train on")[0].load()
    digest = dataset.digest()  # reads all files: an unreadable one must not leave a parent that never ends
    if doubles := in_two_splits(contents(settings)):
        tqdm.write(doubles)
    return digest


def _by_training(questions: Sequence[Question]) -> list[_Training]:
    """All jobs, grouped by training, in the order in which trainings first appear."""
    trainings: dict[str, _Training] = {}
    for question in questions:
        for job in question.jobs:
            trainings.setdefault(job.training_digest, []).append(_QuestionJob(question, job))
    return list(trainings.values())


@contextmanager
def _parents(questions: Sequence[Question], experiment: str, dataset: Dataset, digest: str) -> Iterator[None]:
    """A parent run for each question, which is ended however the block is left."""
    with ExitStack() as beats:
        try:
            for question in questions:
                ablation = question.ablation
                tags = {"ablation": ablation.name, "dataset": dataset.name, "control": variant_name(ablation.control)}
                tags["split_note"] = dataset.split_note  # for the captions of reports
                tags |= {"answer_digest": question.digest, **question.origin_names}
                name = f"{ablation.name} on {dataset.name}"
                question.parent = parent = tracking.start_run(
                    experiment, name, f"{question.note}\n\n{as_markdown(question.origin)}", tags
                )
                question.experiment_id = experiment
                beats.enter_context(tracking.send_heartbeats(parent))
                log_dataset(parent, dataset, digest, question.jobs[0].planned.settings.data.root)
                parent.set_tags({"launch": parent.run_id})
            yield
        except BaseException as error:
            if tracking.is_gone(error):  # nothing can be ended in it; the next launch finds their process dead
                raise
            for parent in (question.parent for question in questions if question.parent and not question.ended):
                parent.end_children("KILLED", tracking.STOPPED)
                parent.end("KILLED", tracking.STOPPED)
            raise


def _cost_of(jobs: Sequence[Job], dataset: Dataset, slots: int, *, here: bool) -> Cost:
    """Cost of the trainings of jobs, so many at a time; their time is known only where they are done here."""
    settings = [job.planned.settings for job in jobs]
    threads = threads_for(settings[0], slots) if settings else 0
    if not here or not settings:
        return cost_of(settings, dataset, threads, timed=False)
    where = environment(choose_device(settings[0].training.device))
    workloads = [workload(job, where, threads) for job in jobs]
    earlier = {value: tracking.run_seconds(WORKLOAD, value) for value in dict.fromkeys(workloads)}
    done = [_share_done(job, len(dataset.splits["train"])) for job in jobs]
    return cost_of(settings, dataset, threads, known=[earlier[value] for value in workloads], done=done)


def _share_done(job: Job, images: int) -> float:
    """The share of a training that its checkpoint has behind it."""
    if not job.reuse:
        return 0.0
    steps = number_of_steps(job.planned.settings.training, images)
    return TrainingCache(job.training_digest).checkpoint_step() / steps


def _execute_jobs(
    finished: Sequence[_Training],
    unfinished: Sequence[_Training],
    estimated: Sequence[Time],
    slots: int,
    executor: LaunchExecutor,
    view: LiveView,
) -> None:
    """Execute all jobs; a line is written as each ends, and each question is answered with its last job."""
    postponed: list[_Training] = []
    no_time = [Time()] * view.total
    plans = (
        (finished, no_time, 1, Inline()),  # to reuse results is quicker than to start a process
        (unfinished, estimated, slots, executor),
        (postponed, no_time, slots, executor),
    )
    for trainings, times, at_a_time, how in plans:
        patient = trainings is postponed
        tasks = [replace(_task(training, at_a_time, how), patient=patient) for training in trainings]
        seconds, done = ([getattr(time, name) for time in times[: len(tasks)]] for name in ("seconds", "done"))
        time_left = TimeLeft(seconds, at_a_time, done=done)
        view.follow(time_left, {task.jobs[0].training_digest: i for i, task in enumerate(tasks)})
        for i, outcomes in execute(run_task, tasks, at_a_time, how):
            if isinstance(outcomes, Postponed):
                tqdm.write(f"{trainings[i][0].job.planned.name}: {outcomes.owner} trains it; the others are done first")
                postponed.append(trainings[i])
                time_left.finished(i, whole=False)
                continue
            if isinstance(outcomes, tracking.StoreGoneError) and not how.elsewhere:  # the others cannot go on either
                raise outcomes
            of_jobs = _outcome_per_job(outcomes, tasks[i])
            left = time_left.finished(i, whole=not all(isinstance(outcome, Failure) for outcome in of_jobs))
            for item, outcome in zip(trainings[i], of_jobs, strict=True):
                view.done += 1
                line = f"{view.done}/{view.total}  {item.job.planned.name}: {_score_or_reason(outcome)}"
                tqdm.write(f"{line}; about {duration(left)} left" if left > 0 and trainings is unfinished else line)
                if item.question.add(outcome):
                    item.question.answer()


def _at_work(questions: Sequence[Question]) -> list[tracking.StoredRun] | None:
    """The runs of questions that are at work, as the store has them; None if it does not answer."""
    found = []
    for question in questions:
        if question.parent is None or question.ended:
            continue
        runs = tracking.runs_at_work(question.experiment_id, question.parent.run_id)
        if runs is None:
            return None
        found += runs
    return found


def _task(training: _Training, slots: int, executor: LaunchExecutor) -> Task:
    jobs = tuple(item.question.logged_below_parent(item.job) for item in training)
    settings = jobs[0].planned.settings
    threads = settings.training.threads if executor.elsewhere else threads_for(settings, slots)
    return Task(jobs, tracking.current_store(), threads, executor.own_folders)


def _outcome_per_job(outcomes: list[Result | Failure] | Exception, task: Task) -> list[Result | Failure]:
    """Outcome of each job of a task, whose worker may have died."""
    if isinstance(outcomes, Exception):
        known = isinstance(outcomes, (StudyError, WorkerDiedError))
        reason = str(outcomes) if known else f"{type(outcomes).__name__}: {first_line(outcomes)}"
        return [Failure(job.planned, reason) for job in task.jobs]
    return outcomes


def _score_or_reason(outcome: Result | Failure) -> str:
    if isinstance(outcome, Failure):
        return f"FAILED: {outcome.reason}"
    score = headline(outcome.table)
    return f"test {score.label} {outcome.table[score.key].mean():{score.form}}"


def _where_to_look(question: Question, dataset: Dataset, experiment: str) -> str:
    """Keep a view of the runs of a question on the MLflow page, and tell how to open it."""
    name, settings = question.ablation.name, question.jobs[0].planned.settings
    last = number_of_steps(settings.training, len(dataset.splits["train"]))
    shown_images = dataset.splits["val"][: settings.training.validation_images]
    pictures = [tracking.picture_key(picture) for picture in picture_names(shown_images, settings.kind)]
    assert question.parent is not None
    shown = summary_scores({column for result in question.results for column in result.table}) or [headline(())]
    view = shared_view(question.parent.run_id, question.ablation.names(), pictures, last, shown)
    links = tracking.share_view(experiment, name, view)
    return f"{name}: {len(question.results)} of {len(question.jobs)} runs finished; look at them with\n{links}"
