"""How fast one GPU trains the paper's networks: compiled or not, several at once, and how long the whole paper takes.

`step`, `bare`, `outside` and the other columns are those of `bench_training.py`, at the paper's size (256 px, the
profile `full`, bfloat16 where the device has it). `compiled` is `training.compile=1`, `graphs` the same with CUDA
graphs (the mode "reduce-overhead" of torch.compile). Then W-Nets train in several processes at once: images per second
of all together, against those of one. The last line is the time of all distinct trainings of the paper's questions, of
so many steps each, by the fastest of all these; it leaves out validation, searches and scores.
Run: python tests/benchmarks/bench_device.py   (on a machine with a GPU; on a CPU only --tiny makes sense)
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import torch
from bench_training import HEAD, Silent, measure

from ablations import find_ablations
from study.device import choose_device
from study.profiles import load_settings
from study.runs.resources import images_to_train, training_images
from study.training.loop import train

GOALS = "goals: outside at most 5 %; the whole paper in 30 min"
PAPER_STEPS = 10_000


@contextmanager
def cuda_graphs(used: bool) -> Iterator[None]:
    """Let torch.compile record CUDA graphs, as its mode "reduce-overhead" does."""
    import torch._inductor.config as inductor

    before = inductor.triton.cudagraphs
    inductor.triton.cudagraphs = used
    try:
        yield
    finally:
        inductor.triton.cudagraphs = before


def seconds_of_training(profile: str, overrides: str) -> float:
    """Time of a whole training in this process, after a short one that warms up."""
    settings = load_settings(profile=profile, overrides=overrides)
    images = images_to_train(settings, choose_device(settings.training.device))
    train(images, settings.with_({"training.steps": 3}), Silent(), lambda network: {})
    start = time.perf_counter()
    train(images, settings, Silent(), lambda network: {})
    return time.perf_counter() - start


def images_per_second(processes: int, profile: str, overrides: str, images: int) -> float:
    """Of so many trainings at once, each of `images` images; the slowest counts."""
    if processes == 1:
        return images / seconds_of_training(profile, overrides)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        # nothing makes them start together; the longer a round, the less that matters
        times = list(pool.map(seconds_of_training, [profile] * processes, [overrides] * processes))
    return processes * images / max(times)


def networks_of_paper() -> Counter[str]:
    """How many distinct trainings of each network the questions of the W-Net paper have."""
    asked = [ablation for ablation in find_ablations().values() if ablation.order_in_all]
    trainings = set()
    for ablation in asked:
        for variant in ablation.variants():
            system, changes = ablation.system_and_changes(variant)
            settings = load_settings(profile="full", system=system, changes={**changes, **ablation.fixed})
            trainings.add((settings.network, settings.loss, settings.training))
    return Counter(network.key for network, _, _ in trainings)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--steps", default=200, type=int, help="per round")
    parser.add_argument("--processes", default="2,3,4", help="trainings at once")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    profile, steps, size, rounds = ("smoke", 2, 48, 1) if given.tiny else ("full", given.steps, 256, 3)
    counts = [] if given.tiny else [int(count) for count in given.processes.split(",")]
    base = f"data.image_size={size},data.images=16,training.steps={steps},training.validations=1"
    base += f",training.device={given.device}"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"{name}, torch {torch.__version__}: {size} px, {steps} steps a round; {GOALS}\n{HEAD}", flush=True)
    ways = (
        {"": "", "compiled": ",training.compile=1", "graphs": ",training.compile=1"}
        if device.type == "cuda"
        else {"": ""}
    )
    best: dict[str, float] = {}
    for network in ("unet", "wnet"):
        for way, more in ways.items():
            settings = load_settings(profile=profile, overrides=f"{base},network.name={network}{more}")
            images = training_images(settings.data, settings.loss.neighbour_distance, device)
            batch = settings.training.batch_size
            with cuda_graphs(way == "graphs"):
                try:
                    measured = measure(images, settings, steps, rounds)
                except (
                    RuntimeError
                ) as error:  # of a compiler or of the driver: the other ways are measured all the same
                    print(f"{network} {way}: {str(error).splitlines()[0]}", flush=True)
                    continue
            print(measured.line(f"{network} {way}", batch), flush=True)
            best[network] = max(best.get(network, 0.0), batch / measured.step)
    batch = load_settings(profile=profile).training.batch_size
    alone = images_per_second(1, profile, f"{base},network.name=wnet", steps * batch)
    gain = 1.0
    for count in counts:
        together = images_per_second(count, profile, f"{base},network.name=wnet", steps * batch)
        gain = max(gain, together / alone)
        print(f"{count} W-Nets at once: {together:.1f} images/s, {together / alone:.2f} of one", flush=True)
    trainings = networks_of_paper()
    seconds = sum(trainings[network] * PAPER_STEPS * batch / speed for network, speed in best.items())
    told = ", ".join(f"{trainings[network]} {network}" for network in best)
    print(
        f"{told} of {PAPER_STEPS} steps each: {seconds / 60:.0f} min one by one, {seconds / gain / 60:.0f} min at best"
    )


if __name__ == "__main__":
    main()
