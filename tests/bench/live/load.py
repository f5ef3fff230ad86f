"""The load client's other end: starts it on its own core and asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.bench.live.machine import OTHER_CORE, pin
from tests.processes import ROOT


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a load of requests got: answered per second, statuses, seconds each took."""

    per_s: float
    statuses: dict[str, int]
    p50_s: float
    p99_s: float
    max_s: float


class Load:
    """One load client process."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen

    def ask(self, do: str, **what: Any) -> Any:
        """Have something done, and wait for the answer."""
        self.tell(do, **what)
        return self.answer()

    def tell(self, do: str, **what: Any) -> None:
        """Have something begun; :meth:`answer` is due."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self.popen.stdin.flush()

    def answer(self) -> Any:
        """Return the answer to the last :meth:`tell`."""
        assert self.popen.stdout is not None
        return json.loads(self.popen.stdout.readline())

    def open(
        self, port: int, paths: Sequence[str], *, ready: str, kind: str = "sse", at_once: int = 100
    ) -> float:
        """Open viewers; return how many were connected per second.

        Raises:
            AssertionError: not all came.
        """
        done = self.ask("open", port=port, paths=list(paths), kind=kind, ready=ready, at_once=at_once)
        assert done["opened"] == len(paths), f"{done['opened']} of {len(paths)} viewers were served"
        return len(paths) / float(done["seconds"])

    def requests(
        self, port: int, request: str, *, connections: int, seconds: float, pause_s: float = 0
    ) -> Answers:
        """Send a request over and over, with a pause after each answer."""
        self.begin_requests(port, request, connections=connections, seconds=seconds, pause_s=pause_s)
        return self.end_requests()

    def begin_requests(
        self, port: int, request: str, *, connections: int, seconds: float, pause_s: float = 0
    ) -> None:
        """Begin what :meth:`requests` does; :meth:`end_requests` is due."""
        what = {"connections": connections, "seconds": seconds, "pause_s": pause_s}
        self.tell("requests", port=port, request=request, **what)

    def end_requests(self) -> Answers:
        """Wait for the end of what :meth:`begin_requests` began."""
        got = self.answer()
        per_s = sum(n for name, n in got["statuses"].items() if name.isdigit()) / got["seconds"]
        return Answers(
            per_s=per_s, statuses=got["statuses"], p50_s=got["p50"], p99_s=got["p99"], max_s=got["max"]
        )


@contextmanager
def load_client() -> Iterator[Load]:
    """Run a load client."""
    command = [sys.executable, "-m", "tests.bench.live.client"]
    popen = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    pin(popen.pid, OTHER_CORE)
    try:
        yield Load(popen)
    finally:
        assert popen.stdin is not None
        assert popen.stdout is not None
        popen.stdin.close()
        popen.stdout.close()
        popen.kill()
        popen.wait()
