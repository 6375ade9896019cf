"""What a launch says before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from study import tracking
from study.ablation.neighbour_shares import describe_neighbours
from study.ablation.question import Question
from study.ablation.statistics import Components, describe_power
from study.data import Dataset
from study.metrics import score_of
from study.metrics.registry import KINDS
from study.runs.result_lookup import ResultLookup


def plan_in_words(
    questions: Sequence[Question],
    trainings: int,
    known: ResultLookup,
    dataset: Dataset,
    costs: str,
    skipped: Sequence[str],
) -> str:
    """The plan: what is asked, what it costs, what it can tell, and which results of earlier launches are skipped."""
    jobs = [job for question in questions for job in question.jobs]
    distinct = len({job.digest for job in jobs})
    lines = [f"{q.ablation.name}: {q.ablation.question} {len(q.jobs)} runs" for q in questions]
    lines.append(
        f"{len(jobs)} runs of {trainings} distinct trainings; {len(jobs) - distinct} runs occur more than once, "
        f"{sum(job in known for job in jobs)} are known from before; {costs}"
    )
    return "\n".join([*lines, *describe_neighbours(jobs, dataset), *skipped, *_describe_power(questions, dataset)])


def _describe_power(questions: Sequence[Question], dataset: Dataset) -> list[str]:
    """Which differences each question will be able to tell, by the variances that an earlier launch has found."""
    sentences = []
    for question in questions:
        source = tracking.launch_with_variances(question.ablation.name, question.jobs[0].data_digest)
        components = Components.from_tags(source.tags) if source else None
        seeds = len({job.planned.settings.seed for job in question.jobs})
        comparisons = len(question.ablation.variants()) - 1
        kind = KINDS[question.jobs[0].planned.settings.kind]
        items, score = kind.parts * len(dataset.splits["test"]), score_of(kind.headline)
        sentence = describe_power(components, seeds, items, comparisons, score.label, f"{kind.item}s")
        by = f" By the variances of the launch {source.name} ({source.run_id})." if source else ""
        sentences.append(f"{question.ablation.name}: {sentence}{by}")
    return sentences
