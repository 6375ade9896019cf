"""The summary of an ablation in words and as Markdown tables, for the description of its parent run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from study.ablation.design import Ablation
from study.ablation.statistics.intervals import interval_columns
from study.ablation.statistics.moderation import MIN_FAMILY
from study.ablation.statistics.power import ALPHA
from study.figures.names import value_label, variant_label
from study.metrics import Score, headline, kind_of, score_of, summary_scores
from study.metrics.registry import DIFFERENCE, LEGACY, P_ADJUSTED, PAPER_THRESHOLDS
from study.runs.job import intervals_over, variant_name

ABOUT_INTERVALS = "95 % intervals over seeds and images (of a single seed: over images only, this training)"
ABOUT_TRAININGS = "the spread of trainings is estimated from all variants together, more so the less they differ in it"
_BETTER, _WORSE, _LEVEL = "better", "worse", "not told apart"  # verdicts
_FAMILY = f"Differences are called by p values adjusted for all comparisons (Holm), below {ALPHA:g}."


def to_markdown(ablation: Ablation, table: pd.DataFrame) -> str:
    """The answer, a table of `summarize` with one row at least, in words and as a Markdown table."""
    rows = _labelled(ablation, table)
    known = [column for column in _columns(table).items() if any(_cell(row, *column) for row in rows.values())]
    cells = [[name, *(_cell(row, *column) for column in known)] for name, row in rows.items()]
    over = intervals_over(max(row["seeds"] for row in rows.values()), kind_of(table))
    several = sum(row["paired_seeds"] > 1 for row in rows.values())
    together = f" For differences, {ABOUT_TRAININGS}." if several >= MIN_FAMILY else ""
    lines = markdown_table(("variant", *(score_of(column).label for column, _ in known)), cells, numbers=True)
    return "\n".join([_in_words(ablation, rows, headline(table)), "", *lines, "", f"In brackets: {over}.{together}"])


def finding(ablation: Ablation, table: pd.DataFrame) -> str:
    """The best variant with its score in bold, and how far it is from the control: the line that is seen first."""
    rows, score = _labelled(ablation, table), headline(table)
    best = _best(rows, score)
    if best is None:
        return ""
    control = variant_label(ablation.control)
    words = f"**Best of {len(rows)}: {best}: {score.label} {_cell(rows[best], score.key)}**"
    if best == control:
        return f"{words}, the control itself."
    difference = _cell(rows[best], f"{score.key}{DIFFERENCE}")
    verdict = _verdict(rows[best], score.key, score.sign)
    if not difference or control not in rows:
        return f"{words}."
    to_control = f"{difference} to the control, {control}: {_cell(rows[control], score.key, False)}"
    return f"{words}; {to_control}{f' ({verdict})' if verdict else ''}."


def _labelled(ablation: Ablation, table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows of a table of `summarize` by their variants as people say them."""
    labels = {variant_name(variant): variant_label(variant) for variant in ablation.variants()}
    return {labels[row["variant"]]: row for row in table.to_dict("records")}


def _best(rows: Mapping[str, dict[str, Any]], score: Score) -> str | None:
    """The variant with the best mean; None where none has any."""
    known = {name: row[score.key] for name, row in rows.items() if pd.notna(row[score.key])}
    return max(known, key=lambda name: score.sign * known[name]) if known else None


def _columns(table: pd.DataFrame) -> dict[str, bool]:
    """Columns that are shown, and whether with intervals: the headline's with differences, then other scores."""
    compared, columns = _thresholds(headline(table)), {}
    for score in summary_scores(table):
        if score.key in compared:
            columns |= dict.fromkeys((score.key, f"{score.key}{DIFFERENCE}", f"{score.key}{P_ADJUSTED}"), True)
        elif score.group != LEGACY and not score.with_paper_thresholds:
            columns[score.key] = False
    return columns


def _thresholds(score: Score) -> dict[str, str]:
    """Columns of the headline score, and with which thresholds they are."""
    return {score.key: "tuned thresholds", f"{score.key}{PAPER_THRESHOLDS}": "the paper's thresholds"}


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Lines of a table, all columns but the first flush right for `numbers`; a bar within a cell would end it."""
    lines = [[text.replace("|", "\\|") for text in cells] for cells in (titles, *rows)]
    head, *body = [f"| {' | '.join(cells)} |" for cells in lines]
    return [head, f"|---{('|---:' if numbers else '|---') * (len(titles) - 1)}|", *body]


def p_text(p: float) -> str:
    """A p value, such as `0.012` or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _cell(row: Mapping[str, Any], column: str, with_interval: bool = True) -> str:
    """Such as `+0.021 (+0.003 to +0.040)`; empty where there is no value."""
    value = row.get(column)
    if value is None or pd.isna(value):
        return ""
    if column.endswith(P_ADJUSTED):
        return p_text(value)
    form = score_of(column).form
    _, low, high = interval_columns(column)
    interval = f" ({row[low]:{form}} to {row[high]:{form}})" if with_interval and pd.notna(row[low]) else ""
    return f"{value:{form}}{interval}"


