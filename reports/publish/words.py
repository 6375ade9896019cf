"""The first page of the published study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ablations._study import SCORES
from reports.publish.chosen import Chosen
from reports.publish.control import SEED, changing_signs, keeps_sign
from reports.publish.power import WANTED
from reports.publish.starting import start_section
from reports.publish.together import WORDS, Judged, counts, reasons
from study import tracking
from study.ablation.statistics.markdown import markdown_table
from study.ablation.verdicts import ABOUT_VERDICTS, Verdict, lines_of, printed_of, score_label
from study.metrics.registry import PAPER_THRESHOLDS

_ALL = "**real images, all together**"
_ABOUT_COUNTS = (
    "Each claim counts once, by its first score, with thresholds that were tuned on validation images. All together: "
    "*reproduced* where it is on each of the sets of real images that it was judged on, *not reproduced* where it is "
    "not on one of them at least."
)


class Study(NamedTuple):
    """What the first page is written from."""

    chosen: Sequence[Chosen]
    judged: Sequence[Judged]
    start: pd.DataFrame
    power: pd.DataFrame
    control: pd.DataFrame
    costs: pd.DataFrame
    pages: Mapping[str, Mapping[str, str]]  # key of a data set -> name of a page -> its title
    remarks: str  # written by hand; may be empty

    @property
    def data(self) -> dict[str, str]:
        """Keys of the data sets that there are launches of -> their names."""
        return {one.row.key: one.row.data for one in self.chosen if one.launches}


def first_page(study: Study) -> str:
    """The whole page in Markdown."""
    parts = [
        "# The study",
        "What do the claims of three papers on instance segmentation by pixel embeddings come to, on real images, with "
        "several seeds, and with thresholds that are fair to all variants? The launches, budgets and rules were fixed "
        "beforehand: [the protocol](protocol.md).",
        *_unfinished(study.chosen),
        *_counted(study),
        "![What the claims say and what was found](claims.png)",
        "*Each claim that is a difference: its comparison that speaks most against it, turned so that the paper's word "
        "lies on the right of 0, with its 95 % interval. Filled: reproduced or not reproduced; hollow: cannot be told. "
        "An arrow: the interval goes on. The numbers: [claims.csv](claims.csv).*",
        *([study.remarks] if study.remarks else []),
        *start_section(study.start),
        "## Claims",
        ABOUT_VERDICTS + " Printed values were measured on the papers' own images.",
        *_claims(study),
        *_power(study.power),
        *_control(study.control),
        *_limits(study),
        *_costs(study),
        *_files(study),
    ]
    return "\n\n".join(parts) + "\n"


def _unfinished(chosen: Sequence[Chosen]) -> list[str]:
    """How much of the study there is; nothing where all launches have ended."""
    planned = sum(one.planned for one in chosen)
    ended = sum(len(launch.seeds()) for one in chosen for launch in one.launches.values())
    if ended >= planned:
        return []
    there = [f"{_named(one.row.data, one.row.times)} with {_seeds_of(one)}" for one in chosen if one.launches]
    return [
        f"**The study is under way.** A question on a data set, with a seed, is a launch: {ended} of {planned} have "
        f"ended ({'; '.join(there)}). Nothing is judged from one seed."
    ]


def _seeds_of(one: Chosen) -> str:
    seeds = sorted({seed for launch in one.launches.values() for seed in launch.seeds()})
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _counted(study: Study) -> list[str]:
    rows = [[_ALL, *_row(study.judged, "")]]
    rows += [[name, *_row(study.judged, name)] for name in dict.fromkeys(study.data.values())]
    table = "\n".join(markdown_table([f"{len(study.judged)} claims", *WORDS], rows, numbers=True))
    return [table, _ABOUT_COUNTS]


def _row(judged: Sequence[Judged], data: str) -> list[str]:
    found = counts(judged, data)
    return [str(found[word]) for word in WORDS]


def _claims(study: Study) -> list[str]:
    """A table for each paper: a row per claim and data set."""
    parts, changing = [], changing_signs(study.control)
    asked = {question for one in study.chosen for question in one.questions}
    for paper in dict.fromkeys(one.claim.paper for one in study.judged):
        rows = [row for one in study.judged if one.claim.paper == paper for row in _rows(one, changing, asked)]
        titles = ("no.", "claim", "images", "found", "verdict", "by other scores")
        parts.append("\n".join([f"### {paper}", "", *markdown_table(titles, rows)]))
    return parts


def _rows(one: Judged, changing: set[tuple[str, str]], asked: set[str]) -> list[list[str]]:
    """A row per data set; `changing` are the data sets and claims whose sign another budget changes."""
    about = [one.claim.statement, one.claim.place, printed_of(one.claim)]
    head = [one.claim.key, "<br>".join(filter(None, about))]
    if why := reasons(one, asked):
        return [[*head, "", "; ".join(why), f"**{one.word}**", ""]]
    rows = []
    for data, (first, *others) in one.verdicts.items():
        found = first.reason if not first.found else "<br>".join([f"{score_label(first.score)}:", *lines_of(first)])
        word = f"**{first.word}**" + "<br>sign changes with the budget" * ((data, one.claim.key) in changing)
        rows.append([*head, data, found, word, "<br>".join(_in_short(other, first) for other in others)])
        head = ["", ""]
    return rows


def _in_short(other: Verdict, first: Verdict) -> str:
    """The verdict by another score than the first."""
    by_paper = other.score.endswith(PAPER_THRESHOLDS)
    which = "paper's thresholds" if by_paper else score_label(other.score)
    depends = "; the verdict depends on the thresholds" if by_paper and other.word != first.word else ""
    numbers = f" ({lines_of(other)[0]})" if other.found else ""
    return f"{which}: {other.word}{numbers}{depends}"


def _power(frame: pd.DataFrame) -> list[str]:
    """What could be told with the spread that was found; nothing where no question has two seeds."""
    if frame.empty:
        return []
    rows = [
        [
            row["data"],
            row["question"],
            score_label(row["score"]),
            *(str(row[name]) for name in ("seeds", "images", "comparisons")),
            *(f"{row[name]:.3f}" for name in ("alone", "first")),
            *("no number" if pd.isna(row[name]) else str(row[name]) for name in map(str, WANTED)),
        ]
        for row in frame.to_dict("records")
    ]
    titles = ("images", "question", "score", "seeds", "test images", "comparisons", "one alone", "first of all")
    needed = [f"seeds for {wanted:g}" for wanted in WANTED]
    words = (
        "By the spread of trainings and images that was found: the smallest true difference that four of five such "
        "studies would tell, if it were the only comparison, and as the first of all comparisons that the claims make "
        "in the question (Holm). Then how many seeds the latter would take for smaller differences; no number "
        "suffices where the images differ too much: [power.csv](power.csv)."
    )
    return ["## What differences could be told", words, "\n".join(markdown_table((*titles, *needed), rows))]


def _control(frame: pd.DataFrame) -> list[str]:
    """Whether signs stay with larger budgets; nothing without such launches."""
    if frame.empty:
        return []
    times = sorted(frame["times"].unique())
    rows = []
    for of, found in frame.groupby(["data", "comparison"], sort=False):
        values = dict(zip(found["times"], found["value"], strict=True))
        data, comparison = of  # type: ignore[misc]
        cells = [f"{values[at]:+.3f}".replace("-", "−") if at in values else "" for at in times]
        rows.append([data, comparison, *cells, "stays" if keeps_sign(list(values.values())) else "**changes**"])
    titles = ("images", "difference in SBD", *(f"{at} × the steps" for at in times), "sign")
    words = f"One training each (seed {SEED}), so that no p value can be told: [control.csv](control.csv)."
    return ["## Does the sign stay with a larger budget?", words, "\n".join(markdown_table(titles, rows))]


def _limits(study: Study) -> list[str]:
    """On what each verdict depends, as far as the runs tell it."""
    lines = [line for one in study.chosen for line in _measured(one)]
    text = (
        "A verdict is about these images at this budget, and no others: what a short training of a small network does "
        "not show may hold at the papers' sizes. Each page below lists the departures from its paper one by one, and "
        "tells where no text has the value that stands for the paper's."
    )
    return ["## Limits", text, "\n".join(lines)]


def _measured(one: Chosen) -> Iterable[str]:
    """What the launches of a data set are measured on, and which of its questions have none."""
    name = _named(one.row.data, one.row.times)
    by_words: dict[str, list[str]] = {}
    for question, launch in one.launches.items():
        by_words.setdefault(launch.measured_on().removeprefix(f"{launch.dataset}, "), []).append(question)
    yield from (f"- {name}, {', '.join(questions)}: {words}" for words, questions in by_words.items())
    if lacking := [question for question in one.questions if question not in one.launches]:
        yield f"- {name}: no launch of {', '.join(lacking)}."
    if one.note and one.launches:
        yield f"- {name}: {one.note[0].lower()}{one.note[1:]}"


def _named(data: str, times: int) -> str:
    return f"{data}, {times} × the steps" if times > 1 else data


def _costs(study: Study) -> list[str]:
    frame = study.costs
    rows = []
    for of, found in frame.groupby(["data", "times"], sort=False):
        data, times = of  # type: ignore[misc]
        counted = [str(found[name].sum()) for name in ("runs", "trainings")]
        rows.append([_named(str(data), int(times)), *counted, f"{found['hours'].sum():.1f}"])
    total = [str(frame[name].sum()) for name in ("runs", "trainings")]
    rows.append(["**in all**", *total, f"{frame['hours'].sum():.1f}"])
    words = (
        "Hours of training, one training after the other; scoring and searching of thresholds come on top, and what "
        "several questions share is counted once: [costs.csv](costs.csv). Energy was not measured."
    )
    table = "\n".join(markdown_table(("images", "runs", "trainings", "hours"), rows, numbers=True))
    return ["## Costs", words, table]


def _files(study: Study) -> list[str]:
    lines = []
    for key, pages in study.pages.items():
        links = ", ".join(f"[{title}]({key}/{name}/README.md)" for name, title in pages.items())
        scores = f"[{key}/{SCORES}]({key}/{SCORES})"
        lines.append(f"- {study.data[key]}: {links}; the scores of every run and test image: {scores}")
    commits = sorted({run for one in study.chosen for run in _commits(one)})
    made = (
        "This folder is written by `python -m reports study` from the launches in the experiments of "
        "[`ablations/study.csv`](../../ablations/study.csv), all but `protocol.md` and `remarks.md`; all numbers of "
        f"the claims follow from the files of scores. The runs are of commit {', '.join(commits)}."
    )
    return ["## Tables, figures and scores", "\n".join(lines), made]


def _commits(one: Chosen) -> set[str]:
    ids = {run_id for launch in one.launches.values() for run_id in launch.run_ids.values()}
    return {tracking.commit_of(tracking.stored_run(run_id).tags) for run_id in ids}
