"""Logs for the soaks: entries appended as a run does, under the row's lock, and published."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pipeline.bus import Bus
from pipeline.database import Pool
from pipeline.log import entry
from tests.bench.live.publish import around_time

APPEND = """
WITH course AS (
    UPDATE courses SET last_seq = $2, status = $3, view = $4::json
    WHERE course_id = $1 AND status = 'processing' AND last_seq = $2 - 1
    RETURNING course_id, clock_timestamp() AS at
)
INSERT INTO events (course_id, seq, type, status, at, message)
SELECT course_id, $2, 'part_sections_generated', $3, at,
       ($5::text || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || $6::text)::json
FROM course RETURNING seq, status, message
"""


class Writer:
    """Appends to logs and rings for it; remembers every message as the log has it.

    Args:
        pool: the database.
        bus: rings; None: nobody is told, as when every message is lost.
    """

    def __init__(self, pool: Pool, bus: Bus | None) -> None:
        self._pool = pool
        self._bus = bus
        self.logs: dict[str, list[bytes]] = {}

    async def read(self, course_ids: Sequence[str]) -> None:
        """Read the logs of courses as they are."""
        rows = await self._pool.fetch(
            "SELECT course_id, message FROM events WHERE course_id = ANY($1::uuid[]) ORDER BY course_id, seq",
            [UUID(course_id) for course_id in course_ids],
        )
        for course_id in course_ids:
            self.logs[course_id] = []
        for row in rows:
            self.logs[str(row["course_id"])].append(row["message"].encode())

    async def append(self, course_id: str, *, status: str = "processing", padding: int = 0) -> None:
        """Append one entry, then ring."""
        log = self.logs[course_id]
        seq = len(log) + 1
        head, tail = around_time(course_id, seq, status=status, padding=padding)
        view = f'{{"course_id":"{course_id}","status":"{status}","phase":"generating_sections","seq":{seq}}}'
        row = await self._pool.fetchrow(APPEND, UUID(course_id), seq, status, view, head, tail, timeout=10)
        written = entry(course_id, row)
        log.append(written.message)
        if self._bus is not None:
            await self._bus.publish([written])

    async def lengthen(self, course_ids: Sequence[str], entries: int, padding: int) -> None:
        """Give each course a log of `entries` at once, in one statement; nobody is told."""
        head, tail = around_time("x", 0, padding=padding)
        message = f"{head.replace('0', 'SEQ', 1)}2026-01-02T03:04:05.678901Z{tail}"
        await self._pool.execute(
            """INSERT INTO events (course_id, seq, type, status, at, message)
               SELECT c, s, 'part_sections_generated', 'processing', now(), replace($3, 'SEQ', s::text)::json
               FROM unnest($1::uuid[]) AS c, generate_series(2, $2::bigint) AS s""",
            [UUID(course_id) for course_id in course_ids],
            entries,
            message,
        )
        await self._pool.execute(
            "UPDATE courses SET last_seq = $2 WHERE course_id = ANY($1::uuid[])",
            [UUID(course_id) for course_id in course_ids],
            entries,
        )
