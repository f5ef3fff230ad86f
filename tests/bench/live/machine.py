"""Cores, CPU time and memory of processes, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVING_CORE = CORES[0]
OTHER_CORE = CORES[-1]
"""Where the clients, the publisher and Redis are: the serving process has its core to itself."""


def pin(pid: int, core: int) -> None:
    """Keep a process, all its threads so far, on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have used, user and system, in seconds."""
    return sum(_cpu_ticks(pid) for pid in pids) / TICKS_PER_S


def _cpu_ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def memory_bytes(pids: Iterable[int]) -> int:
    """Return the memory of processes, shared pages divided among those who share them (Pss)."""
    return sum(_field(pid, "smaps_rollup", "Pss:") for pid in pids)


def peak_bytes(pid: int) -> int:
    """Return the most memory a process has had resident since :func:`reset_peak` (VmHWM)."""
    return _field(pid, "status", "VmHWM:")


def reset_peak(pid: int) -> None:
    """Begin anew to note a process's most resident memory (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _field(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no {name} in {file}")


def open_sockets(pid: int, port: int) -> int:
    """Return how many connections to `port` a process holds, those included whose viewer it has forgotten."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(str(link.readlink()))
        except FileNotFoundError:
            continue  # closed while we looked
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        1
        for row in rows
        if row[1].endswith(f":{port:04X}") and row[3] != _LISTENING and f"socket:[{row[9]}]" in held
    )


_LISTENING = "0A"


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
