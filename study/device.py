"""The device that networks run on, and the arithmetic that suits it."""

from __future__ import annotations

import json
import socket
import time
from functools import lru_cache

import platformdirs
import torch
from filelock import FileLock
from torch import Tensor, nn

from study.errors import StudyError
from study.files import WriteError, write_atomically
from study.process import with_threads

_CLEARLY = 1.2  # times as fast; convolutions of processors with avx512_bf16 are about twice as fast


def choose_device(name: str) -> torch.device:
    """The device that `training.device` names: `auto` takes a GPU where there is one, `cuda` needs one (StudyError)."""
    if name == "cuda" and not torch.cuda.is_available():
        raise StudyError("training.device=cuda, but torch finds no GPU here: set training.device=cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(name: str, device: torch.device) -> str:
    """What `training.precision` becomes on a device: `auto` is bfloat16 where it is fast, else float32."""
    if name != "auto":
        return name
    return "bfloat16" if _fast_bfloat16(device) else "float32"


def on_device(network: nn.Module, device: torch.device, dims: int) -> nn.Module:
    """A network of images (2) or volumes (3) on a device, its weights in the layout that convolutions like best."""
    layout = torch.channels_last if dims == 2 else torch.channels_last_3d
    return network.to(device, memory_format=layout)  # type: ignore[call-overload]


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a network runs in the given `training.precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_precision(precision, device) == "bfloat16")


def fits_on(device: torch.device, size: int) -> bool:
    """Whether `size` bytes are less than half of the free memory of a GPU; for the CPU other bounds count."""
    return device.type != "cuda" or size < torch.cuda.mem_get_info(device)[0] / 2


def sent_to(device: torch.device, tensor: Tensor) -> Tensor:
    """`tensor` on a device; from page-locked memory where it comes from the host, so that nothing waits for it."""
    return tensor if tensor.device.type == device.type else tensor.pin_memory().to(device, non_blocking=True)


@lru_cache(maxsize=2)
def _fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is clearly faster than float32 on the device.

    A processor with instructions for bfloat16 is timed, since not all of them gain by it. Without them it is emulated,
    which takes ten times as long.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.12 does not know
    if not (capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")):
        return False
    try:
        return _speedup_of_machine() > _CLEARLY
    except (OSError, WriteError):  # nothing can be kept here: no home folder, or one that is full or read-only
        return bfloat16_speedup() > _CLEARLY


def _speedup_of_machine() -> float:
    """`bfloat16_speedup` as it was when this machine was first asked, from the user's cache folder.

    Where it is near the limit, another timing could decide otherwise: a launch would then find none of the networks
    that the one before has trained, and not give the same numbers.
    """
    folder = platformdirs.user_cache_path("pixel-embedding-study", ensure_exists=True)
    file = folder / f"bfloat16-{socket.gethostname()}-torch-{torch.__version__}.json"
    with FileLock(file.with_suffix(".lock")):
        try:
            return float(json.loads(file.read_text())["speedup"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):  # never timed, or not by this code
            speedup = round(bfloat16_speedup(), 3)
        with write_atomically(file) as partial:
            partial.write_text(json.dumps({"speedup": speedup}))
        return speedup


def bfloat16_speedup(rounds: int = 10) -> float:
    """Time of a step through two convolutions on the CPU in float32, over that in bfloat16.

    It is time of one thread on the processor, taken by turns, and the shortest of several rounds, so that other work on
    the machine has next to no effect. Of several threads, the time in which they wait for each other would count.
    """
    convolutions = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
    convolutions = on_device(convolutions, torch.device("cpu"), dims=2)
    images = torch.zeros(4, 32, 64, 64).contiguous(memory_format=torch.channels_last)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    with with_threads(1), torch.enable_grad():  # whoever predicts needs no gradient
        for _ in range(rounds):
            for bfloat16, taken in seconds.items():
                start = time.thread_time()
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    output = convolutions(images)
                output.sum().backward()
                taken.append(time.thread_time() - start)
    return min(seconds[False]) / min(seconds[True])
