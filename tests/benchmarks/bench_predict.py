"""Images per second of `study.deploy.predict.predict`, beside those of the network alone.

The network has random weights, so that its maps are of no use to the clustering, which gets maps as of a trained one,
made from the truth. `network` is the forward pass alone, on an image in memory; the other lines are calls of `predict`
on PNG files, with the same pass, angular clustering and PNG files of labels. In turns; medians.

With `--large` images follow that are taken in tiles, one call each. There the clustering gets the maps of the random
weights, which is its worst case; `network` is the forward pass alone on as many pixels, `peak` the most memory that the
process has had until then.
Run: python tests/benchmarks/bench_predict.py [--profile full --device cuda] [--large 2048,4096]
"""

import argparse
import io
import resource
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import nn

from study.clustering import segment
from study.data.batches import network_image
from study.data.dataset import Sample
from study.data.files.reading import read_labels
from study.data.sets.synthetic import nuclei
from study.data.targets import distance_map
from study.deploy.predict import predict
from study.deploy.segmenter import Segmenter
from study.device import autocast, choose_device
from study.inference import predict_maps
from study.maps import ImageMaps
from study.profiles import load_settings
from study.settings import Settings
from tests.maps import image_maps
from tests.networks.built import build

GOAL = 70  # per cent
ROUNDS = 3
EXTRAS = {"labels": {}, "and pictures": {"overlay": True}, "and tables": {"overlay": True, "table": True}}


def trained_maps(labels: np.ndarray, dims: int, rng: np.random.Generator) -> ImageMaps:
    """Maps as of a trained network: embeddings of objects whose ids differ by less than `dims` are orthogonal."""
    embedding = np.eye(dims)[np.where(labels > 0, 1 + labels % (dims - 1), 0)] + rng.normal(
        0, 0.05, (*labels.shape, dims)
    )
    return image_maps(distance_map(labels).astype(np.float16), embedding.astype(np.float16))


class StandIn:
    """A model with the network's work and maps that are given, by the bytes of the image."""

    volumes = False

    def __init__(self, network: nn.Module, settings: Settings, maps: dict[bytes, ImageMaps]):
        self.network, self.settings, self.trained = network, settings, maps

    def maps(self, image: np.ndarray) -> ImageMaps:
        sample = Sample(image, np.zeros(image.shape[:2], np.int32), "")
        predict_maps(self.network, [network_image(sample, 0)], self.settings)
        return self.trained[image.tobytes()]

    def labels(self, maps: ImageMaps, foreground: np.ndarray | None = None) -> np.ndarray:
        return segment(maps, self.settings.clustering)


def bare(network: nn.Module, settings: Settings, device: torch.device, size: int, count: int) -> float:
    """Seconds of `count` forward passes of one image each."""
    image = torch.randn(1, 1, size, size, device=device)
    started = time.perf_counter()
    with torch.no_grad(), autocast(settings.training.precision, device):
        for _ in range(count):
            network(image)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def compare_large(network: nn.Module, settings: Settings, device: torch.device, size: int) -> str:
    """Seconds of `predict` and of the network alone on a mosaic of nuclei, objects, and peak memory in MiB."""
    rng, side = np.random.default_rng(0), min(size, 256)
    blocks = [[nuclei(rng, side)[0].squeeze() for _ in range(size // side)] for _ in range(size // side)]
    tile = min(size, 1024)
    alone = bare(network, settings, device, tile, (size // tile) ** 2)
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(np.block(blocks)).save(Path(folder) / "large.png")
        started = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            predict(Segmenter(network, settings, 1), Path(folder), Path(folder) / "out")
        whole = time.perf_counter() - started
        objects = int(read_labels(Path(folder) / "out" / "large.png").max())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{size:6d} {alone:12.1f} {whole:12.1f} {alone / whole:7.0%} {objects:9d} {peak:12.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--images", default=0, type=int, help="0: 40 on a CPU, 400 on a GPU")
    parser.add_argument("--large", default="", help="sides of images that are taken in tiles, joined by commas")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    count = 2 if given.tiny else given.images or (400 if device.type == "cuda" else 40)
    size, rounds, rng = 48 if given.tiny else 256, 1 if given.tiny else ROUNDS, np.random.default_rng(0)
    print(f"{given.profile}: {size} x {size} px, {device}, {torch.get_num_threads()} threads; goal: {GOAL} %")
    print("network                images/s   share")
    for name in ("unet", "wnet"):
        overrides = f"network.name={name},clustering.foreground=predicted"
        settings = load_settings(profile=given.profile, overrides=overrides)
        network = build(1, settings).to(device, memory_format=torch.channels_last).eval()
        with tempfile.TemporaryDirectory() as folder:
            maps = {}
            for k in range(count):
                image, labels = nuclei(rng, size)
                Image.fromarray(image.squeeze()).save(Path(folder) / f"{k:03d}.png")
                maps[image.tobytes()] = trained_maps(labels, settings.network.embedding_dim, rng)
            times: dict[str, list[float]] = {"network": [], **{extra: [] for extra in EXTRAS}}
            bare(network, settings, device, size, 5)
            for _ in range(rounds):
                times["network"].append(bare(network, settings, device, size, count))
                for extra, options in EXTRAS.items():
                    started = time.perf_counter()
                    model = StandIn(network, settings, maps)
                    with redirect_stdout(io.StringIO()):
                        predict(model, Path(folder), Path(folder) / "out", overwrite=True, **options)
                    times[extra].append(time.perf_counter() - started)
        for what, seconds in times.items():
            share = median(alone / whole for alone, whole in zip(times["network"], seconds, strict=True))
            print(f"{name:8} {what:12} {count / median(seconds):9.1f} {share:7.0%}")
    sizes = "64" if given.tiny else given.large
    if sizes:
        print("  side   network, s   predict, s   share   objects    peak, MiB")
        settings = load_settings(profile=given.profile, overrides="network.name=unet,clustering.foreground=predicted")
        settings = replace(settings, data=replace(settings.data, image_size=0))
        network = build(1, settings).to(device, memory_format=torch.channels_last).eval()
        for size in map(int, sizes.split(",")):
            print(compare_large(network, settings, device, size))


if __name__ == "__main__":
    main()
