"""What the hub could not hear, it reads: watches compared with the log, and read on where they are behind.

Races this closes:

* Published while the subscription was lost, or lost for any other reason: at once after a resubscription,
  and every RECONCILE_S, all watches are compared with the log in one query.
* Told live while a watch reads on: entries are told only in order of ``seq``, whoever brings them.
* A terminal entry that a retry follows: ``end`` is only told after the log says that it is still the last.
* A course that is deleted while it is watched: nobody waits for an entry that cannot come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping

import asyncpg

from pipeline import database
from pipeline.log import PAGE, Log
from server.viewers import Watch

logger = logging.getLogger(__name__)

RECONCILE_S = 2.0
RECONCILE_BATCH = 1_000
"""Watches compared in one query: between batches the event loop serves others."""


class Reconciler:
    """Reads what watches miss, once for all viewers of a course.

    Args:
        log: where the truth is.
        watches: the hub's, by course.
    """

    def __init__(self, log: Log, watches: Mapping[str, Watch]) -> None:
        self._log = log
        self._watches = watches
        self._bell = asyncio.Event()
        self._errands: set[asyncio.Task[None]] = set()

    def soon(self) -> None:
        """Compare all watches now; any number of calls make one query."""
        self._bell.set()

    def catch_up(self, watch: Watch) -> None:
        """Read on from what was told last; one at a time, or entries would be told twice."""
        if not watch.catching_up and not watch.crowded:
            watch.catching_up = True
            self._errand(self._read_on(watch))

    def prove_end(self, watch: Watch) -> None:
        """Tell ``end`` if the terminal entry that was told is still the log's last."""
        self._errand(self._prove_end(watch))

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_S):
                    await self._bell.wait()
            self._bell.clear()
            try:
                await self._compare()
            except (*database.UNAVAILABLE, asyncpg.PostgresError) as error:
                # Whatever Postgres says, viewers are better served by another try than by no hub.
                logger.warning("not reconciled", extra={"error": repr(error)})

    async def _compare(self) -> None:
        """Compare all watches that may get further with the log."""
        known = {w.course_id: _known(w) for w in self._watches.values() if w.seq or w.status}
        ids = list(known)
        for start in range(0, len(ids), RECONCILE_BATCH):
            batch = {course_id: known[course_id] for course_id in ids[start : start + RECONCILE_BATCH]}
            for course_id, last in (await self._log.further(batch)).items():
                watch = self._watches.get(course_id)
                if watch is None:
                    continue  # nobody is left
                if last is None:
                    self._missing(watch)
                    continue
                watch.note(last[0])
                if watch.viewers and (last[0] > watch.seq or watch.terminal_at is not None):
                    self.catch_up(watch)

    async def _read_on(self, watch: Watch) -> None:
        try:
            while watch.viewers and not watch.crowded:
                entries = await self._log.entries(watch.course_id, watch.seq)
                for entry in entries:
                    if entry.seq == watch.seq + 1 and not watch.crowded:  # a live one may have come meanwhile
                        watch.tell(entry)
                # What was heard while we read may be there by now; if not, the next reconcile sees to it.
                if not entries or (len(entries) < PAGE and watch.heard <= watch.seq):
                    break
        finally:
            watch.catching_up = False
        if watch.terminal_at is not None:
            await self._prove_end(watch)

    async def _prove_end(self, watch: Watch) -> None:
        last = await self._log.last(watch.course_id)
        if last is None:
            self._deleted(watch)
        elif last[0] == watch.terminal_at:
            _end(watch, *last)

    def _missing(self, watch: Watch) -> None:
        """End a watch whose row is gone, at the second look: its last entry may still be on its way."""
        watch.status = None
        watch.missed += 1
        if watch.missed > 1:
            self._deleted(watch)

    def _deleted(self, watch: Watch) -> None:
        """End what watches a course whose row is gone: who has its last entry gets ``end``.

        Others missed something that nobody can read any more; they come back and find no course.
        """
        watch.status = None
        if watch.terminal_at is not None:
            _end(watch, watch.terminal_at, watch.status_told)
        for viewer in tuple(watch.viewers):
            if watch.terminal_at is None or viewer.lagging:
                viewer.deleted = viewer.leaving = True
                viewer.wake()

    def _errand(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)

    def _errand_done(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The next reconcile tries again.
            level = logging.WARNING if isinstance(error, database.UNAVAILABLE) else logging.ERROR
            logger.log(level, "could not read on", extra={"error": repr(error)})


def _known(watch: Watch) -> int:
    """Return the seq after which something is new for a watch."""
    if not watch.viewers:
        return watch.heard
    return watch.seq if watch.terminal_at is None else -1  # -1: whether that is the last has to be proven


def _end(watch: Watch, seq: int, status: str) -> None:
    for viewer in tuple(watch.viewers):
        viewer.ended = (seq, status)
        viewer.wake()
