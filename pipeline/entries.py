"""The lines of a log as viewers get them, read page by page; who reads at the same moment shares one query.

So thousands of viewers can come back at once, over a pool of a few connections, and entries that many of
them read are in memory once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from pipeline.batches import Batches
from pipeline.course import Status
from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries

READ_TIMEOUT_S = 5.0
PAGE = 200
"""Most entries one read returns."""
PAGE_BYTES = 96 * 1024
"""Bytes of messages after which a page takes no further entry, so that a thousand readers fit in memory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a course's log, as viewers get it.

    ``message`` is the complete message as UTF-8 JSON, the same bytes live and replayed; ``status`` is the
    course's as of this entry, so ``processing`` means that more is to come.
    """

    course_id: str
    seq: int
    status: str
    message: bytes

    @property
    def terminal(self) -> bool:
        """Whether the course was over as of this entry (a retry may still go on from it)."""
        return self.status != Status.PROCESSING


def is_full(page: Sequence[Entry]) -> bool:
    """Whether the log may go on after a page that was read."""
    return len(page) >= PAGE or sum(len(entry.message) for entry in page) >= PAGE_BYTES


class Pages:
    """Reads logs for viewers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = queries("courses")
        self._reads: Batches[_Place, list[Entry]] = Batches(
            self._read, at_once=4, most=100, timeout_s=READ_TIMEOUT_S
        )
        self._looks: Batches[str, tuple[int, str] | None] = Batches(
            self._look, at_once=2, most=500, timeout_s=READ_TIMEOUT_S
        )

    async def after(self, course_id: str, after: int) -> list[Entry]:
        """Return the page of entries with ``seq > after``, oldest first, as it is after this was called.

        It has at most PAGE entries, and not many more than PAGE_BYTES.
        """
        return await self._reads.ask((course_id, after))

    async def last(self, course_id: str) -> tuple[int, str] | None:
        """Return (last seq, status) of a course, or None where there is none."""
        return await self._looks.ask(course_id)

    async def further(self, known: Mapping[str, int]) -> dict[str, tuple[int, str] | None]:
        """Return (last seq, status) of each course whose log goes on after its known seq, None if it is gone.

        One query for any number of courses, with an answer as long as what is new.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(self._sql.further(conn, course_ids=list(known), seqs=list(known.values())))
        return {
            row["course_id"]: None if row["last_seq"] is None else (row["last_seq"], row["status"])
            for row in rows
        }

    async def _look(self, course_ids: Sequence[str]) -> list[tuple[int, str] | None]:
        asked = [UUID(course_id) for course_id in dict.fromkeys(course_ids)]
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(self._sql.last_seqs(conn, course_ids=asked))
        found = {str(row["course_id"]): (row["last_seq"], row["status"]) for row in rows}
        return [found.get(course_id) for course_id in course_ids]

    async def _read(self, asked: Sequence[_Place]) -> list[list[Entry]]:
        pages: dict[_Place, list[Entry]] = {place: [] for place in asked}
        places = list(pages)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(
                self._sql.pages(
                    conn,
                    course_ids=[UUID(course_id) for course_id, _ in places],
                    afters=[after for _, after in places],
                    most=PAGE,
                    bytes=PAGE_BYTES,
                )
            )
        for row in rows:
            place = places[row["place"] - 1]
            pages[place].append(entry(place[0], row))
        return [pages[place] for place in asked]


_Place = tuple[str, int]


def entry(course_id: str, row: Any) -> Entry:
    """Return a row of ``events`` as an entry."""
    return Entry(course_id, row["seq"], row["status"], cast(str, row["message"]).encode())
