"""Runs the benchmarks one after another and writes `docs/benchmarks.md` from what they print.

With `--only`, the page keeps its other sections; each tells when, and at which commit, it was measured. Each benchmark
runs in a process of its own with one thread, on an otherwise idle machine. The packages that `bench_peers.py` compares
with are installed into an environment of their own in `--peers` where that folder is not there yet.
Run: python tests/benchmarks/write_page.py [--only losses,metrics] [--output docs/benchmarks.md]
"""

import argparse
import ast
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# in the order of the page, with the arguments of each
BENCHMARKS: dict[str, list[str]] = {
    "training": [],
    "streaming": [],
    "losses": ["--objects", "11,50"],
    "affinities": [],
    "clustering": [],
    "metrics": [],
    "peers": [],
    "tuning": [],
    "predict": ["--large", "2048,4096"],
    "growth": [],
    "engines": [],
    "store": [],
}
LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "scikit-learn", "bioimage-cpp", "optuna", "mlflow")
PEERS = ("stardist", "cellpose")
INTRODUCTION = """# Benchmarks

Written by `python tests/benchmarks/write_page.py`; each section is what one benchmark prints. Ratios are of times taken
side by side in one run; absolute times belong to the machine below. A benchmark says itself what it compares, and its
section when it was measured.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="which, joined by commas")
    parser.add_argument("--output", default=ROOT / "docs" / "benchmarks.md", type=Path)
    parser.add_argument("--peers", default=ROOT / ".venv-peers", type=Path, help="folder of the peers' environment")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, and no peers: shows that it runs")
    given = parser.parse_args(arguments)
    names = given.only.split(",")
    sections, about = sections_of(given.output), machine()
    for name in names:
        print(f"{name} …", flush=True)
        if given.tiny:
            sections[name] = section(name, ["--tiny"])
        elif name == "peers":
            python = peers_python(given.peers)
            sections[name] = section(name, [*BENCHMARKS[name], "--peers", str(python)], versions_in(python))
        else:
            sections[name] = section(name, BENCHMARKS[name])
        there = [sections[one] for one in BENCHMARKS if one in sections]
        given.output.write_text(
            "\n".join([INTRODUCTION, about, *there])
        )  # at once: what follows may take long, or fail


def sections_of(page: Path) -> dict[str, str]:
    """The sections of the page that is there, by benchmark."""
    _, *found = page.read_text().split("\n## ") if page.exists() else [""]
    return {text.partition("\n")[0].lower(): f"## {text.rstrip()}\n" for text in found}


def peers_python(folder: Path) -> Path:
    """The Python of the peers' environment, which is made where there is none."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "peers.txt"], check=True)
    return python


def versions_in(python: Path) -> str:
    """Names and versions of the peers in their environment."""
    asked = "import sys; from importlib.metadata import version; print(*(version(n) for n in sys.argv[1:]))"
    found = subprocess.run([python, "-c", asked, *PEERS], check=True, capture_output=True, text=True).stdout
    return ", ".join(f"{name} {number}" for name, number in zip(PEERS, found.split(), strict=True))


def machine() -> str:
    """What the figures were measured on."""
    versions = [f"{name} {version(name)}" for name in LIBRARIES]
    memory = psutil.virtual_memory().total / 2**30
    facts: Mapping[str, str] = {
        "Processor": f"{processor()}, {os.cpu_count()} cores, one thread used",
        "Memory": f"{memory:.0f} GiB",
        "Software": f"Python {platform.python_version()}, {', '.join(versions)}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items()), ""])


def processor() -> str:
    """Name of the processor, as the system has it."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def section(name: str, arguments: Sequence[str], against: str = "") -> str:
    """A benchmark's description and what it prints; `against` names the peers."""
    file = HERE / f"bench_{name}.py"
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    about = text.partition("\nRun")[0].strip()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(file), *arguments]
    load = os.getloadavg()[0]
    printed = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {commit}; load of the machine before: {load:.1f}."
    measured += f" Peers: {against}." if against else ""
    return f"## {name.capitalize()}\n\n{about}\n\n{measured}\n\n```\n{printed.strip()}\n```\n"


if __name__ == "__main__":
    main()
