import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from study.allotment import cores, memory

MIB = 2**20


@pytest.fixture(autouse=True)
def large_machine(monkeypatch):
    """64 cores and 1000 MiB, all of which the process may use, and no batch system."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000 * MIB))
    for name in list(os.environ):
        if name.startswith("SLURM_"):
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path):
    """Writes the files of a system, path -> text; gives its root."""

    def write(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_no_limits(write):
    root = write({})
    assert (cores(root), memory(root)) == (64, 1000 * MIB)


def test_affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert cores() <= 2
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert 1 <= cores() <= 64


@pytest.mark.skipif(shutil.which("taskset") is None, reason="there is no taskset here")
def test_taskset():
    words = [sys.executable, "-c", "from study.allotment import cores; print(cores())"]
    first = min(psutil.Process().cpu_affinity())
    found = subprocess.run(["taskset", "-c", str(first), *words], capture_output=True, text=True, check=True)
    assert found.stdout == "1\n"


@pytest.mark.parametrize(
    ("quota", "wanted"), [("max 100000", 64), ("800000 100000", 8), ("150000 100000", 1), ("50000 100000", 1)]
)
def test_cores_of_a_control_group(write, quota, wanted):
    job = "system.slice/slurmstepd.scope/job_7"
    files = {"proc/self/cgroup": f"0::/{job}/step_0\n", f"sys/fs/cgroup/{job}/cpu.max": quota}
    assert cores(write(files)) == wanted  # the limit may be that of a group above


@pytest.mark.parametrize(("quota", "wanted"), [(-1, 64), (200_000, 2)])
def test_cores_of_a_control_group_of_version_1(write, quota, wanted):
    files = {
        "proc/self/cgroup": "4:memory:/docker/a1\n3:cpu,cpuacct:/docker/a1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": f"{quota}\n",  # in a container its group is the topmost
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    assert cores(write(files)) == wanted


def test_memory_of_a_control_group(write):
    files = {
        "proc/self/cgroup": "0::/job/step\n",
        "sys/fs/cgroup/job/memory.max": f"{500 * MIB}\n",
        "sys/fs/cgroup/job/memory.current": f"{300 * MIB}\n",
        "sys/fs/cgroup/job/memory.stat": f"anon 7\ninactive_file {100 * MIB}\n",
        "sys/fs/cgroup/job/step/memory.max": "max\n",
        "sys/fs/cgroup/job/step/memory.current": f"{300 * MIB}\n",
    }
    assert memory(write(files)) == 300 * MIB
    assert memory(write({"sys/fs/cgroup/job/memory.current": f"{900 * MIB}\n"})) == 0


@pytest.mark.parametrize(("limit", "wanted"), [(400 * MIB, 350 * MIB), (9223372036854771712, 1000 * MIB)])
def test_memory_of_a_control_group_of_version_1(write, limit, wanted):
    files = {
        "proc/self/cgroup": "4:memory:/docker/a1\n1:name=systemd:/\n0::/\n",
        "sys/fs/cgroup/memory/docker/a1/memory.limit_in_bytes": f"{limit}\n",
        "sys/fs/cgroup/memory/docker/a1/memory.usage_in_bytes": f"{60 * MIB}\n",
        "sys/fs/cgroup/memory/docker/a1/memory.stat": f"inactive_file 1\ntotal_inactive_file {10 * MIB}\n",
        "sys/fs/cgroup/unified/cgroup.procs": "1\n",
    }
    assert memory(write(files)) == wanted


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"CPUS_PER_TASK": "8"}, (8, 1000)),
        ({"CPUS_ON_NODE": "16"}, (16, 1000)),
        ({"CPUS_PER_TASK": "8", "CPUS_ON_NODE": "16", "MEM_PER_CPU": "100"}, (8, 800)),
        ({"MEM_PER_NODE": "600"}, (64, 600)),
        ({"MEM_PER_NODE": "0"}, (64, 1000)),  # all of the node
        ({"CPUS_ON_NODE": "a lot"}, (64, 1000)),
    ],
)
def test_variables_of_slurm(write, monkeypatch, variables, wanted):
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    root = write({})
    assert (cores(root), memory(root) // MIB) == wanted
