"""What an ablation found, in words and as Markdown tables, for the description of its parent run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from study.ablation.design import Ablation
from study.ablation.statistics.moderation import LEAST_FAMILY
from study.ablation.statistics.power import ALPHA
from study.runs.job import intervals_over, variant_name

ABOUT_INTERVALS = "95 % intervals over seeds and images (of a single seed: over images only, this training)"
ABOUT_TRAININGS = "the spread of trainings is estimated from all variants together, more so the less they differ in it"
_THRESHOLDS = {"sbd": "tuned thresholds", "sbd_paper_thresholds": "the paper's thresholds"}
_BETTER, _WORSE, _LEVEL = "better", "worse", "not told apart"  # verdicts
_FAMILY = f"Differences are called by p values adjusted for all comparisons (Holm), below {ALPHA:g}."


def found(ablation: Ablation, table: pd.DataFrame) -> str:
    """The answer in words and as a Markdown table.

    Parameters
    ----------
    ablation : Ablation
    table : DataFrame
        As of `answer`, not empty.
    """
    rows = {row["variant"]: row for row in table.to_dict("records")}
    shown = {title: cell for title, cell in _COLUMNS.items() if any(_cell(row, *cell) for row in rows.values())}
    lines = _markdown(("variant", *shown), [[n, *(_cell(r, *c) for c in shown.values())] for n, r in rows.items()])
    over = intervals_over(max(row["seeds"] for row in rows.values()))
    several = sum(row["paired_seeds"] > 1 for row in rows.values())
    together = f" For differences, {ABOUT_TRAININGS}." if several >= LEAST_FAMILY else ""
    return "\n".join([_in_words(ablation, rows), "", *lines, "", f"In brackets: {over}.{together}"])


_COLUMNS = {  # of the Markdown table, by title: column of the answer, format, whether the interval is shown
    "SBD": ("sbd", ".3f", True),
    "difference to the control": ("sbd_diff", "+.3f", True),
    "adjusted p": ("sbd_diff_p_adjusted", "p", False),
    "SBD, the paper's thresholds": ("sbd_paper_thresholds", ".3f", True),
    "difference, the paper's thresholds": ("sbd_paper_thresholds_diff", "+.3f", True),
    "adjusted p, the paper's thresholds": ("sbd_paper_thresholds_diff_p_adjusted", "p", False),
    "abs. DiC": ("abs_dic", ".2f", False),
    "mAP": ("map", ".3f", False),
    "angle between neighbours, °": ("neighbour_angle", ".1f", False),
}


def _markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    head = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    return head + [f"| {' | '.join(cells)} |" for cells in rows]


def _cell(row: Mapping[str, Any], name: str, form: str, with_interval: bool) -> str:
    """Such as `+0.021 (+0.003 to +0.040)`; empty where there is no value."""
    value = row.get(name)
    if value is None or pd.isna(value):
        return ""
    if form == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    with_interval = with_interval and not pd.isna(row[f"{name}_low"])
    interval = f" ({row[f'{name}_low']:{form}} to {row[f'{name}_high']:{form}})" if with_interval else ""
    return f"{value:{form}}{interval}"


def _in_words(ablation: Ablation, rows: Mapping[str, dict[str, Any]]) -> str:
    """What was asked, which variant has the highest mean, and which ones differ from the control; `rows` by name."""
    varied = " and ".join(_setting(name) for name in ablation.names())
    control = variant_name(ablation.control)
    words = f"Asked: SBD by {varied}; control: `{control}`."
    known = {name: row for name, row in rows.items() if pd.notna(row["sbd"])}
    if known:
        highest = max(known, key=lambda name: known[name]["sbd"])
        words += f" Found: the highest mean of {len(known)} is that of **{highest}**{_to_control(rows[highest])}"
        words += ", the control itself." if highest == control else "."
    compared = {name: row for name, row in rows.items() if row["paired_seeds"]}
    if control not in rows:
        words += " The control has no result to compare others with."
    lines = _groups({name: row for name, row in compared.items() if row["paired_seeds"] > 1})
    single = [name for name, row in compared.items() if row["paired_seeds"] == 1]
    if single:
        which = "" if len(single) == len(compared) else f" for {'; '.join(single)}"
        words += f" With one seed there is no verdict{which}: intervals are over images only, this training, and"
        words += " another training may differ by more."
    return "\n".join([words, "", *lines]) if lines else words


def _setting(name: str) -> str:
    return "network" if name == "network.name" else name.rpartition(".")[2]


def _to_control(row: Mapping[str, Any]) -> str:
    """The differences of a variant to the control, with both thresholds; empty where it was not compared."""
    parts = []
    for score, thresholds in _THRESHOLDS.items():
        if difference := _cell(row, f"{score}_diff", "+.3f", True):
            p = _cell(row, f"{score}_diff_p_adjusted", "p", False)
            called = f", adjusted p {p if p.startswith('<') else f'= {p}'}" if p else ""
            parts.append(f"{difference}{called} with {thresholds}")
    return f"; its difference to the control is {', and '.join(parts)}" if parts else ""


def _verdict(row: Mapping[str, Any], score: str) -> str | None:
    """Whether a variant differs from the control; None where nothing can be said."""
    p = row.get(f"{score}_diff_p_adjusted")
    if p is None or pd.isna(p):
        return None
    if p >= ALPHA:
        return _LEVEL
    return _BETTER if row[f"{score}_diff"] > 0 else _WORSE


def _groups(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Variants by verdict, for both thresholds, and those on which the two disagree, as a Markdown list."""
    both = any(_verdict(row, "sbd_paper_thresholds") for row in rows.values())
    titles = {
        _BETTER: "better than the control",
        _WORSE: "worse than the control",
        _LEVEL: "not told apart from the control",
    }
    lines = []
    for score, thresholds in _THRESHOLDS.items():
        for verdict, title in titles.items():
            if names := [name for name, row in rows.items() if _verdict(row, score) == verdict]:
                lines.append(f"- {title}{f', with {thresholds}' if both else ''}: {'; '.join(names)}")
    apart = []
    for name, row in rows.items():
        tuned, paper = (_verdict(row, score) for score in _THRESHOLDS)
        if tuned and paper and tuned != paper:
            apart.append(f"{name} ({tuned} with tuned thresholds, {paper} with the paper's)")
    if apart:
        lines.append(f"- the verdict depends on the thresholds: {'; '.join(apart)}")
    return [*lines, "", _FAMILY] if lines else []


