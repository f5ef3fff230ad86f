"""``python -m tests.bench``: measure, and write docs/benchmarks.md (or, with --soak, docs/soak.md)."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from pipeline.backing import Backing
from pipeline.settings import Settings
from tests.bench import pipeline_speed, report, soak
from tests.processes import run_web, run_worker
from tests.running import RunningHouse


async def bench(courses: int, *, is_soak: bool) -> list[report.Table]:
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


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--soak", action="store_true", help="the big loads, into docs/soak.md")
    parser.add_argument("--courses", type=int, help="courses to run (default 200; soak: 1000)")
    options = parser.parse_args()
    courses = options.courses or (1_000 if options.soak else 200)
    tables = asyncio.run(bench(courses, is_soak=options.soak))
    if options.soak:
        report.write("soak.md", "The big loads", tables, "make soak")
    else:
        report.write("benchmarks.md", "Benchmarks", tables, "make bench")
    for table in tables:
        print(table.markdown(), end="\n\n")


if __name__ == "__main__":
    main()
