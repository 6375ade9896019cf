"""What to start from: systems, clusterings and losses beside the defaults, and which system is recommended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pandas as pd

from ablations import find_ablations
from reports.publish.scores import of_images
from study.ablation.statistics import summarize
from study.ablation.statistics.markdown import markdown_table, p_text
from study.ablation.statistics.power import ALPHA
from study.figures.names import variant_label
from study.metrics.registry import PAPER_THRESHOLDS
from study.runs.job import Result, variant_name

SYSTEMS = "systems"  # the question whose variants may be recommended
_QUESTIONS = (SYSTEMS, "clustering", "loss")
_NEEDED = 2  # data sets on which a system must be above the default
COLUMNS = ("data", "question", "variant", "sbd", "by_paper", "difference", "low", "high", "p_adjusted", "seeds")


def start_frame(
    results: Mapping[str, Mapping[tuple[int, str], Sequence[Result]]], real: Collection[str]
) -> pd.DataFrame:
    """Variants of the questions on defaults on each set of real images, best mean first: a row each, `COLUMNS`.

    `sbd` is by tuned thresholds, `by_paper` by those of the papers; `difference` is that to the control in `sbd`, with
    its interval and p adjusted by Holm over the variants; NaN in the row of the control itself. Questions with one seed
    are left out. `results` are those of `read_scores`, by data set.
    """
    rows = [row for data, found in results.items() if data in real for row in _rows(data, found)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(data: str, results: Mapping[tuple[int, str], Sequence[Result]]) -> Iterator[dict]:
    for question in _QUESTIONS:
        ablation, runs = find_ablations()[question], of_images(results.get((1, question), []))
        if len({run.seed for run in runs}) < 2:
            continue
        table = summarize(ablation, runs)
        labels = {variant_name(variant): variant_label(variant) for variant in ablation.variants()}
        for row in table.sort_values("sbd", ascending=False).to_dict("records"):
            difference = [row[f"sbd_diff{end}"] for end in ("", "_low", "_high", "_p_adjusted")]
            scores = row["sbd"], row.get(f"sbd{PAPER_THRESHOLDS}")
            about = (data, question, labels[row["variant"]], *scores, *difference, row["seeds"])
            yield dict(zip(COLUMNS, about, strict=True))


def recommended(frame: pd.DataFrame) -> list[str]:
    """The systems that are above the control with an adjusted p below .05 on each data set; none with one data set."""
    systems = _systems(frame)
    sets = {row["data"] for row in systems}
    above = [row["variant"] for row in systems if row["difference"] > 0 and row["p_adjusted"] < ALPHA]
    return [name for name in dict.fromkeys(above) if above.count(name) == len(sets) >= _NEEDED]


def _systems(frame: pd.DataFrame) -> list[dict]:
    """Rows of systems, but for data sets that have fewer seeds than others, which is as yet."""
    seeds = frame["seeds"].max()
    return [row for row in frame.to_dict("records") if row["question"] == SYSTEMS and row["seeds"] == seeds]


def start_section(frame: pd.DataFrame) -> list[str]:
    """The section of the first page; nothing where there are no such questions yet."""
    if frame.empty:
        return []
    lines = frame.to_dict("records")
    best = {(row["data"], row["question"]): row for row in reversed(lines)}  # the first of each
    shown = [
        row
        for row in lines
        if row["question"] == SYSTEMS or pd.isna(row["difference"]) or row is best[row["data"], row["question"]]
    ]
    rows = [_line(row) for row in shown]
    titles = ("images", "question", "variant", "seeds", "SBD", "paper's thresholds", "less the default", "adjusted p")
    words = (
        "The same images, steps and search of thresholds for all variants of a question; the best mean first, the "
        "default in bold. Of clusterings and losses the default and the best are shown; [start.csv](start.csv) has "
        "all. The spread of trainings is estimated from all variants of a question here, and from all comparisons that "
        "its claims make below, so that intervals differ."
    )
    return ["## What to start from", words, "\n".join(markdown_table(titles, rows)), _conclusion(frame)]


def _line(row: Mapping) -> list[str]:
    default = pd.isna(row["difference"])
    name = f"**{row['variant']}**" if default else row["variant"]
    scores = [f"{row[key]:.3f}" if pd.notna(row[key]) else "" for key in ("sbd", "by_paper")]
    interval = f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})".replace("-", "−")
    compared = ["", ""] if default else [interval, p_text(row["p_adjusted"])]
    return [row["data"], row["question"], name, str(row["seeds"]), *scores, *compared]


def _conclusion(frame: pd.DataFrame) -> str:
    """Which system is recommended by the rule of the protocol."""
    sets = list(dict.fromkeys(row["data"] for row in _systems(frame)))
    rule = (
        f"A system is recommended where it is above the W-Net on nuclei and on leaves, with adjusted p below {ALPHA:g}"
    )
    if len(sets) < _NEEDED:
        return f"{rule}: so far {' and '.join(sets) or 'no data set'} alone has all seeds, so that none is."
    names = recommended(frame)
    found = f"{', '.join(names)} {'are' if len(names) > 1 else 'is'}" if names else "none is"
    return f"{rule}, here on {' and '.join(sets)}: {found}."
