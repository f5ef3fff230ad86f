"""The rows of the table of numbers to beat: ours and the peers' in one run, with plots."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from tests.bench.live import capacity, machine, plots, routes
from tests.bench.live.delivery import Cost, Scenario, deliver, idle
from tests.bench.live.load import Load, load_client
from tests.bench.live.targets import Target, has_nchan, nchan, ours, python_peer, send_loop
from tests.bench.live.world import World, spread_out
from tests.bench.report import DOCS, Table, ms

OURS = "ours"
NCHAN = "nginx + nchan + Redis"
NCHAN_APART = f"{NCHAN}, posts to another nginx"
C_LOOP = "bare `send` loop in C, no Redis"
GROWTH = (500, 1_000, 2_000, 5_000)
Start = Callable[[], AbstractContextManager[Target]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How big the loads are."""

    viewers: int = 2_000
    rounds: int = 5
    per_s: float = 1_500
    crowd_rounds: int = 30
    crowd_per_s: float = 8
    growth: Sequence[int] = GROWTH


class Measured:
    """The costs found so far; of several rounds the better counts, for a disturbance only ever adds."""

    def __init__(self) -> None:
        self.costs: dict[tuple[str, str], Cost] = {}

    def add(self, target: str, scenario: str, cost: Cost) -> None:
        """Take a cost."""
        print(
            f"{target} · {scenario}: {cost.cpu_us:.1f} µs, p50 {ms(cost.p50_s)}, p99 {ms(cost.p99_s)}, "
            f"{cost.deliveries} of {cost.expected}, {cost.connects_per_s:.0f} connects/s, "
            f"{cost.idle_bytes / 1024:.1f} KB",
            flush=True,
        )
        earlier = self.costs.get((target, scenario))
        if earlier is not None:
            better = min(earlier, cost, key=lambda c: c.cpu_us)
            cost = replace(
                better,
                p50_s=min(earlier.p50_s, cost.p50_s),
                p99_s=min(earlier.p99_s, cost.p99_s),
                connects_per_s=max(earlier.connects_per_s, cost.connects_per_s),
                idle_bytes=min(earlier.idle_bytes, cost.idle_bytes),
            )
        self.costs[target, scenario] = cost

    def get(self, target: str, scenario: str) -> Cost | None:
        """Return a cost, if it was measured."""
        return self.costs.get((target, scenario))


ONE_EACH = "one viewer per course"
CROWD = "all viewers on one course"
MIXED = "mixed"
SHORT = {"one": ONE_EACH, "crowd": CROWD, "mixed": MIXED}
CHOICES = (*SHORT, "sockets", "routes")
"""What :func:`measure_some` can be asked for."""


async def measure(world: World, sizes: Sizes | None = None) -> list[Table]:
    """Run all of it; also writes the plots."""
    sizes = sizes or Sizes()
    ids = await world.courses(max(sizes.viewers, *sizes.growth))
    with load_client() as load:
        costs = await asyncio.to_thread(_deliveries, load, world, sizes, ids)
        sockets = await asyncio.to_thread(_sockets, load, world, ids[: sizes.viewers])
        grown = await asyncio.to_thread(_growth, load, world, sizes, ids)
        publish_us = await asyncio.to_thread(_publish_us, load, world, sizes, ids)
        await world.end_all()
        post = await routes.post(load, world)
        status = await routes.status(load, world)
        one, crowd = costs.get(OURS, ONE_EACH), costs.get(OURS, CROWD)
        assert one is not None
        assert crowd is not None
        figures = capacity.Figures(
            one_us=one.cpu_us,
            crowd_us=crowd.cpu_us,
            viewer_kb=one.idle_bytes / 1024,
            connects_per_s=one.connects_per_s,
            posts_per_s=post.ours_per_s,
            polls_per_s=status.ours_per_s,
            appends_per_s=await capacity.appends_per_s(world),
            publish_us=publish_us,
        )
    capacity.write(figures)
    _plot(costs, grown)
    return [
        _targets(costs, sockets, post, status),
        _delivery_table(costs, sizes),
        _growth_table(grown),
        _memory_table(costs, sockets),
    ]


