"""Who watches what. One per process, over the one Redis subscription connection.

A *watch* is one course that somebody here watches; a *viewer* is a cursor into its log with a small bounded
buffer. The hub tells viewers of what is new; whatever it cannot tell (a lost message, a buffer that ran
over, a Redis that is away) a viewer reads from the log by itself (see :mod:`server.feed`).

Races this closes:

* Published between a viewer's read of the log and its subscription: viewers join first, wait until Redis
  has confirmed (or CONFIRM_S passed), and only then read.
* Published while the subscription was lost: on every confirmation, and every RECONCILE_S, the hub compares
  its watches with the log in one query and reads what is missing, once for all viewers of a course.
* A terminal entry that a retry follows: ``end`` is only told after the log says that it is still the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable

import asyncpg
import redis.asyncio as redis

from pipeline import database
from pipeline.bus import Draft, Subscriber
from pipeline.log import PAGE, Entry, Log
from server import frames
from server.protocols import Abort
from server.viewers import Viewer, Watch

logger = logging.getLogger(__name__)

CONFIRM_S = 0.25
RECONCILE_S = 2.0
RECONCILE_BATCH = 1_000
"""Watches compared in one query: between batches the event loop serves others."""
PING_S = 15
BLOCKED_S = 30.0
POLLED_S = 15.0


class Full(Exception):
    """This process has as many viewers as it may have."""


class Hub:
    """All the watches of this process.

    Args:
        log: where the truth is.
        client: a Redis client for the subscription alone.
        max_viewers: most viewers at once.
    """

    def __init__(self, log: Log, client: redis.Redis, *, max_viewers: int) -> None:
        self._log = log
        self._watches: dict[str, Watch] = {}
        self._pulses: set[Viewer] = set()
        self._subscriber = Subscriber(
            client, on_item=self._on_item, on_confirmed=self._on_confirmed, on_lost=self._on_lost
        )
        self._max_viewers = max_viewers
        self._count = 0
        self._resubscribed = asyncio.Event()
        self._errands: set[asyncio.Task[None]] = set()
        self.draining = False
        self.delivered = 0

    @property
    def viewers(self) -> int:
        """How many viewers there are."""
        return self._count

    @property
    def connected(self) -> bool:
        """Whether the subscription connection stands."""
        return self._subscriber.connected

    async def join(self, course_id: str, cursor: int, abort: Abort | None = None) -> Viewer:
        """Begin to watch, confirmed by Redis or CONFIRM_S later; only then may the log be read.

        Raises:
            Full: there are ``max_viewers`` already.
        """
        if self._count >= self._max_viewers:
            raise Full(f"{self._max_viewers} viewers are connected to this process already")
        viewer = Viewer(course_id, cursor, abort)
        viewer.leaving = self.draining
        watch = self._watch(course_id)
        watch.viewers.add(viewer)
        self._count += 1
        try:
            async with asyncio.timeout(CONFIRM_S):
                await watch.confirmed.wait()
        except TimeoutError:
            logger.debug("subscription not confirmed in time", extra={"course": course_id})
        except asyncio.CancelledError:
            self.leave(viewer)
            raise
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """End a viewer; the last one of a course ends the watch."""
        watch = self._watches.get(viewer.course_id)
        if watch is None or viewer not in watch.viewers:
            return
        watch.viewers.remove(viewer)
        self._count -= 1
        self._end_if_unwatched(watch)

    def pulse(self, abort: Abort | None) -> Viewer:
        """Return what a socket for many courses hears beside them: heartbeat and drain."""
        pulse = Viewer("", 0, abort)
        pulse.lagging = False
        pulse.leaving = self.draining
        self._pulses.add(pulse)
        return pulse

    def end_pulse(self, pulse: Viewer) -> None:
        """End what :meth:`pulse` began."""
        self._pulses.discard(pulse)

    def polled(self, course_id: str) -> Watch:
        """Watch a course for POLLED_S because somebody polls it."""
        watch = self._watch(course_id)
        watch.polled_until = asyncio.get_running_loop().time() + POLLED_S
        return watch

    def note(self, course_id: str, seq: int) -> None:
        """Note that a course has an entry `seq`, for who asks this process next, before Redis says so."""
        watch = self._watches.get(course_id)
        if watch is not None:
            self._heard(watch, seq)

    def watched(self, course_id: str) -> Watch | None:
        """Return the watch of a course, where there is one."""
        return self._watches.get(course_id)

    def _watch(self, course_id: str) -> Watch:
        watch = self._watches.get(course_id)
        if watch is None:
            watch = self._watches[course_id] = Watch(course_id)
            self._subscriber.follow(course_id)
        return watch

    def _end_if_unwatched(self, watch: Watch) -> None:
        if not watch.viewers and watch.polled_until <= asyncio.get_running_loop().time():
            del self._watches[watch.course_id]
            self._subscriber.leave(watch.course_id)

    def caught_up(self, viewer: Viewer) -> None:
        """Note that a viewer has read the log to its end: from there on the hub must tell.

        Reads of several viewers may finish in another order than they began, and a viewer may have read
        what the hub missed; both are made good here, or somebody would wait for an entry in vain.
        """
        watch = self._watches.get(viewer.course_id)
        if watch is None:
            return
        if watch.seq == 0:
            watch.seq = viewer.cursor
        elif viewer.cursor > watch.seq:
            self._catch_up(watch)
        elif viewer.position < watch.seq:
            viewer.lag()

    def drain(self) -> None:
        """Tell every viewer to come back to another process."""
        self.draining = True
        for viewer in self._everyone():
            viewer.leaving = True
            viewer.wake()

    async def run(self) -> None:
        """Serve until cancelled: the subscription, the reconcile, the heartbeats."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._subscriber.run(), name="subscriber")
            group.create_task(self._reconcile(), name="reconcile")
            group.create_task(self._beat(), name="heartbeat")

    # -- what is new ------------------------------------------------------------------------------------

    def _on_item(self, item: Entry | Draft) -> None:
        watch = self._watches.get(item.course_id)
        if watch is None:
            return
        if isinstance(item, Draft):
            self._on_draft(watch, item)
            return
        self._heard(watch, item.seq)
        if watch.seq == 0:
            for viewer in watch.viewers:
                viewer.lag()  # their first read may have been just too early for this entry
        elif item.seq == watch.seq + 1:
            watch.tell(item)
            if item.terminal:
                self._errand(self._prove_end(watch))
        elif item.seq > watch.seq:
            self._catch_up(watch)

    def _heard(self, watch: Watch, seq: int) -> None:
        watch.heard = max(watch.heard, seq)
        if watch.status is not None and watch.status.seq < seq:
            watch.status = None

    def _on_draft(self, watch: Watch, item: Draft) -> None:
        newest = (item.fence, item.n)
        if newest <= watch.newest_draft:
            return  # an older run still talks, or Redis repeated itself
        watch.newest_draft = newest
        frame = frames.draft(item)
        for viewer in watch.viewers:
            viewer.offer_draft(item.task, frame)

    def _on_confirmed(self, course_ids: list[str]) -> None:
        for course_id in course_ids:
            watch = self._watches.get(course_id)
            if watch is None:
                continue
            if watch.seq:
                self._resubscribed.set()  # what was published meanwhile is gone: one reconcile for all
            watch.confirmed.set()

    def _on_lost(self) -> None:
        """The subscription is gone: whoever joins has to wait for the next, and no status row can be kept."""
        for watch in self._watches.values():
            watch.confirmed.clear()
            watch.status = None

    def _catch_up(self, watch: Watch) -> None:
        if not watch.catching_up:
            watch.catching_up = True
            self._errand(self._read_on(watch))

    async def _read_on(self, watch: Watch) -> None:
        """Read what a watch misses, once for all its viewers."""
        try:
            while watch.viewers:
                entries = await self._log.entries(watch.course_id, watch.seq)
                for entry in entries:
                    if entry.seq == watch.seq + 1:  # a live one may have come while we read
                        watch.tell(entry)
                # What was heard while we read may be there by now; if not, the next reconcile sees to it.
                if not entries or (len(entries) < PAGE and watch.heard <= watch.seq):
                    break
        finally:
            watch.catching_up = False
        if watch.terminal_at is not None:
            await self._prove_end(watch)

    async def _prove_end(self, watch: Watch) -> None:
        """Tell ``end`` if the terminal entry that was told is the last of the log."""
        last = (await self._log.last_seqs([watch.course_id])).get(watch.course_id)
        if last is None or watch.terminal_at is None or last[0] != watch.terminal_at:
            return
        for viewer in watch.viewers:
            viewer.ended = last
            viewer.wake()

    async def _reconcile(self) -> None:
        """Compare all watches that may get further with the log, in one query."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_S):
                    await self._resubscribed.wait()
            self._resubscribed.clear()
            open_ones = {w.course_id: w for w in self._watches.values() if w.seq or w.status}
            if not open_ones:
                continue
            ids = list(open_ones)
            try:
                for start in range(0, len(ids), RECONCILE_BATCH):
                    last_seqs = await self._log.last_seqs(ids[start : start + RECONCILE_BATCH])
                    for course_id, (seq, _) in last_seqs.items():
                        watch = open_ones[course_id]
                        self._heard(watch, seq)
                        if watch.viewers and (seq > watch.seq or watch.terminal_at is not None):
                            self._catch_up(watch)
            except (*database.UNAVAILABLE, asyncpg.PostgresError) as error:
                # Whatever Postgres says, viewers are better served by another try than by no hub.
                logger.warning("not reconciled", extra={"error": repr(error)})

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

    # -- heartbeats and peers that do not read ---------------------------------------------------------

    async def _beat(self) -> None:
        """One timer for all: each second, a fifteenth of the viewers gets its ping."""
        loop = asyncio.get_running_loop()
        turn = 0
        while True:
            await asyncio.sleep(1.0)
            turn = (turn + 1) % PING_S
            now = loop.time()
            for viewer in self._everyone():
                if id(viewer) // 64 % PING_S == turn:
                    viewer.ping_due = True
                    viewer.wake()
                if viewer.blocked_at is not None and now - viewer.blocked_at > BLOCKED_S and viewer.abort:
                    logger.info("a peer does not read", extra={"course": viewer.course_id})
                    viewer.abort()
            for watch in [w for w in self._watches.values() if 0 < w.polled_until <= now]:
                watch.polled_until = 0.0
                self._end_if_unwatched(watch)

    def _everyone(self) -> Iterable[Viewer]:
        return [*self._pulses, *(viewer for watch in self._watches.values() for viewer in watch.viewers)]
