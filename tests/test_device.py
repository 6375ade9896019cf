import os
import subprocess
import sys
from contextlib import nullcontext

import platformdirs
import pytest
import torch

from study import device
from study.device import bfloat16_speedup, choose_precision, fits_on, sent_to

CPU = torch.device("cpu")


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """The cache folder of a user who has never asked."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    return tmp_path


@pytest.fixture
def machine(monkeypatch, kept):
    """Makes a processor of some capabilities, on which bfloat16 is so many times as fast as float32."""
    timed = []

    def make(capabilities, speedup):
        device._fast_bfloat16.cache_clear()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
        monkeypatch.setattr(device, "bfloat16_speedup", lambda: timed.append(speedup) or speedup)
        return timed

    yield make
    device._fast_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "speedup", "precision"),
    [
        ({"avx512_bf16": True}, 1.6, "bfloat16"),
        ({"amx_bf16": True}, 3.0, "bfloat16"),
        ({"avx512_bf16": True}, 1.1, "float32"),  # it can, but gains nothing
        ({"avx2": True, "avx512_bf16": False}, 9.0, "float32"),
        ({}, 9.0, "float32"),
    ],
)
def test_bfloat16_is_taken_where_the_processor_gains_by_it(machine, capabilities, speedup, precision):
    timed = machine(capabilities, speedup)
    assert [choose_precision("auto", CPU) for _ in range(3)] == [precision] * 3
    assert len(timed) == (1 if "amx_bf16" in capabilities or capabilities.get("avx512_bf16") else 0)


def test_a_machine_decides_once_though_another_timing_would_decide_otherwise(machine):
    """Else a second launch would find no network of the first, and give other numbers."""
    machine({"avx512_bf16": True}, 1.21)
    assert choose_precision("auto", CPU) == "bfloat16"
    assert machine({"avx512_bf16": True}, 1.19) == [1.21]  # as in a new process
    assert choose_precision("auto", CPU) == "bfloat16"
    assert machine({"avx2": True}, 1.19) == [1.21]  # the folder is now that of a machine without the instructions
    assert choose_precision("auto", CPU) == "float32"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"speedup": null}', '{"speedup": "fast"}'])
def test_a_damaged_file_of_the_timing_is_replaced(machine, kept, text):
    machine({"avx512_bf16": True}, 1.6)
    choose_precision("auto", CPU)
    (file,) = kept.glob("*.json")
    file.write_text(text)
    assert machine({"avx512_bf16": True}, 1.1) == [1.6]
    assert choose_precision("auto", CPU) == "float32"
    assert file.read_text() == '{"speedup": 1.1}'


def test_where_nothing_can_be_kept_each_process_times(machine, kept, monkeypatch):
    (kept / "file").touch()
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: kept / "file")
    timed = machine({"avx512_bf16": True}, 1.6)
    assert [choose_precision("auto", CPU) for _ in range(2)] == ["bfloat16"] * 2
    assert timed == [1.6]


def test_processes_that_start_at_once_agree(tmp_path):
    """Each has a timing of its own, of which one counts."""
    program = (
        "import os, torch; from study import device\n"
        "torch.cpu.get_capabilities = lambda: {'avx512_bf16': True}\n"
        "device.bfloat16_speedup = lambda: 1 + os.getpid() % 2 + os.getpid() / 1e9\n"
        "print(device._speedup_of_machine() > 1.2)"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert [process.returncode for process in started] == [0] * 4


def test_what_is_asked_for_is_not_chosen(machine):
    machine({"avx512_bf16": True}, 1.6)
    assert choose_precision("float32", CPU) == "float32"


def test_the_timing_is_of_one_thread(monkeypatch):
    """Two wait for each other, which is time of the processor too: the decision was then one of chance."""
    before, used = torch.get_num_threads(), []
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: used.append(torch.get_num_threads()) or nullcontext())
    assert 0 < bfloat16_speedup(rounds=2) < 100
    assert used == [1] * 4
    assert torch.get_num_threads() == before


def test_half_of_what_is_free_on_a_gpu_may_be_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 4000))
    assert [fits_on(torch.device("cuda"), size) for size in (499, 500)] == [True, False]
    assert fits_on(CPU, 10**18)


def test_what_is_on_the_device_is_not_copied():
    tensor = torch.ones(3)
    assert sent_to(CPU, tensor) is tensor


def test_the_speed_of_bfloat16_is_measured_where_no_gradient_is_needed():
    with torch.no_grad():
        assert 0 < bfloat16_speedup(rounds=1) < 100
