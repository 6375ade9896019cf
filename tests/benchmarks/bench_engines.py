"""Wall time of a launch by one worker and by two, of one thread each, and what an engine adds to each run.

Twelve equal trainings of the λ question on synthetic leaves, in a store of their own. `wall` is from the start of the
first run to the end of the last, so without the start of the program; `scaling` the ratio of one worker to two;
`between runs` the time of a worker, per run, in which no run was there.
Run, on two idle cores: python tests/benchmarks/bench_engines.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

GOAL = 1.8
ENGINES = {
    "pool": [],
    "dask": ["--scheduler", "local", "--cluster", "dask.yaml"],
    "slurm": ["--cluster", "jobs.yaml"],  # submitit's jobs on this machine
}
SIZES = "network.base_width=8,network.depth=3,data.image_size=64,training.threads=1,training.batch_size=4"
TINY = "network.base_width=2,network.depth=1,data.image_size=32,data.images=2,training.threads=1"


def run(engine: str, workers: int, settings: str) -> tuple[float, float, int]:
    """Wall time of a launch in s, the sum of the times of its runs, and their number."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "dask.yaml").write_text(f"jobs: {workers}\n")
        (folder / "jobs.yaml").write_text("engine: local\ntimeout_min: 60\n")
        words = [sys.executable, "-m", "ablations", "lambda", "--profile", "smoke", "--set", settings, "--report", "0"]
        words += ["--executor", engine, "--slots", str(workers), *ENGINES[engine]]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
        client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        (experiment,) = [e.experiment_id for e in client.search_experiments() if e.name != "Default"]
        runs = client.search_runs([experiment], "tags.`mlflow.parentRunId` != ''")
        times = [(run.info.start_time / 1e3, run.info.end_time / 1e3) for run in runs]
    return max(end for _, end in times) - min(start for start, _ in times), sum(b - a for a, b in times), len(times)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--steps", default=300, type=int, help="of each training")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    settings, engines, counts = f"{SIZES},training.steps={given.steps}", given.engines.split(","), (1, 2)
    if given.tiny:
        settings, engines, counts = f"{TINY},training.steps=2,tuning.trials=0", ["pool"], (2,)
    print(f"goal: scaling of at least {GOAL}")
    print("engine  workers   wall, s   scaling   between runs, s")
    for engine in engines:
        first = None
        for workers in counts:
            wall, inside, runs = run(engine, workers, settings)
            first = first or wall
            between = (wall * workers - inside) / runs
            print(f"{engine:8}{workers:7}{wall:10.1f}{first / wall:10.2f}{between:18.2f}", flush=True)


if __name__ == "__main__":
    main()
