"""The device that networks run on, and the arithmetic that suits it."""

from __future__ import annotations

import torch
from torch import nn

from study.errors import StudyError


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


def _fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.12 does not know
    return bool(capabilities.get("amx_bf16", False))
