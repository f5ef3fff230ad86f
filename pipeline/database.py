"""One way to Postgres: the pool, the schema's ordered steps, the named queries.

* Steps are the files of ``sql/steps`` in the order of their names, each applied once, recorded in
  ``schema_steps``, all under one advisory lock so that any number of processes may start at once. A step
  is never edited after a release; a change is a new step.
* Queries are named in ``sql/*.sql`` and loaded with aiosql.
* Every acquire and every query has a timeout; a connection is never held across a model call or a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias, cast

import aiosql
import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ACQUIRE_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
STEP_TIMEOUT_S = 300.0
_STEPS_LOCK = 0x636F757273650001  # "course" and a counter: the advisory lock of the schema's steps

UNAVAILABLE: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.DeadlockDetectedError,
)
"""What a database that is away, starting or going down raises: worth another try."""


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that says it is closed as asyncpg does, also where uvloop was the first to know.

    uvloop raises a bare RuntimeError for a write to a transport that was closed meanwhile.
    """

    async def execute(self, *args: Any, **kwargs: Any) -> str:
        """As asyncpg's."""
        with _closed_is_said():
            return cast(str, await super().execute(*args, **kwargs))

    async def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        with _closed_is_said():
            return await super().fetch(*args, **kwargs)

    async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        with _closed_is_said():
            return await super().fetchrow(*args, **kwargs)

    async def fetchval(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        with _closed_is_said():
            return await super().fetchval(*args, **kwargs)


@contextmanager
def _closed_is_said() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "closed" not in str(error):
            raise
        raise asyncpg.ConnectionDoesNotExistError(str(error)) from error


class SchemaError(Exception):
    """The schema could not be brought up to date; the message is one sentence for the operator."""


class DatabaseUnreachable(Exception):
    """Nothing answers at DATABASE_URL; the message is one sentence for the operator."""


@cache
def queries(name: str) -> Any:
    """Return the named queries of ``sql/{name}.sql``, each a coroutine function taking a connection."""
    text = files("pipeline").joinpath(f"sql/{name}.sql").read_text("utf-8")
    return aiosql.from_str(text, "asyncpg", mandatory_parameters=False)


async def fetch_all(found: AsyncIterator[Any]) -> list[Any]:
    """Return all rows of a named query that selects many; aiosql yields them one by one."""
    return [row async for row in found]


async def open_pool(url: str, *, max_size: int = 10) -> Pool:
    """Open a pool of at most `max_size` connections to `url`; none is held while idle for 5 minutes."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=max_size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        reset=_leave_as_it_is,
        connection_class=Connection,
        server_settings={"application_name": "coursecast", "timezone": "UTC"},
    )


async def _leave_as_it_is(_connection: Any) -> None:
    """Skip asyncpg's reset, a round trip at every release: our statements leave nothing on a connection."""


async def migrate(pool: Pool) -> list[str]:
    """Apply the steps that are missing; return their names.

    Raises:
        SchemaError: the database lacks pgvector or the role may not create it.
    """
    folder = files("pipeline").joinpath("sql/steps")
    steps = sorted((f.name, f) for f in folder.iterdir() if f.name.endswith(".sql"))
    applied: list[str] = []
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", _STEPS_LOCK, timeout=STEP_TIMEOUT_S)
        try:
            await _ensure_vector(conn)
            await conn.execute(
                "CREATE TABLE IF NOT EXISTS schema_steps"
                " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            done = {row["name"] for row in await conn.fetch("SELECT name FROM schema_steps")}
            for name, file in steps:
                if name in done:
                    continue
                async with conn.transaction():
                    await conn.execute(file.read_text("utf-8"), timeout=STEP_TIMEOUT_S)
                    await conn.execute("INSERT INTO schema_steps (name) VALUES ($1)", name)
                applied.append(name)
        finally:
            await conn.execute("SELECT pg_advisory_unlock($1)", _STEPS_LOCK)
    return applied


async def _ensure_vector(conn: Any) -> None:
    if await conn.fetchval("SELECT 1 FROM pg_extension WHERE extname = 'vector'"):
        return
    try:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS vector", timeout=STEP_TIMEOUT_S)
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaError(
            "The role in DATABASE_URL may not create the extension pgvector: "
            'have a superuser run "CREATE EXTENSION vector" in this database once.'
        ) from error
    except (asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError) as error:
        raise SchemaError(
            "The Postgres in DATABASE_URL does not have pgvector: install it there "
            "(Debian: postgresql-NN-pgvector) and start again."
        ) from error


async def wait_until_ready(url: str, *, timeout_s: float = 30.0, max_size: int = 10) -> Pool:
    """Open a pool as soon as the database answers; for a start where Postgres comes up beside us.

    Raises:
        DatabaseUnreachable: it did not answer within `timeout_s`; the last reason is in the message.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            return await open_pool(url, max_size=max_size)
        except UNAVAILABLE as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise DatabaseUnreachable(f"Postgres does not answer: {error}") from error
            await asyncio.sleep(0.2)  # the server is starting; there is no event to await
