"""What an ablation found: results -> table with intervals and differences to the control -> words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.ablation import Ablation, Result, variant_name

SCORES = ("sbd", "sbd_legacy", "fbd", "abs_dic", "map")  # columns of the answer's table ...
FURTHER_SCORES = (
    "sbd_paper_thresholds",
    "sbd_legacy_paper_thresholds",
    "neighbour_angle",
)  # ... and those that it has where all tables of scores do

_NO_INTERVAL = (np.nan, np.nan)


def bootstrap_interval(scores: np.ndarray, rng: np.random.Generator, rounds: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean by resampling seeds and images.

    Parameters
    ----------
    scores : (S, I) float array
        A row per seed, a column per image. NaN where an image has no such score; it is passed over.
    rng : Generator
    rounds : int
        Number of resamples.

    Returns
    -------
    low, high : float
        2.5 and 97.5 percentiles; NaN where there is no score at all.
    """
    of_seeds, of_images = (_times_drawn(count, rounds, rng) for count in scores.shape)
    there = ~np.isnan(scores)
    sums, counts = (
        ((of_seeds @ values) * of_images).sum(axis=1) for values in (np.where(there, scores, 0), there.astype(float))
    )
    if not counts.any():
        return _NO_INTERVAL
    low, high = np.percentile(sums[counts > 0] / counts[counts > 0], [2.5, 97.5])
    return float(low), float(high)


