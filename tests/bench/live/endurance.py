"""The soaks as tables."""

from __future__ import annotations

import asyncio
import logging

from tests.bench.live import silent, soaks
from tests.bench.live.delivery import Scenario, deliver
from tests.bench.live.load import load_client
from tests.bench.live.tables import CROWD, ONE_EACH
from tests.bench.live.targets import ours
from tests.bench.live.world import World, spread_out
from tests.bench.report import Table, ms

MB = 2**20
COLUMNS = ("what", "figure", "wanted", "met")


async def measure(world: World) -> list[Table]:
    """Run all of it."""
    logging.getLogger("pipeline.bus").setLevel(logging.ERROR)  # that publishing fails is what is asked for
    tables = []
    for soak in (_cuts, _storm, _vanish, _silent, _ten_thousand):
        tables.append(await soak(world))
        print(tables[-1].markdown(), end="\n\n", flush=True)
        await world.end_all()
    return tables


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def _mb(value: float) -> str:
    return f"{value / MB:.1f} MB"


async def _cuts(world: World) -> Table:
    got = await soaks.cuts(world, soaks.Cuts())
    table = Table(
        "Cut at random points",
        f"{got.viewers:,} viewers over SSE, WebSocket and long-poll at two servers, each cut five times at "
        "random points of the log (a reset, or a close in the middle of what was sent), each time back over "
        f"a transport chosen at random. Meanwhile {got.kills} `kill -9` of a server, and {got.redis_cuts} "
        "times all Redis connections of a kind killed. What every viewer received is compared with the log, "
        f"byte for byte. {got.seconds:.0f} s.",
        COLUMNS,
    )
    deliveries = got.counts["deliveries"]
    table.add("deliveries", f"{deliveries:,}", "≥ 100,000", _met(deliveries >= 100_000))
    for name in soaks.BAD:
        table.add(name, str(got.counts[name]), "0", _met(got.counts[name] == 0))
    for name, count in sorted(got.counts.items()):
        if name not in (*soaks.BAD, "deliveries"):
            is_wrong = name.startswith("unexpected")
            table.add(name, f"{count:,}", "0" if is_wrong else "–", _met(False) if is_wrong else "–")
    return table


async def _storm(world: World) -> Table:
    got = await soaks.storm(world, viewers=5_000, courses=500)
    table = Table(
        "Reconnect storm",
        f"{got.viewers:,} viewers of 500 courses are cut at once; while they are away every log grows by "
        f"{soaks.MISSED} entries; then all come back in the same instant, without the jitter that real "
        "clients are asked for. Server and clients have a core each; two pollers go on all the time.",
        COLUMNS,
    )
    failed = sum(n for status, n in got.polls.statuses.items() if status != "200")
    table.add("all caught up after", f"{got.caught_up_s:.1f} s (median {got.median_s:.1f} s)", "all", "yes")
    table.add("memory before, with all connected", _mb(got.before_bytes), "–", "–")
    table.add("peak resident memory", _mb(got.peak_bytes), "–", "–")
    table.add("memory afterwards, with all connected", _mb(got.after_bytes), "–", "–")
    table.add("polls not answered with 200", str(failed), "0", _met(failed == 0))
    for when, polls in (("before", got.calm_polls), ("during", got.polls)):
        figures = f"p50 {ms(polls.p50_s)}, p99 {ms(polls.p99_s)}, max {ms(polls.max_s)}"
        table.add(f"a poll, {when}", figures, "–", "–")
    return table


async def _vanish(world: World) -> Table:
    got = await soaks.vanish(world, viewers=1_000)
    table = Table(
        "Viewers that vanish",
        f"{got.viewers:,} SSE viewers, one on each course, whose process is killed; three times. Memory is "
        "the server's (Pss); a first round also pays for what is allocated once.",
        (
            "round",
            "memory before",
            "with the viewers",
            "afterwards",
            "sockets before, with, after",
            "all gone after",
        ),
    )
    rounds = zip(got.before, got.during, got.after, got.gone_s, strict=True)
    for number, (before, during, after, gone_s) in enumerate(rounds, 1):
        sockets = f"{before[1]}, {during[1]}, {after[1]}"
        table.add(str(number), _mb(before[0]), _mb(during[0]), _mb(after[0]), sockets, f"{gone_s:.1f} s")
    return table


async def _silent(world: World) -> Table:
    got = await silent.silent(world, peers=200, courses=20, entries=600, padding=4_000)
    table = Table(
        "Peers that never read",
        f"{got.peers} SSE peers with a receive buffer of {silent.RECEIVE_BUFFER:,} bytes that never read, on "
        f"courses whose logs have {got.log_bytes / MB:.1f} MB each. The time counts from the first peer's "
        "request; a peer's first blocked write comes when it is served.",
        COLUMNS,
    )
    table.add(
        "peers served", f"{got.served} within {got.served_s:.1f} s", "all", _met(got.served == got.peers)
    )
    is_gone = got.sockets_left <= soaks.SPARE_SOCKETS
    since_last_s = got.gone_s - got.served_s
    figure = f"{got.gone_s:.1f} s; {since_last_s:.1f} s after the last was served"
    table.add("viewers and sockets gone after", figure, "≤ 35 s", _met(since_last_s <= 35 and is_gone))
    table.add("memory before", _mb(got.before_bytes), "–", "–")
    each = (got.peak_bytes - got.before_bytes) / got.peers / 1024
    table.add("peak resident memory", f"{_mb(got.peak_bytes)} ({each:.0f} KB a peer)", "bounded", "yes")
    table.add("memory afterwards", _mb(got.after_bytes), "–", "–")
    table.add(
        "memory with as many again",
        _mb(got.again_bytes),
        "no more",
        _met(got.again_bytes <= got.peak_bytes * 1.1),
    )
    table.add("SIGTERM with as many again", f"{got.exit_s:.1f} s", "≤ 10 s", _met(got.exit_s <= 10))
    return table


async def _ten_thousand(world: World) -> Table:
    viewers = 10_000
    ids = await world.courses(viewers)
    table = Table(
        "Ten thousand viewers",
        "One process; clients, publisher and Redis on the other core. For the smaller sizes see "
        "[Benchmarks](benchmarks.md).",
        ("watching", "CPU per delivery", "p50", "p99", "connects a second", "memory a viewer", "all arrived"),
    )

    def run() -> None:
        scenarios = (
            Scenario(name=ONE_EACH, viewers=ids, rounds=1, per_s=1_500),
            Scenario(name=CROWD, viewers=spread_out(ids[:1], viewers), rounds=10, per_s=1),
        )
        with load_client() as load, ours(world.settings, world.redis_port) as target:
            for scenario in scenarios:
                cost = deliver(target, load, scenario)
                table.add(
                    scenario.name,
                    f"{cost.cpu_us:.1f} µs",
                    ms(cost.p50_s),
                    ms(cost.p99_s),
                    f"{cost.connects_per_s:.0f}",
                    f"{cost.idle_bytes / 1024:.1f} KB",
                    "yes" if cost.whole else f"**{cost.deliveries} of {cost.expected}**",
                )

    await asyncio.to_thread(run)
    return table
