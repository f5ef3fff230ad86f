"""What a caller may do to a course in Postgres: create, cancel, retry, delete, look at, list.

Cancel, retry, delete and the sweep's verdict ``crashed`` lock the row, check, bump the fence, clear the lease
and append, in one transaction; a run that goes on meanwhile finds its fence old and writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pipeline import course as machine
from pipeline import events as ev
from pipeline import finished
from pipeline.batches import Batches
from pipeline.course import State, Status
from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.entries import READ_TIMEOUT_S
from pipeline.intake import Asked, Created, Intake, TooManyCourses
from pipeline.log import Entry, Log, Position, Written, write
from pipeline.outline import Brief

CANCELLED = "cancelled"
CRASHED = "crashed"


class NoSuchCourse(Exception):
    """There is no course with this id."""


class Conflict(Exception):
    """The course is not in a state that allows this; the message says which it is in."""


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
        self._intake = Intake(pool)
        self._sql = queries("courses")
        self._statuses: Batches[str, StatusRow | None] = Batches(
            self._read_statuses, at_once=4, most=100, timeout_s=READ_TIMEOUT_S
        )

    async def create(
        self, brief: Brief, *, caller: str, max_active: int, idempotency_key: str | None = None
    ) -> Created:
        """Make the request durable: the course row and ``course_requested`` in one statement.

        Args:
            brief: what was asked for.
            caller: who asked.
            max_active: courses the caller may have in the making. Processes that write at the same instant
                may each pass the count, so the limit can be exceeded by what they take in at once.
            idempotency_key: the same key with the same brief within 24 h names the same course.

        Raises:
            TooManyCourses: the caller has `max_active` courses in the making.
            KeyReused: the key was used with another brief.
        """
        key_hash = None
        if idempotency_key is not None:
            key_hash = hashlib.sha256(brief.model_dump_json().encode()).hexdigest()
        asked = Asked(
            course_id=str(uuid4()),
            brief=brief,
            caller=caller,
            max_active=max_active,
            key=idempotency_key,
            request_hash=key_hash,
        )
        return await self._intake.create(asked)

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

    async def retry(self, course_id: str, *, max_active: int) -> Resumed:
        """Let a stopped course go on where it stopped; nothing happens to one that is processing.

        Args:
            course_id: which.
            max_active: courses its caller may have in the making, this one included; retries at the same
                instant may each pass the count.

        Raises:
            NoSuchCourse: there is none.
            Conflict: it is complete, or its failure is not one that another try can cure.
            TooManyCourses: its caller has no room for it.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn, conn.transaction():
            at, state = await self._lock(conn, course_id)
            if state.status is Status.PROCESSING:
                return Resumed()
            if state.failure is None or not state.failure.retryable:
                raise Conflict(f"the course cannot be retried: {_outcome(state)}")
            if await self._sql.count_active(conn, course_id=UUID(course_id)) >= max_active:
                raise TooManyCourses(max_active)
            resumed = ev.CourseResumed()
            chain = [(machine.apply(state, resumed), resumed)]
            written = await write(conn, self._sql, at, chain, new_fence=True)
            enqueue_no = await self._sql.bump_enqueue_no(conn, course_id=UUID(course_id))
        return Resumed(entries=written.entries, enqueue_no=enqueue_no)

    async def delete(self, course_id: str, *, caller: str) -> tuple[Entry, ...]:
        """Delete a course with all that belongs to it; return what was appended before, for its viewers.

        One that is processing is cancelled in the same transaction: its run finds no row from then on. The
        idempotency key goes too, so the same request sent again asks for a new course.

        Raises:
            NoSuchCourse: there is none, or it is another caller's.
        """
        key = UUID(course_id)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn, conn.transaction():
            row = await self._sql.lock_course(conn, course_id=key)
            if row is None or row["caller"] != caller:
                raise NoSuchCourse(course_id)
            entries: tuple[Entry, ...] = ()
            if row["status"] == Status.PROCESSING:
                at, state = await self._lock(conn, course_id)
                entries = (await self._fail(conn, at, state, CANCELLED, "The course was deleted.")).entries
            await self._sql.delete_course(conn, course_id=key)
        return entries

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
        """Return the status view as it is after this was called, or None where there is no such course."""
        return await self._statuses.ask(course_id)

    async def _read_statuses(self, course_ids: Sequence[str]) -> list[StatusRow | None]:
        ids = [UUID(course_id) for course_id in dict.fromkeys(course_ids)]
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(self._sql.statuses(conn, course_ids=ids))
        found = {
            row["course_id"]: StatusRow(
                view=row["view"], seq=row["last_seq"], status=row["status"], age_s=row["age_s"]
            )
            for row in rows
        }
        return [found.get(course_id) for course_id in course_ids]

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
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            found = await finished.load(conn, self._sql, course_id)
        if found is None:
            raise NoSuchCourse(course_id)
        if isinstance(found, str):
            raise Unfinished(json.loads(found))
        return found


class Unfinished(Exception):
    """The course is asked for but not there yet; ``view`` is its status view."""

    def __init__(self, view: dict[str, Any]) -> None:
        super().__init__(f"the course is {view['status']}")
        self.view = view


def _outcome(state: State) -> str:
    return state.failure.error_code if state.failure else str(state.status)
