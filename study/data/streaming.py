"""The batches of a training in the order of its steps, made ahead of them where they stream."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from study.data.batches import Batch, TrainingImages
from study.data.volume_batches import TrainingVolumes


def batches_of(images: TrainingImages | TrainingVolumes, samples: Tensor) -> Generator[Batch]:
    """The batch of each row of `samples`; where `images.streams`, a thread makes the next while one is in use.

    The thread ends with the iterator: close it where not all batches are taken.
    """
    if not images.streams or not len(samples):
        for row in range(len(samples)):
            yield images.batch(samples[row])
        return
    gpu = partial(torch.cuda.set_device, torch.cuda.current_device()) if images.device.type == "cuda" else None
    with ThreadPoolExecutor(1, "batches", gpu) as thread:
        ahead = thread.submit(images.batch, samples[0])
        for row in range(1, len(samples)):
            batch, ahead = ahead.result(), thread.submit(images.batch, samples[row])
            yield batch
        yield ahead.result()
