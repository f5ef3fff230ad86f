"""The event log in Postgres: append, read, claim, renew, release.

The log is the truth. Three rules keep it well-formed whatever dies:

* One statement appends: it updates the course row ``WHERE fence = mine AND status AND last_seq =
  expected`` and inserts the events, so commit order is ``seq`` order, there are no gaps, and a run that
  lost its lease writes nothing.
* A unique index on (course, task) makes a task's result single.
* When a COMMIT's fate is unknown (the connection died), the caller reads the log again instead of
  appending again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from pipeline import course as machine
from pipeline import events as ev
from pipeline import finished
from pipeline.course import State, Task
from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.entries import PAGE as PAGE
from pipeline.entries import Entry as Entry
from pipeline.entries import Pages, entry
from pipeline.entries import is_full as is_full
from pipeline.errors import LostCourse
from pipeline.ledger import NOTHING, Bookings, Tokens

LEASE_S = 10.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write to a course: valid while the row still has this fence."""

    course_id: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryVector:
    """The query's vector, written to the course row beside `embedding_generated`."""

    values: tuple[float, ...]
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A course as it was when claimed."""

    claim: Claim
    state: State
    query_vector: QueryVector | None
    ledger: Bookings = NOTHING


@dataclass(frozen=True, slots=True)
class Written:
    """What an append left: the state with it, and the entries to publish."""

    state: State
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where an append writes: the row must still be exactly so."""

    course_id: str
    fence: int
    status: str
    last_seq: int


