"""What processes cost: CPU time and memory, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Stat:
    """The fields of proc_pid_stat(5) that matter here: 4 (ppid) and 14 to 17 (CPU time, own and of reaped children)."""

    parent: int
    own_ticks: int
    reaped_ticks: int


def cpu_seconds(root: int) -> float:
    """CPU time, user and system, of a process, everything below it, and every child that has been waited for."""
    stats = _stats()
    return sum(stats[pid].own_ticks + stats[pid].reaped_ticks for pid in _tree(root, stats)) / TICKS_PER_S


def own_cpu_seconds() -> float:
    """CPU time of the calling process alone."""
    times = os.times()
    return times.user + times.system


def pss_bytes(root: int) -> int:
    """Proportional set size of a process and everything below it: shared pages count by their share."""
    return sum(_pss(pid) for pid in _tree(root, _stats()))


def _tree(root: int, stats: dict[int, _Stat]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found, waiting = [], [root] if root in stats else []
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


def _stats() -> dict[int, _Stat]:
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in parentheses, may hold anything.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended since
        found[int(entry.name)] = _Stat(
            int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
        )
    return found


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