def contrasts_found(table: pd.DataFrame) -> list[str]:
    """Contrasts as a Markdown table for each factor, below a line on what is compared.

    Parameters
    ----------
    table : DataFrame
        As of `contrasts`.
    """
    parts = []
    for factor, rows in table.groupby("factor", sort=False):
        level = rows["level"].iloc[0]
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for row in rows.to_dict("records"):
            named = row | {"diff_low": row["low"], "diff_high": row["high"]}
            own = cells.setdefault((variant_name({str(factor): row["minus"]}), row["at"]), {})
            own[row["score"]] = _cell(named, "diff", "+.3f", True)
            own[f"{row['score']}_p"] = _cell(row, "p_adjusted", "p", False)
        shown = {name: title for name, title in _CONTRASTS.items() if any(own.get(name) for own in cells.values())}
        lines = [[*key, *(own.get(name, "") for name in shown)] for key, own in cells.items()]
        head = f"{variant_name({str(factor): level})} minus others, paired:"
        parts.append("\n".join([head, "", *_markdown(("minus", "at", *shown.values()), lines)]))
    return parts


_CONTRASTS = {
    "sbd": "SBD",
    "sbd_p": "adjusted p",
    "sbd_paper_thresholds": "SBD, the paper's thresholds",
    "sbd_paper_thresholds_p": "adjusted p, the paper's thresholds",
}