class Log:
    """The event log of all courses.

    Every method takes one connection for one short transaction; viewers who read at the same moment share one
    query, so that thousands can come back at once. A database that is away raises one of
    :data:`pipeline.database.UNAVAILABLE`.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = queries("courses")
        self._pages = Pages(pool)

    # -- reading --------------------------------------------------------------------------------------

    async def entries(self, course_id: str, after: int) -> list[Entry]:
        """Return the page of entries with ``seq > after``, oldest first, as it is after this was called.

        A page has at most PAGE entries, and not many more than PAGE_BYTES.
        """
        return await self._pages.after(course_id, after)

    async def last(self, course_id: str) -> tuple[int, str] | None:
        """Return (last seq, status) of a course, or None where there is none."""
        return await self._pages.last(course_id)

    async def load(self, course_id: str) -> State:
        """Return the fold of a course's whole log.

        Raises:
            LostCourse: there is no such course.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            return await self.fold(conn, course_id)

    async def further(self, known: Mapping[str, int]) -> dict[str, tuple[int, str] | None]:
        """Return (last seq, status) of those whose log goes on after what is known, None if gone."""
        return await self._pages.further(known)

    async def fold(self, conn: Any, course_id: str) -> State:
        """Return the fold of a course's whole log, read over `conn`, inside its transaction if it has one.

        Raises:
            LostCourse: there is no such course.
        """
        log: list[ev.Event] = []
        while True:
            rows = await fetch_all(
                self._sql.entries_after(conn, course_id=UUID(course_id), after=len(log), most=PAGE)
            )
            log += [ev.event_from_message(machine.parse(row["message"])) for row in rows]
            if len(rows) < PAGE:
                break
        if not log:
            raise LostCourse(f"course {course_id} does not exist")
        return machine.fold(course_id, log)

    # -- writing as a run -----------------------------------------------------------------------------

    async def claim(self, course_id: str) -> Claimed | None:
        """Take a course that nobody works on; None when somebody does, or it is over.

        The claim is committed before the log is read: no other run can write from there on, for its fence
        is old; and a log that cannot be read counts as a claim without an event, until the sweep gives up.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            row = await self._sql.claim(conn, course_id=UUID(course_id), lease_s=LEASE_S)
            if row is None:
                return None
            state = await self.fold(conn, course_id)
        vector = None
        if row["query_vector"]:
            values = tuple(json.loads(row["query_vector"]))
            vector = QueryVector(values=values, model=row["embedder"])
        return Claimed(
            claim=Claim(course_id, row["fence"]), state=state, query_vector=vector, ledger=_bookings(row)
        )

    async def renew(self, claims: Sequence[Claim]) -> set[Claim]:
        """Renew the leases of `claims` in one statement; return those that are lost."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(
                self._sql.renew(
                    conn,
                    course_ids=[UUID(c.course_id) for c in claims],
                    fences=[c.fence for c in claims],
                    lease_s=LEASE_S,
                )
            )
        return set(claims) - {Claim(str(row["course_id"]), row["fence"]) for row in rows}

    async def release(self, claim: Claim) -> None:
        """Give a course back unfinished, for another worker to take at once."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            await self._sql.release(conn, course_id=UUID(claim.course_id), fence=claim.fence)

    async def append(
        self,
        claim: Claim,
        state: State,
        event: ev.Event,
        *,
        task: Task | None = None,
        vector: QueryVector | None = None,
        bookings: Bookings = NOTHING,
    ) -> Written:
        """Append what a task resulted in, with what follows from it, in one transaction.

        Args:
            claim: whose fence the row must still have.
            state: the fold of the whole log; its ``seq`` must still be the row's.
            event: the task's result.
            task: whose result it is; single per course.
            vector: the query's vector, for the course row.
            bookings: what is new in the ledger, for the course row.

        Raises:
            LostCourse: the row is not as `claim` and `state` say, or the task already has its result.
            IllegalTransition: the event cannot follow `state`.
        """
        at = Position(course_id=claim.course_id, fence=claim.fence, status=state.status, last_seq=state.seq)
        chain = _chain(state, event)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            if not isinstance(event, ev.CourseStored):
                return await write(conn, self._sql, at, chain, task=task, vector=vector, bookings=bookings)
            async with conn.transaction():
                written = await write(conn, self._sql, at, chain, task=task, vector=vector, bookings=bookings)
                await finished.store(conn, self._sql, written.state)
                return written


def _bookings(row: Any) -> Bookings:
    tokens = Tokens(
        prompt=row["prompt_tokens"], completion=row["completion_tokens"], calls=row["model_calls"]
    )
    return Bookings(tokens=tokens, repairs=json.loads(row["repairs"]))


def _chain(state: State, event: ev.Event) -> list[tuple[State, ev.Event]]:
    """Return `event` and what derives from it, each with the state it leads to."""
    chain = [(machine.apply(state, event), event)]
    while (follows := machine.derived(chain[-1][0])) is not None:
        chain.append((machine.apply(chain[-1][0], follows), follows))
    return chain


async def write(
    conn: Any,
    sql: Any,
    at: Position,
    chain: Sequence[tuple[State, ev.Event]],
    *,
    task: Task | None = None,
    vector: QueryVector | None = None,
    bookings: Bookings = NOTHING,
    new_fence: bool = False,
) -> Written:
    """Append `chain` where the row is exactly `at`; the one place that writes events after the first.

    Args:
        conn: a connection, in a transaction where more is to be written with it.
        sql: the named queries of ``courses.sql``.
        at: what the row must still be.
        chain: events with the states they lead to, in order.
        task: whose result the first event is.
        vector: the query's vector, for the course row.
        bookings: what is new in the ledger, for the course row.
        new_fence: bump the fence and clear the lease, which ends any run of the course.

    Raises:
        LostCourse: the row is not as `at` says, or the task already has its result.
    """
    last = chain[-1][0]
    halves = [machine.message_around_time(state, event) for state, event in chain]
    try:
        rows = await fetch_all(
            sql.append(
                conn,
                course_id=UUID(at.course_id),
                fence=at.fence,
                status_before=at.status,
                expected=at.last_seq,
                fence_step=1 if new_fence else 0,
                last_seq=last.seq,
                status=last.status,
                view=machine.compact(machine.status_view(last)),
                query_vector=machine.compact(vector.values) if vector else None,
                embedder=vector.model if vector else None,
                prompt_tokens=bookings.tokens.prompt,
                completion_tokens=bookings.tokens.completion,
                model_calls=bookings.tokens.calls,
                repairs=machine.compact(bookings.repairs) if bookings.repairs else None,
                seqs=[state.seq for state, _ in chain],
                types=[event.type for _, event in chain],
                tasks=[str(task) if task and i == 0 else None for i in range(len(chain))],
                statuses=[state.status for state, _ in chain],
                heads=[head for head, _ in halves],
                tails=[tail for _, tail in halves],
            )
        )
    except asyncpg.UniqueViolationError as error:
        raise LostCourse(f"course {at.course_id} already has the result of {task}") from error
    if not rows:
        raise LostCourse(f"course {at.course_id} is not at seq {at.last_seq} with fence {at.fence} any more")
    entries = sorted((entry(at.course_id, row) for row in rows), key=lambda e: e.seq)
    return Written(last, tuple(entries))
