"""Verdicts in words: lines about what was found, a Markdown table for descriptions, and a table of all numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.ablation.claim import Claim
from study.ablation.statistics.markdown import markdown_table
from study.ablation.verdicts.judging import NOT_TESTED, Found, Verdict
from study.ablation.verdicts.trainings import MEASURES
from study.metrics import score_of

ABOUT_VERDICTS = (
    "Reproduced: every comparison has the sign that the paper reports, with an adjusted p below .05; or, where the "
    "paper calls something equal, its interval lies within the margin. Not reproduced: one has the opposite sign, with "
    "an adjusted p below .05, or lies outside of the margin. Cannot be told: all else, and anything from one seed. p: "
    "adjusted by Holm over all comparisons that the claims make in a question and score. In brackets: 95 % intervals."
)
_SHOWN = 3  # comparisons of a claim that are written out; of more, the one that speaks most against it is
COLUMNS = (
    "key", "paper", "place", "statement", "printed", "question", "measured_on", "score", "verdict", "comparison",
    "value", "low", "high", "p_adjusted", "seeds", "images", "interval_over", "holds", "reason",
)  # fmt: skip


def score_label(score: str) -> str:
    """What a score or a measure of trainings is called; empty for none."""
    return MEASURES[score].label if score in MEASURES else score_of(score).label if score else ""


def verdicts_in_lines(judged: Sequence[Verdict]) -> list[str]:
    """A line for each claim; each score is named where the verdict depends on it."""
    by_claim: dict[str, dict[str, str]] = {}
    for verdict in judged:
        by_claim.setdefault(verdict.claim.statement.rstrip("."), {})[score_label(verdict.score)] = verdict.word
    lines = []
    for statement, words in by_claim.items():
        said = [f"{word} ({label})" for label, word in words.items()]
        lines.append(f"- {statement}: {'; '.join(said if len(set(words.values())) > 1 else [*words.values()][:1])}")
    return lines


def source_of(claim: Claim) -> str:
    """Paper and place, such as `Wu et al. 2020, Table 1`."""
    return f"{claim.paper}, {claim.place}"


def printed_of(claim: Claim) -> str:
    """What the paper prints, as a clause; empty where it prints nothing."""
    return f"printed: {claim.printed}" if claim.printed else ""


def lines_of(verdict: Verdict) -> list[str]:
    """What was found, line by line: each comparison, or of many how many hold and the one most against the claim."""
    found = verdict.found
    if not found:
        return [verdict.reason]
    lines = [_line(step, verdict) for step in found]
    if len(found) > _SHOWN:
        counts = {"hold": True, "do not": False, "cannot be told": None}
        parts = [f"{n} {words}" for words, holds in counts.items() if (n := [s.holds for s in found].count(holds))]
        shown = deciding(verdict)
        which = "against it" if shown.holds is False else "weakest"
        lines = [f"of {len(found)} comparisons {', '.join(parts)}", f"{which}: {lines[found.index(shown)]}"]
    return [*lines, _extent(found), *([verdict.reason] if verdict.reason else [])]


def deciding(verdict: Verdict) -> Found:
    """The comparison that speaks most against a claim, of a verdict that has found any."""
    found = verdict.found
    known = [step for step in found if step.seeds] or [*found]
    sign = -1 if verdict.claim.direction == "<" else 1
    against = [step for step in known if step.holds is False]
    return min(against or known, key=lambda step: sign * step.interval.mean)


def _line(found: Found, verdict: Verdict) -> str:
    """Such as `W-Net − U-Net: +0.021 (+0.003 to +0.040), adjusted p = 0.013`."""
    mean, reference = found.interval, found.step.reference
    if np.isnan(mean.mean):
        return f"{found.step.label}: no value"
    score = verdict.score
    form = MEASURES[score].form if score in MEASURES else score_of(score).form.lstrip("+")
    form = form if found.step.is_level else f"+{form}"
    numbers = (mean.mean, mean.low, mean.high)
    value, low, high = (f"{number + reference:{form}}".replace("-", "−") for number in numbers)
    between = f" ({low} to {high})" if not np.isnan(mean.low) else ""
    p = "" if np.isnan(found.p) else f", adjusted {'p < 0.001' if found.p < 0.001 else f'p = {found.p:.3f}'}"
    margin = verdict.claim.margin
    near = "" if margin is None else f", margin {reference or 0:g} ± {margin:g}"
    return f"{found.step.label}: {value}{between}{p}{near}"


def _extent(found: Sequence[Found]) -> str:
    """Numbers of seeds and images, of the comparison that has the fewest."""
    seeds = min(step.seeds for step in found)
    images = min(step.images for step in found)
    of_images = f", {images} images" if images > 1 else ""
    return f"{seeds} seed{'s' * (seeds != 1)}{of_images}"


def verdicts_to_markdown(verdicts: Sequence[Verdict]) -> str:
    """A table of the claims of a question and what is said of them, below a line on where; empty without claims."""
    if not verdicts:
        return ""
    rows = []
    for place, verdict in enumerate(verdicts):
        again = place > 0 and verdicts[place - 1].claim == verdict.claim
        claim = "" if again else f"{verdict.claim.statement} ({source_of(verdict.claim)})"
        rows.append([claim, score_label(verdict.score), "; ".join(lines_of(verdict)), f"**{verdict.word}**"])
    lines = markdown_table(("claim of the paper", "score", "found", "verdict"), rows)
    return "\n".join([f"Claims and verdicts, on {verdicts[0].where}:", "", *lines, "", ABOUT_VERDICTS])


def verdict_frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """All numbers behind verdicts: a row per comparison, or one without numbers for a claim that is not tested.

    The columns are `COLUMNS`; of a level, value and interval are the score's own.
    """
    return pd.DataFrame([row for verdict in verdicts for row in _rows(verdict)], columns=list(COLUMNS))


def _rows(verdict: Verdict) -> list[dict]:
    claim = verdict.claim
    about = {name: getattr(claim, name) for name in ("key", "paper", "place", "statement", "printed", "question")}
    about |= {"measured_on": verdict.where, "score": verdict.score, "verdict": verdict.word, "reason": verdict.reason}
    if verdict.word == NOT_TESTED:
        return [about]
    return [about | _numbers(found) for found in verdict.found]


def _numbers(found: Found) -> dict:
    mean, reference = found.interval, found.step.reference
    return {
        "comparison": found.step.label,
        "value": mean.mean + reference,
        "low": mean.low + reference,
        "high": mean.high + reference,
        "p_adjusted": found.p,
        "seeds": found.seeds,
        "images": found.images,
        "interval_over": mean.kind,
        "holds": {True: "yes", False: "no", None: "cannot be told"}[found.holds],
    }