def subsets_interval(
    subsets: Sequence[np.ndarray], rng: np.random.Generator, rounds: int = 2000
) -> tuple[float, float]:
    """95 % interval of the unweighted mean of the means of subsets, by resampling seeds, and images within subsets.

    Parameters
    ----------
    subsets : sequence of (S, I_k) float arrays
        A row per seed, a column per image of the subset; no NaN. At least one.
    rng : Generator
    rounds : int
        Number of resamples.

    Returns
    -------
    low, high : float
        2.5 and 97.5 percentiles.
    """
    seeds = len(subsets[0])
    of_seeds = _times_drawn(seeds, rounds, rng) / seeds
    means = np.zeros(rounds)
    for scores in subsets:
        of_images = _times_drawn(scores.shape[1], rounds, rng) / scores.shape[1]
        means += ((of_seeds @ scores) * of_images).sum(axis=1) / len(subsets)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _times_drawn(count: int, rounds: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of `count` things is drawn in a resample of `count`: (rounds, count) float array."""
    drawn = rng.integers(0, count, (rounds, count)) + count * np.arange(rounds)[:, None]
    return np.bincount(drawn.ravel(), minlength=rounds * count).reshape(rounds, count).astype(float)


def answer(ablation: Ablation, results: Sequence[Result]) -> pd.DataFrame:
    """The table of an ablation: a row per variant that has results.

    The difference to the control is taken image by image and seed by seed, so that what is hard for both cancels out.

    Returns
    -------
    DataFrame
        The varied settings (NaN where a variant does not name one); `variant`, its name; `seeds`, `images` and
        `paired_seeds` (numbers; the last one of seeds that the control has too, 0 for the control itself). For each of
        `SCORES`, and those of `FURTHER_SCORES` that all results have: the mean over seeds and images `{score}`, its
        95 % interval `{score}_low`, `{score}_high`, the mean of each seed `{score}_seeds` (list, by ascending seed),
        and the mean difference to the control over the paired seeds `{score}_diff` with its interval
        `{score}_diff_low`, `{score}_diff_high` (NaN without paired seeds).
    """
    scores = [*SCORES, *(score for score in FURTHER_SCORES if all(score in result.table for result in results))]
    control = of_variant(results, ablation.control)
    rows = []
    for variant in ablation.variants():
        own = of_variant(results, variant)
        if not own:
            continue
        others = [] if variant == ablation.control else control
        paired = {result.seed for result in own} & {result.seed for result in others}
        row = {
            **variant,
            "variant": variant_name(variant),
            "seeds": len(own),
            "images": len(own[0].table),
            "paired_seeds": len(paired),
        }
        for score in scores:
            row |= _about_score(score, _by_seed(own, score), _by_seed(others, score).reindex(columns=sorted(paired)))
        rows.append(row)
    table = pd.DataFrame(rows)
    unnamed = [name for name in ablation.names() if name not in table]
    return table.assign(**dict.fromkeys(unnamed, np.nan))


def of_variant(results: Sequence[Result], variant: dict[str, Any]) -> list[Result]:
    """The results of a variant by ascending seed."""
    return sorted((result for result in results if result.variant == variant), key=lambda result: result.seed)


def _by_seed(results: Sequence[Result], score: str) -> pd.DataFrame:
    """A score of each image (rows) and seed (columns)."""
    return pd.DataFrame({result.seed: result.table.set_index("image")[score].astype(float) for result in results})


def _about_score(score: str, values: pd.DataFrame, control: pd.DataFrame) -> dict[str, Any]:
    """Columns of the answer about one score, from its values and those of the control for the paired seeds."""
    differences = values.reindex(columns=control.columns) - control  # same names of images stand against each other
    row = _mean_and_interval(score, values) | {f"{score}_seeds": [_mean(values[seed]) for seed in values]}
    return row | _mean_and_interval(f"{score}_diff", differences)


def _mean_and_interval(name: str, values: pd.DataFrame) -> dict[str, float]:
    low, high = bootstrap_interval(values.to_numpy().T, np.random.default_rng(0)) if values.size else _NO_INTERVAL
    return {name: _mean(values), f"{name}_low": low, f"{name}_high": high}


def _mean(values: pd.DataFrame | pd.Series) -> float:
    """Mean of what is not NaN, NaN of nothing."""
    numbers = values.to_numpy(float)
    there = numbers[~np.isnan(numbers)]
    return float(there.mean()) if there.size else np.nan


def found(ablation: Ablation, table: pd.DataFrame) -> str:
    """The answer in words and as a Markdown table, for the description of the parent run.

    Parameters
    ----------
    ablation : Ablation
    table : DataFrame
        As of `answer`, not empty.
    """
    rows = {row["variant"]: row for row in table.to_dict("records")}
    shown = {title: cell for title, cell in _COLUMNS.items() if any(_cell(row, *cell) for row in rows.values())}
    lines = [f"| variant | {' | '.join(shown)} |", "|---" * (1 + len(shown)) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(_cell(row, *cell) for cell in shown.values())} |")
    return "\n".join([_in_words(ablation, rows), "", *lines])


_COLUMNS = {  # of the Markdown table, by title: column of the answer, format, whether the interval is shown
    "SBD (95 % interval)": ("sbd", ".3f", True),
    "difference to the control": ("sbd_diff", "+.3f", True),
    "SBD, the paper's thresholds": ("sbd_paper_thresholds", ".3f", False),
    "abs. DiC": ("abs_dic", ".2f", False),
    "mAP": ("map", ".3f", False),
    "angle between neighbours, °": ("neighbour_angle", ".1f", False),
}


def _cell(row: dict[str, Any], name: str, form: str, with_interval: bool) -> str:
    """Such as `+0.021 (+0.003 to +0.040)`; empty where there is no value."""
    if np.isnan(row.get(name, np.nan)):
        return ""
    interval = f" ({row[f'{name}_low']:{form}} to {row[f'{name}_high']:{form}})" if with_interval else ""
    return f"{row[name]:{form}}{interval}"


def _in_words(ablation: Ablation, rows: dict[str, dict[str, Any]]) -> str:
    """What was asked, which variant is best, and which ones differ from the control; `rows` by name of variant."""
    varied = " and ".join("network" if name == "network.name" else name.rpartition(".")[2] for name in ablation.names())
    control = variant_name(ablation.control)
    best, row = max(rows.items(), key=lambda item: item[1]["sbd"])
    words = f"Asked: SBD by {varied}; control: `{control}`. Found: best of {len(rows)} is **{best}**"
    if best == control:
        words += ", the control itself."
    elif row["paired_seeds"]:
        verdict = "beyond" if row["sbd_diff_low"] > 0 else "not beyond"
        words += f"; it differs from the control by {_cell(row, 'sbd_diff', '+.3f', True)}, {verdict} the interval."
    else:
        words += "; the control has no result to compare it with."
    if all(row["seeds"] == 1 for row in rows.values()):
        words += " With one seed the intervals are over images alone: another training may differ by more."
    compared = {name: row for name, row in rows.items() if row["paired_seeds"]}
    groups = {
        "better than the control beyond the interval": [n for n, r in compared.items() if r["sbd_diff_low"] > 0],
        "worse than the control beyond the interval": [n for n, r in compared.items() if r["sbd_diff_high"] < 0],
        "not told apart from it": [n for n, r in compared.items() if r["sbd_diff_low"] <= 0 <= r["sbd_diff_high"]],
    }
    lines = [f"- {title}: {'; '.join(names)}" for title, names in groups.items() if names]
    return "\n".join([words, "", *lines])
