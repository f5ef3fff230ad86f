"""The log files of the embedded services: appended to, kept small, quoted when a start fails."""

from __future__ import annotations

from pathlib import Path
from typing import IO

LARGEST_BYTES = 10_000_000
TAIL_BYTES = 4_000


def open_log(path: Path) -> IO[bytes]:
    """Open `path` for appending; one that has grown large is set aside as ``….old`` first."""
    if path.exists() and path.stat().st_size > LARGEST_BYTES:
        path.replace(path.with_name(path.name + ".old"))
    return path.open("ab")


def last_lines(path: Path, count: int = 5) -> str:
    """Return the last `count` lines of `path`, indented; empty when there are none."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-count:])