async def measure_some(world: World, chosen: Sequence[str], sizes: Sizes | None = None) -> list[Table]:
    """Run only the rows of a few scenarios, against the peers that they are compared with; writes nothing."""
    sizes = sizes or Sizes()
    ids = await world.courses(sizes.viewers)
    names = [SHORT[short] for short in chosen if short in SHORT]
    tables = []
    with load_client() as load:
        if names:
            plan = [(start, [n for n in shown if n in names]) for start, shown in _rivals(world)] * 2
            costs = await asyncio.to_thread(_run, load, plan, _scenarios(sizes, ids))
            tables += [_delivery_table(costs, sizes)]
        if "sockets" in chosen:
            sockets = await asyncio.to_thread(_sockets, load, world, ids)
            tables += [_memory_table(Measured(), sockets)]
        if "routes" in chosen:
            await world.end_all()
            tables += [_routes_table(await routes.post(load, world), await routes.status(load, world))]
    return tables


# --- measuring ----------------------------------------------------------------------------------------


def _scenarios(sizes: Sizes, ids: Sequence[str]) -> dict[str, Scenario]:
    n = sizes.viewers
    crowds, alone = spread_out(ids[:10], n // 2), ids[10 : 10 + n // 2]
    return {
        ONE_EACH: Scenario(name=ONE_EACH, viewers=ids[:n], rounds=sizes.rounds, per_s=sizes.per_s),
        CROWD: Scenario(
            name=CROWD, viewers=spread_out(ids[:1], n), rounds=sizes.crowd_rounds, per_s=sizes.crowd_per_s
        ),
        MIXED: Scenario(name=MIXED, viewers=[*crowds, *alone], rounds=sizes.rounds, per_s=sizes.per_s / 2),
    }


def _rivals(world: World) -> list[tuple[Start, tuple[str, ...]]]:
    """Return ours and what it is compared with, each with the scenarios it can do."""
    redis_port, folder = world.redis_port, world.folder
    plan: list[tuple[Start, tuple[str, ...]]] = [
        (lambda: ours(world.settings, redis_port), (ONE_EACH, CROWD, MIXED)),
        (lambda: python_peer("bare-send", redis_port), (ONE_EACH, CROWD)),
    ]
    if shutil.which("cc"):
        plan.append((lambda: send_loop(folder), (CROWD,)))
    if has_nchan():
        plan.append((lambda: nchan(folder, redis_port, posts_elsewhere=False), (ONE_EACH, CROWD, MIXED)))
        plan.append((lambda: nchan(folder, redis_port, posts_elsewhere=True), (ONE_EACH,)))
    return plan


def _deliveries(load: Load, world: World, sizes: Sizes, ids: Sequence[str]) -> Measured:
    redis_port = world.redis_port
    once: list[tuple[Start, tuple[str, ...]]] = [
        (lambda: python_peer("event-source-shared", redis_port), (ONE_EACH, CROWD)),
        (lambda: python_peer("event-source-own", redis_port), (ONE_EACH, CROWD)),
        (lambda: ours(world.settings, redis_port, processes=2), (ONE_EACH, CROWD)),
    ]
    return _run(load, [*_rivals(world) * 2, *once], _scenarios(sizes, ids))


def _run(
    load: Load, plan: Sequence[tuple[Start, Sequence[str]]], scenarios: Mapping[str, Scenario]
) -> Measured:
    measured = Measured()
    for start, names in plan:
        if names:
            with start() as target:
                for name in names:
                    measured.add(target.name, name, deliver(target, load, scenarios[name]))
    return measured


def _sockets(load: Load, world: World, ids: Sequence[str]) -> dict[str, float]:
    """Return the memory of an idle WebSocket viewer, by server."""
    starts: list[Start] = [lambda: ours(world.settings, world.redis_port)]
    if has_nchan():
        starts.append(lambda: nchan(world.folder, world.redis_port, posts_elsewhere=False))
    found = {}
    for start in starts:
        with start() as target:
            found[target.name], _ = idle(target, load, ids, kind="ws")
            load.ask("close")
    return found


def _growth(load: Load, world: World, sizes: Sizes, ids: Sequence[str]) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = {ONE_EACH: [], CROWD: []}
    for n in sizes.growth:
        one = Scenario(name=ONE_EACH, viewers=ids[:n], rounds=max(2, 4_000 // n), per_s=sizes.per_s)
        crowd = Scenario(
            name=CROWD, viewers=spread_out(ids[:1], n), rounds=max(8, 40_000 // n), per_s=10_000 / n
        )
        with ours(world.settings, world.redis_port) as target:
            for scenario in (one, crowd):
                cost = deliver(target, load, scenario)
                found[scenario.name].append(cost)
                print(f"growth {n} · {scenario.name}: {cost.cpu_us:.1f} µs", flush=True)
    return found


def _publish_us(load: Load, world: World, sizes: Sizes, ids: Sequence[str]) -> float:
    """Return what a message with one subscriber costs Redis."""
    with ours(world.settings, world.redis_port) as target:
        before_s = machine.cpu_s([world.redis_pid])
        cost = deliver(target, load, _scenarios(sizes, ids)[ONE_EACH])
        return (machine.cpu_s([world.redis_pid]) - before_s) / cost.deliveries * 1e6


# --- telling ------------------------------------------------------------------------------------------


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def _targets(costs: Measured, sockets: dict[str, float], post: routes.Pair, status: routes.Pair) -> Table:
    table = Table(
        "The live layer: numbers to beat",
        "Ratios are ours ÷ the peer's, both of this run. CPU is that of the serving process, user and "
        "system; Redis, the publisher and the clients are not in it and run on the other core.",
        ("what", "ours", "the peer", "ratio", "target", "met"),
    )
    _delivery_targets(table, costs)
    one = costs.get(OURS, ONE_EACH)
    assert one is not None
    kb = one.idle_bytes / 1024
    table.add("memory of an idle SSE viewer", f"{kb:.1f} KB", "–", "–", "≤ 12 KB", _met(kb <= 12))
    kb = sockets[OURS] / 1024
    table.add("memory of an idle WebSocket viewer", f"{kb:.1f} KB", "–", "–", "≤ 22 KB", _met(kb <= 22))
    _route_targets(table, post, status)
    return table


def _routes_table(post: routes.Pair, status: routes.Pair) -> Table:
    table = Table("Routes", "", ("what", "ours", "the peer", "ratio", "target", "met"))
    _route_targets(table, post, status)
    return table


def _route_targets(table: Table, post: routes.Pair, status: routes.Pair) -> None:
    for what, pair, least, peer in (
        ("`POST /courses`, answers a second", post, 0.4, "a bare route with one asyncpg INSERT"),
        ("status polling, answers a second", status, 0.6, "a bare JSON route"),
    ):
        shown = f"{pair.bare_per_s:.0f} ({peer})"
        ratio = f"{pair.ratio:.2f}"
        table.add(what, f"{pair.ours_per_s:.0f}", shown, ratio, f"≥ {least} ×", _met(pair.ratio >= least))


def _delivery_targets(table: Table, costs: Measured) -> None:
    one, crowd = costs.get(OURS, ONE_EACH), costs.get(OURS, CROWD)
    assert one is not None
    assert crowd is not None
    for name in (NCHAN, NCHAN_APART):
        peer = costs.get(name, ONE_EACH)
        if peer is None:
            continue
        ratio = one.cpu_us / peer.cpu_us
        table.add(
            "CPU per delivery, one viewer per course",
            f"{one.cpu_us:.1f} µs",
            f"{peer.cpu_us:.1f} µs ({name})",
            f"{ratio:.2f}",
            "≤ 0.6 ×",
            _met(ratio <= 0.6),
        )
        table.add(
            "p99 from `at`, one viewer per course",
            ms(one.p99_s),
            f"{ms(peer.p99_s)} ({name})",
            f"{one.p99_s / peer.p99_s:.2f}",
            "< 1 ×",
            _met(one.p99_s < peer.p99_s),
        )
    loop = costs.get(C_LOOP, CROWD)
    if loop is not None:
        ratio = crowd.cpu_us / loop.cpu_us
        shown = f"{loop.cpu_us:.1f} µs ({C_LOOP})"
        table.add(
            "CPU per delivery, all viewers on one course",
            f"{crowd.cpu_us:.1f} µs",
            shown,
            f"{ratio:.2f}",
            "≤ 2 ×",
            _met(ratio <= 2),
        )


def _delivery_table(costs: Measured, sizes: Sizes) -> Table:
    table = Table(
        "What a delivery costs",
        f"{sizes.viewers:,} SSE viewers. *{ONE_EACH}*: {sizes.per_s:.0f} messages a second, each to its one "
        f"viewer; *{CROWD}*: {sizes.crowd_per_s:.0f} messages a second, each to all; *{MIXED}*: half "
        "the viewers on ten courses, half alone. Messages have 700 bytes. Of the servers that were run "
        "twice, in turns, the better round counts. In *all viewers on one course* the p99 is the last "
        "viewer's turn in a loop over all. The bare loops keep no log, no cursor and no place: they are "
        "the floor, not rivals.\n\n"
        "![CPU per delivery](plots/delivery.svg)",
        ("server", "viewers", "CPU per delivery", "p50", "p99", "connects a second", "all arrived"),
    )
    for (target, scenario), cost in sorted(costs.costs.items(), key=lambda item: item[0][1]):
        table.add(
            target,
            scenario,
            f"{cost.cpu_us:.1f} µs",
            ms(cost.p50_s),
            ms(cost.p99_s),
            f"{cost.connects_per_s:.0f}",
            "yes" if cost.whole else f"**{cost.deliveries} of {cost.expected}**",
        )
    return table


def _growth_table(grown: dict[str, list[Cost]]) -> Table:
    table = Table(
        "Growth",
        "One process of ours. In *all viewers on one course* the message rate falls as viewers grow, so that "
        "10,000 deliveries a second are asked of every size.\n\n![growth](plots/growth.svg)",
        (
            "viewers",
            "watching",
            "CPU per delivery",
            "p50",
            "p99",
            "connects a second",
            "memory a viewer",
            "all arrived",
        ),
    )
    for scenario, line in grown.items():
        for cost in line:
            table.add(
                f"{cost.viewers:,}",
                scenario,
                f"{cost.cpu_us:.1f} µs",
                ms(cost.p50_s),
                ms(cost.p99_s),
                f"{cost.connects_per_s:.0f}",
                f"{cost.idle_bytes / 1024:.1f} KB",
                "yes" if cost.whole else f"**{cost.deliveries} of {cost.expected}**",
            )
    return table


def _memory_table(costs: Measured, sockets: dict[str, float]) -> Table:
    table = Table(
        "Memory of an idle viewer",
        "Growth of the serving process (Pss) divided by the viewers opened, after some were opened and "
        "closed; one viewer per course, so a course's watch is in it. The kernel's socket buffers are not.",
        ("server", "SSE", "WebSocket"),
    )
    for target in sockets:
        if costs.get(target, ONE_EACH) is None:
            table.add(target, "–", f"{sockets[target] / 1024:.1f} KB")
    for (target, scenario), cost in costs.costs.items():
        if scenario == ONE_EACH:
            socket = f"{sockets[target] / 1024:.1f} KB" if target in sockets else "–"
            table.add(target, f"{cost.idle_bytes / 1024:.1f} KB", socket)
    return table


def _plot(costs: Measured, grown: dict[str, list[Cost]]) -> None:
    folder = DOCS / "plots"
    one = {target: cost.cpu_us for (target, scenario), cost in costs.costs.items() if scenario == ONE_EACH}
    plots.bars(folder / "delivery.svg", f"CPU per delivery, {ONE_EACH}", "µs", one)
    plots.lines(
        folder / "growth.svg",
        "CPU per delivery as viewers grow",
        "viewers",
        "µs",
        {name: [(c.viewers, c.cpu_us) for c in line] for name, line in grown.items()},
    )
