"""Each benchmark runs in its tiny form, so that none rots unseen; how fast anything is, is not looked at here."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = sorted((Path(__file__).parent / "benchmarks").glob("bench_*.py"))


@pytest.fixture
def threads():
    """Benchmarks choose their own number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_it_runs_in_its_tiny_form(file, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(file.parent)  # as when it is run as a program
    runpy.run_path(str(file))["main"](["--tiny"])
    assert len(capsys.readouterr().out.splitlines()) > 2
    for name in [name for name in sys.modules if name.startswith("bench_")]:
        del sys.modules[name]
