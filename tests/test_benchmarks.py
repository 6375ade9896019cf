"""Each benchmark runs in its tiny form, so that none rots unseen; how fast anything is, is not looked at here."""

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parent / "benchmarks"
BENCHMARKS = sorted(FOLDER.glob("bench_*.py"))


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


def test_the_page_holds_what_a_benchmark_prints(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text("# Old words\n\n## Store\n\nkept\n\n## Metrics\n\nanother day\n")
    runpy.run_path(str(FOLDER / "write_page.py"))["main"](["--tiny", "--only", "metrics", "--output", str(page)])
    text = page.read_text()
    assert re.search(
        r"## Metrics\n.*Measured on \d{4}-\d\d-\d\d at commit \S+; .*\n\n```.*\n## Store\n\nkept\n$", text, re.S
    )
    assert "Old words" not in text
    assert "another day" not in text
    assert f"torch {torch.__version__}" in text
    assert text.count("```") == 2
    assert "all pairs" in text.partition("```")[2]


def test_every_benchmark_is_on_the_page():
    listed = set(runpy.run_path(str(FOLDER / "write_page.py"))["BENCHMARKS"])
    # the first has its table in docs/intervals.md, the second is a search for settings, the third needs a GPU
    assert listed | {"intervals", "budget", "device"} == {file.stem.removeprefix("bench_") for file in BENCHMARKS}
