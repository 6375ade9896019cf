import torch

from study.runs.environment import LIBRARIES, environment, mixed_environments


def test_device_and_versions():
    kind, *versions = environment(torch.device("cpu")).split("; ")
    assert kind.startswith("cpu ")
    assert [version.split(" ")[0] for version in versions] == list(LIBRARIES)
    assert f"torch {torch.__version__.split('+')[0]}" in versions


def test_what_differs_is_named():
    same = "cpu AVX2; torch 2.13.0; numpy 2.3.5"
    assert mixed_environments([]) == ""
    assert mixed_environments([same, same]) == ""
    found = mixed_environments([same, "cpu AVX2; torch 2.11.0; numpy 2.3.5"])
    assert found == (
        "These runs were computed in different environments (torch 2.13.0, torch 2.11.0), which may shift scores."
    )
    assert "(cpu AVX2, torch 2.13.0, numpy 2.3.5, not recorded)" in mixed_environments([same, ""])
