"""What a machine is that does the trainings of a launch, and whether its code is that of the launch."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from study.errors import StudyError

if TYPE_CHECKING:
    from study.code_digest import CodeDigest


@dataclass(frozen=True)
class Machine:
    """A machine that does trainings.

    Attributes
    ----------
    name : str
        Its host name.
    device : str
        `cpu` or `cuda`: where networks run.
    gpus : int
        Number of GPUs to be used; 0 where networks run on the CPU.
    precision : str
        What `training.precision=auto` becomes on it.
    code : CodeDigest
        Of the code that it runs.
    """

    name: str
    device: str
    gpus: int
    precision: str
    code: CodeDigest


def describe(device: str) -> Machine:
    """The machine of this process, where `training.device` is that; a StudyError if it has no such device."""
    import torch

    from study.code_digest import code_digest
    from study.device import choose_device, choose_precision

    chosen = choose_device(device)
    gpus = torch.cuda.device_count() if chosen.type == "cuda" else 0
    return Machine(socket.gethostname(), chosen.type, gpus, choose_precision("auto", chosen), code_digest())


def check_code(code: CodeDigest, machine: str) -> None:
    """Raise a StudyError if the code of a machine is not that of this process."""
    from study.code_digest import code_digest

    if code != code_digest():
        raise StudyError(
            f"a worker on {machine} runs other code of the study than this launch: install the same version there"
        )


def agreed(machines: Sequence[Machine]) -> Machine:
    """What is true of all of some machines: their precision is one that is fast on each of them.

    Raises
    ------
    StudyError
        If the code of one is not that of this process, or some have a GPU and others none.
    """
    for machine in machines:
        check_code(machine.code, machine.name)
    kinds = sorted({f"{machine.device} on {machine.name}" for machine in machines})
    if len({machine.device for machine in machines}) > 1:
        raise StudyError(
            f"the machines of the workers differ ({', '.join(kinds)}): choose one kind by training.device, or --device"
        )
    same = len({machine.precision for machine in machines}) == 1
    return machines[0] if same else replace(machines[0], precision="float32")
