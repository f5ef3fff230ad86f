"""What a caller may do to a course in Postgres: create, cancel, retry, look at, list.

Cancel, retry and the sweep's verdict ``crashed`` lock the row, check, bump the fence, clear the lease and
append, in one transaction; a run that goes on meanwhile finds its fence old and writes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pipeline import course as machine
from pipeline import events as ev
from pipeline.course import State, Status
from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.log import Entry, Log, Position, Written, entry, write
from pipeline.outline import Brief

CANCELLED = "cancelled"
CRASHED = "crashed"


class NoSuchCourse(Exception):
    """There is no course with this id."""


class Conflict(Exception):
    """The course is not in a state that allows this; the message says which it is in."""


class TooManyCourses(Exception):
    """The caller has as many courses in the making as it may have."""


class KeyReused(Exception):
    """The idempotency key was used with another body."""


class _KeyTaken(Exception):
    """Another request took the idempotency key while we created a course for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A durable request. ``entry`` is None when an idempotency key named an earlier one."""

    course_id: str
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A retry's outcome: what was appended, and the job number to enqueue; both None when it was running."""

    entries: tuple[Entry, ...] = ()
    enqueue_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """The status view as JSON text as of ``seq``, and the course's age in seconds."""

    view: str
    seq: int
    status: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of the list of courses."""

    course_id: str
    view: str
    title: str | None
    created_at: datetime


class Requests:
    """The callers' side of the courses."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._log = Log(pool)
        self._sql = queries("courses")

    async def create(
        self, brief: Brief, *, caller: str, max_active: int, idempotency_key: str | None = None
    ) -> Created:
        """Make the request durable: the course row and ``course_requested`` in one statement.

        Args:
            brief: what was asked for.
            caller: who asked.
            max_active: courses the caller may have in the making. Requests that run at the same instant
                may each pass the count, so the limit can be exceeded by as many.
            idempotency_key: the same key with the same brief within 24 h names the same course.

        Raises:
            TooManyCourses: the caller has `max_active` courses in the making.
            KeyReused: the key was used with another brief.
        """
        course_id = str(uuid4())
        if idempotency_key is None:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
                return await self._create(conn, course_id, brief, caller, max_active)
        asked = hashlib.sha256(brief.model_dump_json().encode()).digest()
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            if earlier := await self._earlier(conn, caller, idempotency_key, asked):
                return earlier
            with contextlib.suppress(_KeyTaken):
                async with conn.transaction():
                    created = await self._create(conn, course_id, brief, caller, max_active)
                    # Of two at the same instant, the second waits here for the first to commit: then no row.
                    kept = await self._sql.keep_idempotency_key(
                        conn,
                        caller=caller,
                        key=idempotency_key,
                        request_hash=asked,
                        course_id=UUID(course_id),
                    )
                    if kept is None:
                        raise _KeyTaken  # takes the course back
                return created
            earlier = await self._earlier(conn, caller, idempotency_key, asked)
            assert earlier is not None, "the key was there a moment ago"
            return earlier

    async def _create(self, conn: Any, course_id: str, brief: Brief, caller: str, max_active: int) -> Created:
        event = ev.CourseRequested(query=brief.query, hours=brief.hours, preferences=brief.preferences)
        state = machine.begin(course_id, event)
        head, tail = machine.message_around_time(state, event)
        row = await self._sql.create_course(
            conn,
            course_id=UUID(course_id),
            caller=caller,
            query=brief.query,
            hours=brief.hours,
            preferences=brief.preferences.model_dump_json(exclude_none=True),
            view=machine.compact(machine.status_view(state)),
            max_active=max_active,
            head=head,
            tail=tail,
        )
        if row is None:
            raise TooManyCourses(f"{max_active} courses are in the making already; wait for one to end")
        return Created(course_id=course_id, entry=entry(course_id, row))

    async def _earlier(self, conn: Any, caller: str, key: str, asked: bytes) -> Created | None:
        row = await self._sql.find_idempotency_key(conn, caller=caller, key=key)
        if row is None:
            return None
        if bytes(row["request_hash"]) != asked:
            raise KeyReused("this Idempotency-Key was used with another body")
        return Created(course_id=str(row["course_id"]), entry=None)

    async def cancel(self, course_id: str) -> tuple[Entry, ...]:
        """Stop a course that is processing; return what was appended, nothing if it was cancelled before.

        Raises:
            NoSuchCourse: there is none.
            Conflict: it is complete, or failed for another reason.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn, conn.transaction():
            at, state = await self._lock(conn, course_id)
            if state.failure is not None and state.failure.error_code == CANCELLED:
                return ()
            if state.status is not Status.PROCESSING:
                raise Conflict(f"the course is already over: {_outcome(state)}")
            written = await self._fail(conn, at, state, CANCELLED, "The course was cancelled.")
        return written.entries

    async def retry(self, course_id: str) -> Resumed:
        """Let a stopped course go on where it stopped; nothing happens to one that is processing.

        Raises:
            NoSuchCourse: there is none.
            Conflict: it is complete, or its failure is not one that another try can cure.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn, conn.transaction():
            at, state = await self._lock(conn, course_id)
            if state.status is Status.PROCESSING:
                return Resumed()
            if state.failure is None or not state.failure.retryable:
                raise Conflict(f"the course cannot be retried: {_outcome(state)}")
            resumed = ev.CourseResumed()
            chain = [(machine.apply(state, resumed), resumed)]
            written = await write(conn, self._sql, at, chain, new_fence=True)
            enqueue_no = await self._sql.bump_enqueue_no(conn, course_id=UUID(course_id))
        return Resumed(entries=written.entries, enqueue_no=enqueue_no)

    async def crashed(self, course_id: str, *, claims: int) -> tuple[Entry, ...]:
        """Fail a course whose runs die again and again without an event, if that is still so."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn, conn.transaction():
            row = await self._sql.lock_course(conn, course_id=UUID(course_id))
            if row is None or row["claims"] < claims or row["status"] != Status.PROCESSING or row["leased"]:
                return ()
            at, state = await self._lock(conn, course_id)
            sentence = "The course stopped again and again without getting further; you can try it once more."
            written = await self._fail(conn, at, state, CRASHED, sentence)
        return written.entries

    async def _lock(self, conn: Any, course_id: str) -> tuple[Position, State]:
        row = await self._sql.lock_course(conn, course_id=UUID(course_id))
        if row is None:
            raise NoSuchCourse(course_id)
        state = await self._log.fold(conn, course_id)
        at = Position(course_id=course_id, fence=row["fence"], status=row["status"], last_seq=row["last_seq"])
        return at, state

    async def _fail(self, conn: Any, at: Position, state: State, code: str, sentence: str) -> Written:
        failed = ev.CourseFailed(
            error=sentence, error_code=code, failed_phase=state.working_phase, retryable=True
        )
        return await write(conn, self._sql, at, [(machine.apply(state, failed), failed)], new_fence=True)

    # -- looking --------------------------------------------------------------------------------------

    async def status(self, course_id: str) -> StatusRow | None:
        """Return the status view, or None where there is no such course."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            row = await self._sql.status(conn, course_id=UUID(course_id))
        if row is None:
            return None
        return StatusRow(view=row["view"], seq=row["last_seq"], status=row["status"], age_s=row["age_s"])

    async def newest(
        self, caller: str, limit: int, before: tuple[datetime, str] | None = None
    ) -> list[Listed]:
        """Return the caller's courses, newest first, those older than `before` (time, id)."""
        at, course_id = before if before else (None, None)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(
                self._sql.newest(
                    conn,
                    caller=caller,
                    before_at=at,
                    before_id=UUID(course_id) if course_id else None,
                    most=limit,
                )
            )
        return [
            Listed(
                course_id=str(r["course_id"]), view=r["view"], title=r["title"], created_at=r["created_at"]
            )
            for r in rows
        ]

    async def finished(self, course_id: str) -> dict[str, Any]:
        """Return the finished course as DESIGN's JSON.

        Raises:
            NoSuchCourse: there is none.
            Unfinished: it is processing or failed.
        """
        key = UUID(course_id)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            row = await self._sql.finished(conn, course_id=key)
            if row is None:
                raise NoSuchCourse(course_id)
            if row["status"] != Status.COMPLETE:
                raise Unfinished(json.loads(row["view"]))
            part_rows = await fetch_all(self._sql.parts_of(conn, course_id=key))
            section_rows = await fetch_all(self._sql.sections_of(conn, course_id=key))
        sections = [json.loads(r["section"]) for r in section_rows]
        parts = [
            {**r, "sections": [s for s in sections if s["part_index"] == r["part_index"]]} for r in part_rows
        ]
        return {
            "course": {
                "course_id": course_id,
                "title": row["title"],
                "original_query": row["query"],
                "estimated_hours": row["estimated_hours"],
                "preferences": json.loads(row["preferences"]),
                "status": "active",
                "author": row["author"],
                "quality": json.loads(row["quality"]),
                "created_at": timestamp(row["created_at"]),
                "last_modified": timestamp(row["modified_at"]),
            },
            "parts": parts,
            "sections": sections,
        }


class Unfinished(Exception):
    """The course is asked for but not there yet; ``view`` is its status view."""

    def __init__(self, view: dict[str, Any]) -> None:
        super().__init__(f"the course is {view['status']}")
        self.view = view


def _outcome(state: State) -> str:
    return state.failure.error_code if state.failure else str(state.status)


def timestamp(at: datetime) -> str:
    """Return a UTC time as ISO-8601 with microseconds, as everywhere on the wire."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
