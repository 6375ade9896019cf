"""Made-up results of a small ablation."""

import numpy as np
import pandas as pd

from study.ablation.design import Ablation
from study.runs.job import Result

SCORES = ("sbd", "sbd_legacy", "fbd", "abs_dic", "map")

ABLATION = Ablation(
    name="x",
    question="Which?",
    varied={"network.name": ["unet", "wnet"], "loss.inter_weight": [1.0, "only"]},
    control={"network.name": "wnet", "loss.inter_weight": 1.0},
)


def made_up(variant, seed, sbd, **more):
    """A result whose scores are all `sbd`, but for the foreground Dice, and `more`."""
    table = pd.DataFrame({"image": [f"i{i}" for i in range(len(sbd))], **dict.fromkeys(SCORES, sbd), **more})
    table["fbd"] = 1.0
    return Result(variant, seed, table, [])


def noisy(variant, shift, seeds=(0, 1, 2), images=20, spread=0.01, paper=None):
    """Results around .5 + `shift`, with the paper's thresholds .5 + `paper`; variants are alike but for noise."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, *map(ord, str(variant))])
        scores = 0.5 + np.linspace(-0.1, 0.1, images) + rng.normal(0, spread, images) + rng.normal(0, spread / 5)
        more = {} if paper is None else {"sbd_paper_thresholds": scores + paper}
        found.append(made_up(variant, seed, scores + shift, **more))
    return found
