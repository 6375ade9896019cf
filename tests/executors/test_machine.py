import socket
from dataclasses import replace

import pytest
import torch

from study.code_digest import CodeDigest, code_digest
from study.errors import StudyError
from study.executors.machine import agreed, describe


def test_this_machine(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    machine = describe("auto")
    assert (machine.name, machine.device, machine.gpus) == (socket.gethostname(), "cpu", 0)
    assert machine.precision in ("float32", "bfloat16")
    assert machine.code == code_digest()
    with pytest.raises(StudyError, match="torch finds no GPU here"):
        describe("cuda")


def test_a_machine_with_other_code():
    machine = replace(describe("cpu"), name="node7")
    assert agreed([machine]) is machine
    other = replace(machine, code=CodeDigest("an older loss", "maps", "scoring"))
    with pytest.raises(StudyError, match=r"^a worker on node7 runs other code of the study than this launch"):
        agreed([machine, other])


def test_what_is_true_of_all_machines():
    machine = replace(describe("cpu"), name="a", precision="bfloat16")
    assert agreed([machine, replace(machine, name="b")]) == machine
    assert agreed([machine, replace(machine, precision="float32")]).precision == "float32"
    with pytest.raises(StudyError, match=r"the machines of the workers differ \(cpu on a, cuda on b\): choose one"):
        agreed([machine, replace(machine, name="b", device="cuda")])
