"""How large the two terms of the embedding loss are over a training: Wu et al. 2020, section 4.5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, paragraph
from study import figures, tracking
from study.figures.names import value_label
from study.runs.job import variant_name

PRINTED_RATIO = 10.0  # "approximately", of the between-instance term to the within-instance term
_INTER, _INTRA = "train/loss_inter", "train/loss_intra"
_WEIGHT, _NETWORK = "loss.inter_weight", "network.name"  # what tells the trainings apart
_PARTS = 20  # of a training, over each of which the terms are averaged


def ratio_curve(inter: pd.DataFrame, intra: pd.DataFrame) -> pd.DataFrame:
    """Ratio of two logged terms in equal parts of a training.

    `inter` and `intra` have the columns `step` and `value`. Gives `step`, the middle of the part, the means `inter` and
    `intra` of the terms in it, and their `ratio`, NaN where the mean of the latter is 0.
    """
    both = inter.merge(intra, on="step", suffixes=("_inter", "_intra"))
    columns = [both[name].to_numpy(float) for name in ("step", "value_inter", "value_intra")]
    part = np.floor((columns[0] - 1) * _PARTS / columns[0].max(initial=1))
    rows = [[float(values[part == k].mean()) for values in columns] for k in np.unique(part)]
    means = pd.DataFrame(rows, columns=["step", "inter", "intra"])
    return means.assign(ratio=[row[1] / row[2] if row[2] > 0 else np.nan for row in rows])


def ratio_figure(launch: LaunchResults, folder: Path) -> Block:
    """The ratio in all trainings of a launch of the ablation `lambda`; means over seeds."""
    title = "Section 4.5: ratio of the two loss terms"
    names = (_WEIGHT, _NETWORK)
    curves = []
    for result in (result for variant in launch.ablation.variants() for result in launch.of(variant)):
        run = launch.trainings.get((variant_name(result.variant), result.seed))
        if run is None or not {_INTER, _INTRA} <= run.metrics.keys() or not set(names) <= result.variant.keys():
            continue
        curve = ratio_curve(*(tracking.metric_curve(run.run_id, name) for name in (_INTER, _INTRA)))
        about = {name: result.variant[name] for name in names} | {"seed": result.seed, "run_id": run.run_id}
        curves.append(curve.assign(**about))
    if not curves:
        return heading(title) + paragraph("Missing: no finished run has logged both terms of its loss.", "soft")
    data = pd.concat(curves, ignore_index=True)
    weights, networks = ([value_label(name, value) for value in data[name]] for name in names)
    drawn = data.assign(weight=weights, network=networks)
    figure = figures.ratio_figure(drawn, "weight", "network", PRINTED_RATIO)
    return heading(title) + figure_block(folder, "loss_ratio", figure, _caption(launch), data)


def _caption(launch: LaunchResults) -> str:
    similarity = launch.settings.get("loss.similarity", "unknown")
    seeds = "; means over seeds" if len(launch.seeds()) > 1 else ""
    return (
        "Section 4.5. The between-instance term over the within-instance term of the embedding loss, both without "
        f"their weights and averaged over each {100 // _PARTS} % of the training{seeds}. Dotted: about 10, which the "
        "paper states without saying for which network, λ or step. Cosine of the between-instance term here: "
        f"{similarity}. {launch.data_and_budget}"
    )
