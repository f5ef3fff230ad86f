"""What a delivery costs: CPU of the serving process, and how long a message is on its way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.live import machine
from tests.bench.live.load import Load
from tests.bench.live.publish import paced
from tests.bench.live.targets import Target

SETTLE_S = 0.6
ARRIVE_S = 10.0
MOST_MISSING = 0.001
WARM_VIEWERS = 100


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Who watches what, and what is published.

    Args:
        name: what the tables call it.
        viewers: the channel of each viewer.
        rounds: how often every channel gets a message.
        per_s: messages published a second.
    """

    name: str
    viewers: Sequence[str]
    rounds: int
    per_s: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What was measured of one scenario on one server; times in seconds."""

    viewers: int
    deliveries: int
    expected: int
    cpu_s: float
    p50_s: float
    p99_s: float
    connects_per_s: float
    idle_bytes: float
    """Memory of the serving processes for each idle viewer."""

    @property
    def cpu_us(self) -> float:
        """CPU per delivery, in microseconds."""
        return self.cpu_s / max(1, self.deliveries) * 1e6

    @property
    def whole(self) -> bool:
        """Whether everything arrived."""
        return self.deliveries >= self.expected * (1 - MOST_MISSING)


class Seqs:
    """The last number published on each channel: a course's log has one entry when it is created."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def plan(self, names: Sequence[str], rounds: int) -> list[tuple[str, int]]:
        """Return the next `rounds` messages of every channel, in the order to publish them."""
        return [(name, self._next(name)) for _ in range(rounds) for name in names]

    def _next(self, name: str) -> int:
        self._last[name] = self._last.get(name, 1) + 1
        return self._last[name]


def deliver(target: Target, load: Load, scenario: Scenario) -> Cost:
    """Open the viewers, publish, wait until all has arrived, close them again."""
    idle_bytes, connects_per_s = idle(target, load, scenario.viewers)
    publisher = target.publisher()
    seqs = Seqs()
    channels = sorted(set(scenario.viewers))
    expected = len(scenario.viewers) * scenario.rounds
    paced(publisher, seqs.plan(channels[:50], 1), 200)  # warm
    time.sleep(SETTLE_S)
    load.ask("mark")
    before_s = machine.cpu_s(target.pids)
    paced(publisher, seqs.plan(channels, scenario.rounds), scenario.per_s)
    deliveries = _arrived(load, expected)
    used_s = machine.cpu_s(target.pids) - before_s
    lags = load.ask("lags")
    publisher.close()
    load.ask("close")
    time.sleep(SETTLE_S)
    return Cost(
        viewers=len(scenario.viewers),
        deliveries=deliveries,
        expected=expected,
        cpu_s=used_s,
        p50_s=lags["p50"],
        p99_s=lags["p99"],
        connects_per_s=connects_per_s,
        idle_bytes=idle_bytes,
    )


def idle(target: Target, load: Load, viewers: Sequence[str], *, kind: str = "sse") -> tuple[float, float]:
    """Open viewers; return the memory each takes, and how many were connected per second.

    Memory is the growth with the second half of them. Some are opened and closed before, for what is
    allocated once is not a viewer's, and the first half may still fit into what a process freed when it had
    started.
    """
    connect(target, load, viewers[:WARM_VIEWERS], kind=kind)
    load.ask("close")
    time.sleep(SETTLE_S)
    half = len(viewers) // 2
    first_per_s = connect(target, load, viewers[:half], kind=kind)
    time.sleep(SETTLE_S)
    before = machine.memory_bytes(target.pids)
    second_per_s = connect(target, load, viewers[half:], kind=kind)
    time.sleep(SETTLE_S)
    grown = machine.memory_bytes(target.pids) - before
    return grown / (len(viewers) - half), 2 / (1 / first_per_s + 1 / second_per_s)


def connect(target: Target, load: Load, viewers: Sequence[str], *, kind: str = "sse") -> float:
    """Open viewers, dealt out among the target's processes; return how many were connected per second."""
    path, ready = (target.path, target.ready) if kind == "sse" else (target.socket_path, target.socket_ready)
    assert path is not None, f"{target.name} has no WebSocket"
    rates = [
        load.open(
            port, [path.format(name) for name in viewers[i :: len(target.ports)]], ready=ready, kind=kind
        )
        for i, port in enumerate(target.ports)
    ]
    return sum(rates) / len(rates)


def _arrived(load: Load, expected: int) -> int:
    """Wait until all has arrived or nothing more does; return how much did."""
    deadline = time.monotonic() + ARRIVE_S
    while True:
        events = int(load.ask("count")["events"])
        if events >= expected or time.monotonic() > deadline:
            return events
        time.sleep(0.02)
