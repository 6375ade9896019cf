import pytest
import torch

from study import device
from study.device import bfloat16_speedup, choose_precision, fits_on, sent_to

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
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


def test_what_is_asked_for_is_not_chosen(machine):
    machine({"avx512_bf16": True}, 1.6)
    assert choose_precision("float32", CPU) == "float32"


def test_the_timing_is_of_both_kinds():
    assert 0 < bfloat16_speedup(rounds=1) < 100


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
