"""What a store of many runs costs: a plan, a launch that has been answered before, a page, MLflow's own table.

One small launch of the λ question is real. Its runs, with their tags, params and curves, are copied in the database
under other digests until there are so many, all of the same data. Each command is a process of its own: its time in s
in a store of that one launch and in the full one, by the clock and of the CPU (without that of a database server), and
the ratios.
Run: python tests/benchmarks/bench_store.py --runs 10000
On a PostgreSQL server of its own, where that is installed: python tests/benchmarks/bench_store.py --store postgresql
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import sqlalchemy
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]
SMALL = "network.base_width=2,network.depth=1,data.image_size=32,data.images=2,training.steps=50,tuning.trials=0"
TINY = "network.base_width=2,network.depth=1,data.image_size=32,data.images=2,training.steps=2,tuning.trials=0"
OF_A_RUN = ("runs", "tags", "params", "metrics", "latest_metrics")  # tables of MLflow with a row or more for each run
DIGESTS = ("digest", "training_digest", "settings_digest", "answer_digest")  # tags by which results are known
AT_ONCE = 50  # copies in a transaction


def now() -> np.ndarray:
    """The clock, and the CPU time of this process and of those that it has waited for, s."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)])


def command(folder: Path, environment: Mapping[str, str], *words: str) -> np.ndarray:
    """Time of a command, by the clock and of the CPU, s."""
    started = now()
    subprocess.run([sys.executable, "-m", *words], cwd=folder, env=environment, check=True, capture_output=True)
    return now() - started


def copies(rows: dict[str, list[dict]], number: int) -> dict[str, list[dict]]:
    """The rows of a launch once more, as another one."""
    ids = {run["run_uuid"]: uuid.uuid4().hex for run in rows["runs"]}
    made = {table: [row | {"run_uuid": ids[row["run_uuid"]]} for row in found] for table, found in rows.items()}
    for tag in made["tags"]:
        if tag["key"] in DIGESTS:
            tag["value"] = f"{number:x}{tag['value']}"[:12]
        elif tag["key"] in ("mlflow.parentRunId", "launch"):
            tag["value"] = ids[tag["value"]]
    for run in made["runs"]:
        run["start_time"] -= 1000 * number  # older than the real one
        run["artifact_uri"] = run["artifact_uri"].replace(run["run_uuid"], "")
    return made


def fill(store: str, runs: int) -> int:
    """Copy the launch of a store until there are so many runs; gives their number."""
    engine = sqlalchemy.create_engine(store)
    known = sqlalchemy.MetaData()
    known.reflect(engine, only=OF_A_RUN)
    with engine.connect() as connection:
        rows = {
            name: [dict(row) for row in connection.execute(known.tables[name].select()).mappings()] for name in OF_A_RUN
        }
    launches = -(-runs // len(rows["runs"])) - 1
    for first in range(0, launches, AT_ONCE):
        with engine.begin() as connection:
            for number in range(first, min(first + AT_ONCE, launches)):
                for name, made in copies(rows, number + 1).items():
                    if made:
                        connection.execute(known.tables[name].insert(), made)
    engine.dispose()
    return (launches + 1) * len(rows["runs"])


def table_of_the_page(store: str) -> np.ndarray:
    """Time of what MLflow's page asks for first: the newest 100 runs of an experiment, s."""
    client = MlflowClient(store)
    experiments = [e.experiment_id for e in client.search_experiments() if e.name != "Default"]
    client.search_runs(experiments, max_results=1)
    started = now()
    client.search_runs(experiments, order_by=["attributes.start_time DESC"], max_results=100)
    return now() - started


@contextmanager
def opened(store: str, folder: Path) -> Iterator[str]:
    """The address of an empty store."""
    if store != "postgresql":
        yield f"sqlite:///{folder}/mlflow.db"
        return
    sys.path.append(str(ROOT))
    from tests.servers import postgres

    with postgres() as address:
        yield address


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", default=10_000, type=int)
    parser.add_argument("--store", default="sqlite", help="sqlite or postgresql")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    runs, settings = (30, TINY) if given.tiny else (given.runs, SMALL)
    with tempfile.TemporaryDirectory() as place, opened(given.store, Path(place)) as store:
        folder = Path(place)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        environment |= {"MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(ROOT)}
        question = "cells" if given.tiny else "lambda"  # of two runs, and of twelve
        launch = ["ablations", question, "--profile", "smoke", "--set", settings, "--report", "0"]
        command(folder, environment, *launch)
        tasks = {
            "plan of another seed": [*launch, "--seeds", "1", "--plan_only", "1"],
            "answered before": launch,
            "page of its tables": ["reports", "wnet_tables"],
        }
        tasks = {"plan of another seed": tasks["plan of another seed"]} if given.tiny else tasks

        def measured() -> dict[str, np.ndarray]:
            taken = {what: command(folder, environment, *words) for what, words in tasks.items()}
            return taken | {"MLflow's table": table_of_the_page(store)}

        if not given.tiny:
            measured()  # the first call of each reads its modules from the disk
        before, started = measured(), time.perf_counter()
        count = fill(store, runs)
        filled, after = time.perf_counter() - started, measured()
        file = folder / "mlflow.db"
        size = f", {file.stat().st_size / 2**20:.0f} MiB" if file.exists() else ""
        print(f"{given.store}, {count} runs{size} (filled in {filled:.0f} s); s by the clock, and of the CPU")
        print(f"{'':24}{'one launch':>20}{'full':>20}{'ratio':>20}")
        for what in before:
            cells = (before[what], after[what], after[what] / before[what])
            print(f"{what:24}" + "".join(f"{clock:12.2f}{cpu:8.2f}" for clock, cpu in cells))


if __name__ == "__main__":
    main()
