"""The number of processor cores that this process may use."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def usable_cpus() -> int:
    """Return the number of cores, at most what the process's affinity and cgroup permit."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = (len(affinity(0)) if affinity else os.cpu_count()) or 1
    try:
        own = _OWN.read_text()
    except OSError:  # no Linux
        return cores
    return cpus_within(cores, cpu_limits(own, _CGROUP))


def cpus_within(cores: int, limits: list[str]) -> int:
    """Return the cores that limits leave: time in time out of a period, such as `150000 100000`.

    A part of a core counts as one; `max` is no limit.
    """
    for limit in limits:
        quota, _, period = limit.strip().partition(" ")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            cores = min(cores, -(-int(quota) // int(period)))
    return max(cores, 1)


def cpu_limits(own: str, root: Path) -> list[str]:
    """Return the content of each `cpu.max` that holds for a process.

    Args:
        own: the content of the process's /proc/self/cgroup.
        root: where cgroups (version 2) are mounted.
    """
    paths = [line.removeprefix("0::").strip("/") for line in own.splitlines() if "0::" in line]
    folder = root / (paths[0] if paths else "")
    folders = [folder, *folder.parents]
    files = [one / "cpu.max" for one in folders[: folders.index(root) + 1]]
    return [file.read_text() for file in files if file.is_file()]
