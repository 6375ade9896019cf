"""The table of an ablation: a row per variant, with intervals and differences to the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.ablation.design import Ablation
from study.ablation.statistics.intervals import Interval, interval
from study.ablation.statistics.moderation import intervals
from study.ablation.statistics.paired import by_seed, differences, holm, of_variant, paired_seeds
from study.metrics import headline, summary_scores
from study.runs.job import Result, variant_name


def summarize(ablation: Ablation, results: Sequence[Result]) -> pd.DataFrame:
    """The table of an ablation: a row per variant that has results.

    The difference to the control is taken image by image and seed by seed, so that what is hard for both cancels out.
    In its interval and p, the spread of trainings is estimated from all variants together (`moderation.intervals`).

    Returns
    -------
    DataFrame
        The varied settings (NaN where a variant does not name one); `variant`, its name; `seeds`, `images` and
        `paired_seeds` (numbers; the last one of seeds that the control has too, 0 for the control itself);
        `difference_over`, what the intervals of its differences are over (`Interval.kind` of that of the headline
        score). For each of `study.metrics.summary_scores` that any result has: the mean over seeds and images
        `{score}`, its 95 % interval `{score}_low`, `{score}_high`, the mean of each seed `{score}_seeds` (list, by
        ascending seed), and the mean difference to the control over the paired seeds `{score}_diff` with its interval
        `{score}_diff_low`, `{score}_diff_high`, `{score}_diff_p`, and `{score}_diff_p_adjusted` by Holm over all
        variants. Both p are NaN with a single paired seed; all are NaN where a result lacks the score, or there is no
        paired seed.
    """
    there = {column for result in results for column in result.table}
    scores = [score.key for score in summary_scores(there)] or [headline(there).key]
    control = of_variant(results, ablation.control)
    known = [(variant, own) for variant in ablation.variants() if (own := of_variant(results, variant))]
    compared = [[] if variant == ablation.control else control for variant, _ in known]
    to_control = {
        score: intervals([differences(own, others, score) for (_, own), others in zip(known, compared, strict=True)])
        for score in scores
    }
    rows = []
    for place, (variant, own) in enumerate(known):
        difference = {score: family[place] for score, family in to_control.items()}
        rows.append({**variant, **_about(variant, own, len(paired_seeds(own, compared[place])), difference)})
    table = pd.DataFrame(rows)
    if rows:
        adjusted = {f"{score}_diff_p_adjusted": holm(table[f"{score}_diff_p"].to_numpy(float)) for score in scores}
        table = table.assign(**adjusted)
    unnamed = [name for name in ablation.names() if name not in table]
    return table.assign(**dict.fromkeys(unnamed, np.nan))


def _about(
    variant: dict[str, Any], own: Sequence[Result], paired: int, to_control: Mapping[str, Interval]
) -> dict[str, Any]:
    """Columns of the summary about a variant with results, but for adjusted p values; differences by score."""
    row: dict[str, Any] = {
        "variant": variant_name(variant),
        "seeds": len(own),
        "images": len(own[0].table),
        "paired_seeds": paired,
        "difference_over": to_control[headline(to_control).key].kind,
    }
    for score, difference in to_control.items():
        values = by_seed(own, score)
        row |= interval(values.to_numpy(float).T).columns(score)
        row[f"{score}_seeds"] = [float(mean) for mean in values.mean()]
        row |= difference.columns(f"{score}_diff") | {f"{score}_diff_p": difference.p}
    return row
