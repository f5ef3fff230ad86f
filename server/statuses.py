"""Status rows for thousands of pollers: read once, kept as long as nothing newer was heard.

A poll counts as watching for 15 s. A row is kept only if the course's channel was confirmed before it was
read, and is dropped as soon as a newer entry is heard, the two-second reconcile finds one, or the
subscription is lost. While Redis is away every poll reads the row, once for all that come at the same time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from pipeline.requests import Requests, StatusRow
from server.hub import Hub


@dataclass(frozen=True, slots=True)
class Seen:
    """A status row, and how old its course is now, in seconds."""

    row: StatusRow
    age_s: float


class Statuses:
    """The status rows of this process."""

    def __init__(self, hub: Hub, requests: Requests) -> None:
        self._hub = hub
        self._requests = requests
        self._reading: dict[str, asyncio.Task[StatusRow | None]] = {}

    def kept(self, course_id: str) -> Seen | None:
        """Return the status row as it is now, where it is known without asking the database."""
        watch = self._hub.watched(course_id)
        if watch is None or watch.status is None:
            return None
        self._hub.polled(course_id)
        return _now(watch.status)

    async def get(self, course_id: str) -> Seen | None:
        """Return the status row as it is now, or None where there is no such course."""
        if (seen := self.kept(course_id)) is not None:
            return seen
        reading = self._reading.get(course_id)
        if reading is None:
            reading = asyncio.create_task(self._read(course_id))
            self._reading[course_id] = reading
            reading.add_done_callback(lambda _: self._reading.pop(course_id, None))
        # Shielded: one poller that goes away must not take the others' answer with it.
        row = await asyncio.shield(reading)
        if row is None:
            return None
        watch = self._hub.watched(course_id)
        if watch is not None and row.seq < watch.heard:
            return await self.fresh(course_id)  # its reading had begun before the newest entry was heard
        return _now(row)

    async def at_least(self, course_id: str, seq: int) -> Seen | None:
        """Return the status row, not older than the entry `seq`; nobody gets an older one from now on."""
        self._hub.note(course_id, seq)
        seen = await self.get(course_id)
        return await self.fresh(course_id) if seen is not None and seen.row.seq < seq else seen

    async def fresh(self, course_id: str) -> Seen | None:
        """Return the status row from the database: for one who has just written to the course."""
        row = await self._requests.status(course_id)
        return None if row is None else Seen(row, row.age_s)

    async def _read(self, course_id: str) -> StatusRow | None:
        watch = self._hub.watched(course_id)
        confirmed = watch is not None and watch.confirmed.is_set()
        row = await self._requests.status(course_id)
        if row is None:
            return None
        # The age is kept as the time the course began, so that a kept row grows older too.
        row = replace(row, age_s=row.age_s - asyncio.get_running_loop().time())
        watch = self._hub.polled(course_id)
        if confirmed and watch.confirmed.is_set() and watch.heard <= row.seq:
            watch.heard = row.seq
            watch.status = row
        return row


def _now(row: StatusRow) -> Seen:
    return Seen(row, row.age_s + asyncio.get_running_loop().time())