def _in_words(ablation: Ablation, rows: Mapping[str, dict[str, Any]], score: Score) -> str:
    """What was asked, which variant has the best mean, and which ones differ from the control; `rows` by name."""
    varied = " and ".join("network" if n == "network.name" else n.rpartition(".")[2] for n in ablation.names())
    control = variant_label(ablation.control)
    lower = " (lower is better)" if score.sign < 0 else ""
    words = f"Asked: {score.label}{lower} by {varied}; control: `{control}`."
    if best := _best(rows, score):
        known = sum(pd.notna(row[score.key]) for row in rows.values())
        words += f" Found: the best mean of {known} is that of **{best}**{_to_control(rows[best], score)}"
        words += ", the control itself." if best == control else "."
    compared = {name: row for name, row in rows.items() if row["paired_seeds"]}
    if control not in rows:
        words += " The control has no result to compare others with."
    lines = _groups({name: row for name, row in compared.items() if row["paired_seeds"] > 1}, score)
    single = [name for name, row in compared.items() if row["paired_seeds"] == 1]
    if single:
        which = "" if len(single) == len(compared) else f" for {'; '.join(single)}"
        words += f" With one seed there is no verdict{which}: intervals are over images only, this training, and"
        words += " another training may differ by more."
    return "\n".join([words, "", *lines]) if lines else words


def _to_control(row: Mapping[str, Any], score: Score) -> str:
    """The differences of a variant to the control, with both thresholds; empty where it was not compared."""
    parts = []
    for column, thresholds in _thresholds(score).items():
        if difference := _cell(row, f"{column}{DIFFERENCE}"):
            p = _cell(row, f"{column}{P_ADJUSTED}")
            called = f", adjusted p {p if p.startswith('<') else f'= {p}'}" if p else ""
            parts.append(f"{difference}{called} with {thresholds}")
    return f"; its difference to the control is {', and '.join(parts)}" if parts else ""


def _verdict(row: Mapping[str, Any], column: str, sign: int) -> str | None:
    """Whether a variant differs from the control; None where nothing can be said."""
    p = row.get(f"{column}{P_ADJUSTED}")
    if p is None or pd.isna(p):
        return None
    if p >= ALPHA:
        return _LEVEL
    return _BETTER if sign * row[f"{column}{DIFFERENCE}"] > 0 else _WORSE


def _groups(rows: Mapping[str, Mapping[str, Any]], score: Score) -> list[str]:
    """Variants by verdict, for both thresholds, and those on which the two disagree, as a Markdown list."""
    columns = _thresholds(score)
    tuned, paper = ({name: _verdict(row, column, score.sign) for name, row in rows.items()} for column in columns)
    both = any(paper.values())
    titles = {_BETTER: "better than", _WORSE: "worse than", _LEVEL: "not told apart from"}
    lines = []
    for verdicts, thresholds in zip((tuned, paper), columns.values(), strict=True):
        for verdict, title in titles.items():
            if names := [name for name in rows if verdicts[name] == verdict]:
                lines.append(f"- {title} the control{f', with {thresholds}' if both else ''}: {'; '.join(names)}")
    apart = [
        f"{name} ({tuned[name]} with tuned thresholds, {paper[name]} with the paper's)"
        for name in rows
        if tuned[name] and paper[name] and tuned[name] != paper[name]
    ]
    if apart:
        lines.append(f"- the verdict depends on the thresholds: {'; '.join(apart)}")
    return [*lines, "", _FAMILY] if lines else []


def contrasts_to_markdown(table: pd.DataFrame) -> list[str]:
    """A table of `contrasts` as a Markdown table for each factor, below a line on what is compared."""
    parts = []
    for factor, rows in table.groupby("factor", sort=False):
        level = rows["level"].iloc[0]
        titles: dict[str, str] = {}  # of the columns with any cell
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for row in rows.to_dict("records"):
            score = row["score"]
            difference, p = f"{score}{DIFFERENCE}", f"{score}{P_ADJUSTED}"
            values = dict(zip(interval_columns(difference), (row["diff"], row["low"], row["high"]), strict=True))
            own = cells.setdefault((value_label(str(factor), row["minus"]), row["at"]), {})
            own[score], own[p] = _cell(values, difference), _cell({p: row["p_adjusted"]}, p)
        for column in dict.fromkeys(column for own in cells.values() for column in own):
            if any(own.get(column) for own in cells.values()):
                titles[column] = score_of(column).label
        lines = [[*key, *(own.get(column, "") for column in titles)] for key, own in cells.items()]
        head = f"{value_label(str(factor), level)} minus others, paired:"
        parts.append("\n".join([head, "", *markdown_table(("minus", "at", *titles.values()), lines)]))
    return parts
