"""A network as an exported program of torch, which runs without the code of the study."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from study.settings import Settings

PROGRAM = "program.pt2"


def save_program(file: Path, network: nn.Module, settings: Settings, channels: int) -> None:
    """Write a network to a file that `torch.export.load` reads.

    The program takes standardised images (B, C, M, N), M and N multiples of 2 to the depth, and gives
    (B, 1 + E, M, N): distance map and embedding. One of volumes has planes before rows, and no distance map. It
    is made from a copy: `network` stays where and as it is.
    """
    side = 4 * 2**settings.network.depth  # smaller examples freeze the size in the program
    sides = (side,) * 2 if settings.dims == 2 else (4, side, side)
    any_size = dict.fromkeys((0, *range(2, 2 + settings.dims)), torch.export.Dim.AUTO)
    stacked = _Stacked(copy.deepcopy(network), settings.embedding_metric).cpu().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export, on its own internals
        program = torch.export.export(stacked, (torch.zeros(2, channels, *sides),), dynamic_shapes=(any_size,))
        _forget_places(program.graph_module)
        torch.export.save(program, file)


def _forget_places(program: torch.fx.GraphModule) -> None:
    """Leave out the lines of code that each operation comes from: their files are those of this machine."""
    for module in program.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


class _Stacked(nn.Module):
    """A network whose distance map and embedding are one tensor, which any program can take."""

    def __init__(self, network: nn.Module, metric: str):
        super().__init__()
        self.network, self.metric = network, metric

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat(list(self.network(images).maps(self.metric).values()), dim=1)
