"""Makes requests durable: those that come at the same moment share one statement and one commit.

The statement decides in one snapshot, for each request: is its idempotency key taken, has its caller room for
another course, and only then does it write, key, course and ``course_requested`` together. So whoever loses a
race for a key is told of the winner's course, whatever the limit says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from pipeline import course as machine
from pipeline import events as ev
from pipeline.batches import Batches
from pipeline.database import ACQUIRE_TIMEOUT_S, UNAVAILABLE, Pool, fetch_all, queries
from pipeline.outline import Brief

AT_ONCE = 1
"""Batches under way: while one commits, the next gathers. Two would be half as large and cost the same."""
MOST = 100
TIMEOUT_S = 10.0


class TooManyCourses(Exception):
    """The caller has as many courses in the making as it may have."""

    def __init__(self, max_active: int) -> None:
        super().__init__(f"{max_active} courses are in the making already; wait for one to end")


class KeyReused(Exception):
    """The idempotency key was used with another body."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used with another body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request.

    Args:
        course_id: the id its course gets.
        brief: what was asked for.
        caller: who asked.
        max_active: courses the caller may have in the making, this one included.
        key: its idempotency key.
        request_hash: of the brief, in hex, where there is a key.
    """

    course_id: str
    brief: Brief
    caller: str
    max_active: int
    key: str | None = None
    request_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A durable request. Not `is_new` where an idempotency key named an earlier one."""

    course_id: str
    is_new: bool


class Intake:
    """Takes requests in, in batches."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = queries("courses")
        self._batches: Batches[Asked, Created] = Batches(
            self._take, at_once=AT_ONCE, most=MOST, timeout_s=TIMEOUT_S
        )

    async def create(self, asked: Asked) -> Created:
        """Make one request durable.

        Raises:
            TooManyCourses: the caller has no room.
            KeyReused: the key was used with another brief.
        """
        return await self._batches.ask(asked)

    async def _take(self, batch: Sequence[Asked]) -> list[Created | Exception]:
        """Write a batch; those whose key another one takes just now, here or elsewhere, look again."""
        outcomes: dict[str, Created | Exception] = {}
        left = list(batch)
        while left:
            now, left = _one_of_each_key(left)
            for asked, outcome in zip(now, await self._write(now), strict=True):
                if outcome is None:
                    left.append(asked)
                else:
                    outcomes[asked.course_id] = outcome
        return [outcomes[asked.course_id] for asked in batch]

    async def _write(self, batch: Sequence[Asked]) -> list[Created | Exception | None]:
        """Return what came of each request of a batch in one statement, which writes all or nothing."""
        rows = ",".join([_row(n, asked) for n, asked in enumerate(batch)])
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
                found = await fetch_all(self._sql.create_courses(conn, asked=f"[{rows}]"))
        except Exception as error:
            if len(batch) == 1 or isinstance(error, UNAVAILABLE):
                return [error] * len(batch)
            # What cannot be written is one request's fault, and no other's.
            return [(await self._write([asked]))[0] for asked in batch]
        return [_outcome(asked, row) for asked, row in zip(batch, found, strict=True)]


def _one_of_each_key(batch: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Return the requests that can be written together, and those whose key is among them already."""
    seen: set[tuple[str, str]] = set()
    now: list[Asked] = []
    later: list[Asked] = []
    for asked in batch:
        if asked.key is None:
            now.append(asked)
        elif (asked.caller, asked.key) in seen:
            later.append(asked)
        else:
            seen.add((asked.caller, asked.key))
            now.append(asked)
    return now, later


def _row(n: int, asked: Asked) -> str:
    """Return a request as JSON: asyncpg takes one text more cheaply than a dozen arrays."""
    brief = asked.brief
    event = ev.CourseRequested(query=brief.query, hours=brief.hours, preferences=brief.preferences)
    state = machine.begin(asked.course_id, event)
    head, tail = machine.message_around_time(state, event)
    row = {
        "n": n,
        "course_id": asked.course_id,
        "caller": asked.caller,
        "max_active": asked.max_active,
        "key": asked.key,
        "hash": asked.request_hash,
        "query": brief.query,
        "hours": brief.hours,
        "head": head,
        "tail": tail,
    }
    view = machine.compact(machine.status_view(state))
    preferences = brief.preferences.model_dump_json(exclude_none=True)
    # `json` keeps every byte, so these two are put in as they are.
    return f'{machine.compact(row)[:-1]},"view":{view},"preferences":{preferences}}}'


def _outcome(asked: Asked, row: asyncpg.Record) -> Created | Exception | None:
    """Return what came of a request; None: its key was taken just now."""
    if row["earlier"] is not None:
        if row["earlier_hash"] != asked.request_hash:
            return KeyReused()
        return Created(course_id=str(row["earlier"]), is_new=False)
    if not row["had_room"]:
        return TooManyCourses(asked.max_active)
    return Created(course_id=asked.course_id, is_new=True) if row["is_written"] else None
