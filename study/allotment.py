"""The cores and the memory that this process may use, which on a shared machine are fewer than there are.

A batch system, a container or `taskset` allots a part of the machine by the affinity of a process, by the limits of its
control group and of those above it, and SLURM also by variables. The least of them counts. GPUs need nothing here:
torch sees those in ``CUDA_VISIBLE_DEVICES`` alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/")
_GROUPS = Path("sys/fs/cgroup")
_UNLIMITED = 2**60  # bytes; version 1 writes a number like this where there is no limit


def cores(root: Path = _ROOT) -> int:
    """The number of CPU cores that this process may use, at least 1.

    Parameters
    ----------
    root : Path
        Where the files of the system are.
    """
    everywhere = os.cpu_count() or 1
    bounds = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else everywhere]
    for folder in _groups("cpu", root):
        version_1 = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
        words = _words(folder / "cpu.max") or version_1
        if len(words) == 2 and all(word.isdecimal() for word in words):  # no limit: `max`, or -1
            bounds.append(int(words[0]) // int(words[1]))
    bounds += _slurm("SLURM_CPUS_PER_TASK") or _slurm("SLURM_CPUS_ON_NODE")
    return max(1, min(bounds))


def memory(root: Path = _ROOT) -> int:
    """Bytes of memory that this process and those that it starts may still take.

    What a control group holds of files, and would give back, counts as free, as it does for the whole machine.
    """
    bounds = [psutil.virtual_memory().available]
    for folder in _groups("memory", root):
        limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
        used = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
        if limit is not None and used is not None and limit < _UNLIMITED:
            bounds.append(limit - used + _cached_files(folder))
    per_core = [mebibytes * cores(root) for mebibytes in _slurm("SLURM_MEM_PER_CPU")]
    bounds += [mebibytes * 2**20 for mebibytes in _slurm("SLURM_MEM_PER_NODE") or per_core]
    return max(0, min(bounds))


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """The folders of the control group of this process, and of those above it, for `cpu` or `memory`.

    Both versions are looked at: some machines have the one for the cores and the other for the memory. A container may
    show its group as the topmost one, under whichever name it has outside.
    """
    listed = root / "proc/self/cgroup"
    for line in listed.read_text().splitlines() if listed.is_file() else ():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            names = ("unified", "")
        elif controller in controllers.split(","):
            names = (controllers, controller)
        else:
            continue
        mount = next((root / _GROUPS / name for name in names if (root / _GROUPS / name).is_dir()), root / _GROUPS)
        group = mount / path.lstrip("/")
        yield group
        while group != mount:
            group = group.parent
            yield group


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:  # no such file at the top, or in the other version
        return []


def _number(*files: Path) -> int | None:
    """The number in the first of some files that holds one."""
    return next((int(word) for file in files for word in _words(file) if word.isdecimal()), None)


def _cached_files(folder: Path) -> int:
    words = _words(folder / "memory.stat")
    sizes = {name: int(size) for name, size in zip(words[::2], words[1::2], strict=True)}
    return sizes.get("total_inactive_file", sizes.get("inactive_file", 0))


def _slurm(name: str) -> list[int]:
    """The value of a variable of SLURM, if it is set to a number; 0 stands for all of a node."""
    value = os.environ.get(name, "")
    return [int(value)] if value.isdecimal() and int(value) else []
