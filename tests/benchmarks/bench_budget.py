"""How small may the budget of the `quick` profile be?  SBD of validation images against steps, learning rate and batch.

Each budget trains each variant (a system, and after a slash what is changed in it) with each seed, its thresholds are
searched, and the line shows the mean SBD of the validation images: no test image has a part in it. `sooner` is the
share of the first budget's steps x batch that is saved, `less` what is lost against the first budget in the same seed,
with its standard error.
Run: python tests/benchmarks/bench_budget.py --dataset synthetic-cells --budgets 400:3e-3:4,200:3e-3:4 --slots 2
"""

import argparse
import itertools
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from bench_training import Silent

from study import process
from study.device import choose_device
from study.evaluation import evaluate, means
from study.executors import Inline
from study.inference import predict_maps
from study.paper import paper_settings
from study.profiles import load_settings
from study.runs.resources import images_to_train, network_images
from study.training.loop import train
from study.tuning import score_on, search

BUDGETS = "400:3e-3:4,300:3e-3:4,200:3e-3:4,200:5e-3:4,200:1e-2:4"


def sbd(training: tuple[str, str, str, str, int, str]) -> float:
    """SBD of the validation images of one training, with the best thresholds that a search finds on them."""
    dataset, profile, variant, budget, seed, more = training
    torch.set_num_threads(1)
    process.quiet_libraries()
    (steps, rate, batch), (system, _, changes) = budget.split(":"), variant.partition("/")
    overrides = f"training.steps={steps},training.learning_rate={rate},training.batch_size={batch}"
    overrides += f",training.validations=1,seed={seed},{changes},{more}"
    settings = load_settings(dataset, profile=profile, overrides=overrides, system=system)
    images = images_to_train(settings, choose_device(settings.training.device))
    trained, _ = train(images, settings, Silent(), lambda network: {})
    validation = network_images(settings.data, "val")
    maps = predict_maps(trained, validation, settings)
    start, paper = settings.clustering, paper_settings(settings).clustering
    found = search(score_on(maps, validation), len(maps), start, paper, settings.tuning, seed=seed)
    return means(evaluate(maps, validation, found.best, 1).table)["sbd"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="synthetic-leaves")
    parser.add_argument("--budgets", default=BUDGETS, help="steps:learning rate:batch, joined by commas")
    parser.add_argument(
        "--variants", default="wnet/network.name=unet;wnet", help="system/settings, joined by semicolons"
    )
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", default="", help="more settings: a.b=1,c.d=x")
    parser.add_argument("--slots", default=2, type=int, help="trainings at a time")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    profile, budgets, seeds = "quick", given.budgets.split(","), [int(seed) for seed in given.seeds.split(",")]
    if given.tiny:
        profile, budgets, seeds, given.slots = "smoke", ["4:3e-3:2", "2:3e-3:2"], [0], 1
    variants = given.variants.split(";")
    print(f"{given.dataset}, {profile}; validation SBD, mean of {len(seeds)} seeds, thresholds searched")
    print("steps:rate:batch   sooner     SBD            less   variant")
    with Inline() if given.slots == 1 else ProcessPoolExecutor(given.slots, get_context("spawn")) as pool:
        futures = {
            (variant, budget, seed): pool.submit(sbd, (given.dataset, profile, variant, budget, seed, given.set))
            for variant, budget, seed in itertools.product(variants, budgets, seeds)
        }
        for variant, budget in itertools.product(variants, budgets):
            scores, first = (
                np.array([futures[variant, b, seed].result() for seed in seeds]) for b in (budget, budgets[0])
            )
            (steps, _, batch), (all_steps, _, all_batch) = budget.split(":"), budgets[0].split(":")
            sooner = 1 - int(steps) * int(batch) / (int(all_steps) * int(all_batch))
            less = first - scores
            error = less.std(ddof=1) / len(seeds) ** 0.5 if len(seeds) > 1 else np.nan
            lost = f"{less.mean():+9.3f} ± {error:.3f}"
            print(f"{budget:15} {sooner:7.0%} {scores.mean():7.3f} {lost}   {variant}", flush=True)


if __name__ == "__main__":
    main()
