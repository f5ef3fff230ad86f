"""``coursecast books embed``: give every chapter and section its vector of the configured embedder.

A worker does the same when it starts. Doing it before shows how far it is, costs no time of a service that
should be running, and goes on where it was when it was cut short.
"""

from __future__ import annotations

import asyncio

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import database
from pipeline.backing import Backing, BackingError
from pipeline.database import SchemaError
from pipeline.errors import CourseError
from pipeline.library.catalogue import load_catalogue
from pipeline.library.embed import make_embedder
from pipeline.settings import Settings
from server.terminal import console, line, put

EXIT_FAILED = 1


def run_embed(settings: Settings) -> int:
    """Embed what has no vector yet; return the exit code.

    The database is the one of DATABASE_URL, else the embedded one, which must not be in use.
    """
    try:
        asyncio.run(_embed(settings))
    except (BackingError, SchemaError, CourseError) as error:
        put(console(stderr=True), [line((str(error), "red"))])
        return EXIT_FAILED
    except KeyboardInterrupt:
        put(console(stderr=True), [line("Stopped. The same command goes on from here.")])
        return 130
    return 0


async def _embed(settings: Settings) -> None:
    # Redis is not needed: any URL keeps the embedded one from being started.
    async with Backing(settings.model_copy(update={"redis_url": settings.redis_url or "unused"})) as backing:
        pool = await database.wait_until_ready(backing.database_url)
        embedder = make_embedder(settings)
        out = console()
        try:
            await database.migrate(pool)
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=out) as bar:
                task = bar.add_task(embedder.model, total=None)
                changed = await load_catalogue(
                    pool, embedder, lambda done, all_: bar.update(task, completed=done, total=all_)
                )
        finally:
            await embedder.close()
            await asyncio.wait_for(pool.close(), 5)
        said = "Now all is embedded with" if changed else "Nothing to do: all is embedded with"
        put(out, [line(f"{said} {embedder.model}.")])
