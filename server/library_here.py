"""The library without a server: for commands that work on the database itself.

The database is the one of DATABASE_URL, else the embedded one, which must not be in use.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from pipeline import database
from pipeline.backing import Backing, BackingError
from pipeline.database import DatabaseUnreachable, Pool, SchemaError
from pipeline.errors import CourseError
from pipeline.library import Embedder
from pipeline.library.embed import make_embedder
from pipeline.settings import Settings
from server.terminal import console, line, put

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
POOL_CLOSE_TIMEOUT_S = 5


@asynccontextmanager
async def library_here(settings: Settings) -> AsyncIterator[tuple[Pool, Embedder]]:
    """Open the database, its schema up to date, and the configured embedder; close both afterwards.

    Raises:
        BackingError: the embedded database is in use or cannot start.
        DatabaseUnreachable: the database does not answer.
        SchemaError: the database cannot be used as it is.
    """
    # Redis is not needed: any URL keeps the embedded one from being started.
    async with Backing(settings.model_copy(update={"redis_url": settings.redis_url or "unused"})) as backing:
        pool = await database.wait_until_ready(backing.database_url)
        embedder = make_embedder(settings)
        try:
            await database.migrate(pool)
            yield pool, embedder
        finally:
            await embedder.close()
            await asyncio.wait_for(pool.close(), POOL_CLOSE_TIMEOUT_S)


def run_here(work: Coroutine[Any, Any, int]) -> int:
    """Run a command to its end; return its exit code, with a sentence where it could not do its work."""
    try:
        return asyncio.run(work)
    except (BackingError, SchemaError, DatabaseUnreachable, CourseError) as error:
        put(console(stderr=True), [line((str(error), "red"))])
        return EXIT_FAILED
    except KeyboardInterrupt:
        put(console(stderr=True), [line("Stopped. The same command goes on from here.")])
        return EXIT_INTERRUPTED
