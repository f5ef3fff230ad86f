"""The rows of the table of numbers to beat: ours and the peers' in one run, with plots."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from tests.bench.live import capacity, machine, routes, tables
from tests.bench.live.delivery import Cost, Scenario, deliver, idle
from tests.bench.live.load import Load, load_client
from tests.bench.live.tables import CROWD, MIXED, ONE_EACH, OURS, Measured, Sizes
from tests.bench.live.targets import Target, has_nchan, nchan, ours, python_peer, send_loop
from tests.bench.live.world import World, spread_out
from tests.bench.report import Table

Start = Callable[[], AbstractContextManager[Target]]


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
    tables.draw(costs, grown)
    return [
        tables.targets(costs, sockets, post, status),
        tables.delivery_table(costs, sizes),
        tables.growth_table(grown),
        tables.memory_table(costs, sockets),
    ]


async def measure_some(world: World, chosen: Sequence[str], sizes: Sizes | None = None) -> list[Table]:
    """Run only the rows of a few scenarios, against the peers that they are compared with; writes nothing."""
    sizes = sizes or Sizes()
    ids = await world.courses(sizes.viewers)
    names = [SHORT[short] for short in chosen if short in SHORT]
    found: list[Table] = []
    with load_client() as load:
        if names:
            plan = [(start, [n for n in shown if n in names]) for start, shown in _rivals(world)] * 2
            costs = await asyncio.to_thread(_run, load, plan, _scenarios(sizes, ids))
            found += [tables.delivery_table(costs, sizes)]
        if "sockets" in chosen:
            sockets = await asyncio.to_thread(_sockets, load, world, ids)
            found += [tables.memory_table(Measured(), sockets)]
        if "routes" in chosen:
            await world.end_all()
            found += [tables.routes_table(await routes.post(load, world), await routes.status(load, world))]
    return found


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
