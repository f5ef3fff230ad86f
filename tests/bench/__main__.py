"""``python -m tests.bench``: measure, and write docs/benchmarks.md and docs/quality.md.

With ``--soak``: docs/soak.md.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from pipeline.backing import Backing, raise_fd_limit
from pipeline.backing.redis import find_server
from pipeline.settings import Settings
from tests.bench import (
    model_speed,
    page_speed,
    pipeline_speed,
    plan_page,
    report,
    search_quality,
    search_soak,
    soak,
)
from tests.bench.live import endurance, rows
from tests.bench.live.world import World, world
from tests.processes import run_web, run_worker
from tests.running import RunningHouse

PARTS = ("pipeline", "model", "live", "page", "search", "plans")
Measure = Callable[[World], Awaitable[list[report.Table]]]


async def pipeline(courses: int, *, is_soak: bool) -> list[report.Table]:
    """Measure on an embedded Postgres (durable, as in production) and Redis of its own."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        settings = Settings(home=Path(home))
        async with Backing(settings) as backing:
            settings = Settings(
                home=Path(home),
                database_url=backing.database_url,
                redis_url=backing.redis_url,
                log_level="WARNING",
            )
            with run_web(settings) as web, run_worker(settings) as worker:
                house = RunningHouse(settings, web, worker)
                if is_soak:
                    return [await soak.measure(house, courses=courses)]
                return [await pipeline_speed.measure(house, courses=courses)]


async def model(*, is_soak: bool) -> list[report.Table]:
    """Measure courses by a model, on services of their own."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home))) as backing:
            settings = Settings(
                home=Path(home),
                database_url=backing.database_url,
                redis_url=backing.redis_url,
                log_level="WARNING",
            )
            return await model_speed.measure(settings, is_soak=is_soak)


async def page() -> list[report.Table]:
    """Measure the page in a browser, on services of their own."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home))) as backing:
            settings = Settings(
                home=Path(home),
                database_url=backing.database_url,
                redis_url=backing.redis_url,
                log_level="WARNING",
            )
            return await page_speed.measure(settings)


async def live(measure: Measure) -> list[report.Table]:
    """Measure the live layer: the same kind of Postgres, a Redis over TCP that the peers share, no worker."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home))) as backing:
            settings = Settings(home=Path(home), database_url=backing.database_url)
            redis = Path(shutil.which("redis-server") or await find_server())
            async with world(settings, redis) as found:
                return await measure(found)


async def bench(
    parts: list[str], courses: int, *, is_soak: bool, chosen: list[str] | None = None
) -> list[report.Table]:
    """Measure the parts asked for; of the live part, where rows were chosen, only those."""
    if chosen:
        return await live(lambda world: rows.measure_some(world, chosen))
    tables: list[report.Table] = []
    if "pipeline" in parts:
        tables += await pipeline(courses, is_soak=is_soak)
    if "model" in parts:
        tables += await model(is_soak=is_soak)
    if "live" in parts:
        tables += await live(endurance.measure if is_soak else rows.measure)
    if "page" in parts and not is_soak:
        tables += await page()
    if "search" in parts and is_soak:
        tables.append(await search_soak.measure())
    return tables


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--soak", action="store_true", help="the big loads, into docs/soak.md")
    parser.add_argument("--courses", type=int, help="courses to run (default 200; soak: 1000)")
    parser.add_argument("--only", choices=PARTS, help="one part, printed instead of written")
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=rows.CHOICES,
        help="only these rows of the live part, printed instead of written",
    )
    options = parser.parse_args()
    raise_fd_limit()
    courses = options.courses or (1_000 if options.soak else 200)
    parts = [options.only] if options.only else list(PARTS)
    tables = asyncio.run(bench(parts, courses, is_soak=options.soak, chosen=options.rows))
    if options.only is None and options.rows is None:
        if options.soak:
            report.write("soak.md", "The big loads", tables, "make soak")
        else:
            report.write("benchmarks.md", "Benchmarks", tables, "make bench")
    if "search" in parts and not options.soak and not options.rows:  # and so does this
        tables += asyncio.run(search_quality.measure())
    if "plans" in parts and not options.soak and not options.rows:  # they write their half of docs/quality.md
        tables += asyncio.run(plan_page.measure())
    for table in tables:
        print(table.markdown(), end="\n\n")


if __name__ == "__main__":
    main()
