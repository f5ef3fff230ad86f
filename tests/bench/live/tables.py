"""What was measured, as tables and plots: ours and the peers', as ratios of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.bench.live import plots, routes
from tests.bench.live.delivery import Cost
from tests.bench.report import DOCS, Table, ms

OURS = "ours"
NCHAN = "nginx + nchan + Redis"
NCHAN_APART = f"{NCHAN}, posts to another nginx"
C_LOOP = "bare `send` loop in C, no Redis"
GROWTH = (500, 1_000, 2_000, 5_000)
ONE_EACH = "one viewer per course"
CROWD = "all viewers on one course"
MIXED = "mixed"


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


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def targets(costs: Measured, sockets: dict[str, float], post: routes.Pair, status: routes.Pair) -> Table:
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


def routes_table(post: routes.Pair, status: routes.Pair) -> Table:
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


def delivery_table(costs: Measured, sizes: Sizes) -> Table:
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


def growth_table(grown: dict[str, list[Cost]]) -> Table:
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


def memory_table(costs: Measured, sockets: dict[str, float]) -> Table:
    table = Table(
        "Memory of an idle viewer",
        "Growth of the serving process (Pss) with the second thousand viewers, divided by them: the first "
        "may fit into what was freed since the start. One viewer per course, so a course's watch is in it. "
        "The kernel's socket buffers are not.",
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


def draw(costs: Measured, grown: dict[str, list[Cost]]) -> None:
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
