"""Who watches what. One per process, over the one Redis subscription connection.

A *watch* is one course that somebody here watches; a *viewer* is a cursor into its log with a small bounded
buffer. The hub tells viewers of what is new; whatever it cannot tell (a lost message, a buffer that ran
over, a Redis that is away) is read from the log: for all viewers of a course by :mod:`server.reconcile`, for
one that fell behind by its own :mod:`server.feed`.

Races this closes:

* Published between a viewer's read of the log and its subscription: viewers join first, wait until Redis
  has confirmed (or CONFIRM_S passed), and only then read.
* Reads of several viewers that end in another order than they began: see :meth:`Hub.caught_up`.
* Viewers that come and go while others are told: each telling goes over a snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from pipeline.bus import Draft
from pipeline.log import Entry, Log
from pipeline.subscription import Subscriber
from server import frames
from server.flag import Flag
from server.protocols import Abort
from server.reconcile import Reconciler
from server.viewers import Viewer, Watch

logger = logging.getLogger(__name__)

CONFIRM_S = 0.25
PING_S = 15
VISITED = 20
"""Viewers the heartbeat looks at in one turn of the event loop."""
BLOCKED_S = 30.0
POLLED_S = 15.0


class Full(Exception):
    """This process has as many viewers as it may have."""


class Hub:
    """All the watches of this process.

    Args:
        log: where the truth is.
        redis_url: where it subscribes.
        max_viewers: most viewers at once.
    """

    def __init__(self, log: Log, redis_url: str, *, max_viewers: int) -> None:
        self._watches: dict[str, Watch] = {}
        self._pulses: set[Viewer] = set()
        self._subscriber = Subscriber(
            redis_url, on_item=self._on_item, on_confirmed=self._on_confirmed, on_lost=self._on_lost
        )
        self._max_viewers = max_viewers
        self._count = 0
        self._reconciler = Reconciler(log, self._watches)
        self.draining = False
        self._drained = Flag()
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

        Closes the race of a publish between a read of the log and the subscription: whatever is published
        from here on is heard, and whatever was before is in the log by the time it is read.

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
        if not watch.confirmed.is_set():
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
        """End a viewer; the last one of a course ends the watch. May be called again.

        Closes the race of a push and a disconnect: from here on nothing is pushed to it.
        """
        viewer.parked = None
        watch = self._watches.get(viewer.course_id)
        if watch is None or viewer not in watch.viewers:
            return
        watch.viewers.remove(viewer)
        self._count -= 1
        self._end_if_unwatched(watch)

    def pulse(self, abort: Abort | None) -> Viewer:
        """Return what a socket for many courses hears beside them: heartbeat and drain.

        One that begins while this process leaves is told so at once.

        Raises:
            Full: there are ``max_viewers`` such sockets already, whatever they subscribe to.
        """
        if len(self._pulses) >= self._max_viewers:
            raise Full(f"{self._max_viewers} sockets are connected to this process already")
        pulse = Viewer("", 0, abort)
        pulse.lagging = False
        pulse.leaving = self.draining
        self._pulses.add(pulse)
        return pulse

    def end_pulse(self, pulse: Viewer) -> None:
        """End what :meth:`pulse` began."""
        self._pulses.discard(pulse)

    def polled(self, course_id: str) -> Watch:
        """Watch a course for POLLED_S because somebody polls it.

        Begun before the row is read, so that a row is only kept where every later entry is heard.
        """
        watch = self._watch(course_id)
        watch.polled_until = asyncio.get_running_loop().time() + POLLED_S
        return watch

    def note(self, course_id: str, seq: int) -> None:
        """Note that a course has an entry `seq`, before Redis says so.

        Closes the race of an answer and the kept row: who was just told of an entry must not get a status
        from before it.
        """
        watch = self._watches.get(course_id)
        if watch is not None:
            watch.note(seq)

    def tell(self, entries: Iterable[Entry]) -> None:
        """Tell viewers here of entries that this process appended; Redis will repeat them, or be away.

        Whichever comes first counts: an entry is told only in order of ``seq``, so the other is dropped.
        """
        for entry in entries:
            self._on_item(entry)

    def forget(self, course_id: str) -> None:
        """Note that a course was deleted by this process: no poller may get its kept status row.

        Its viewers are let go by the reconcile, after what was still published has arrived.
        """
        watch = self._watches.get(course_id)
        if watch is not None:
            watch.status = None

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
        if watch is None or viewer not in watch.viewers:
            return  # it left while it read
        if watch.seq == 0:
            watch.seq = viewer.cursor
        elif viewer.cursor > watch.seq:
            self._reconciler.catch_up(watch)
        elif viewer.position < watch.seq:
            viewer.lag()

    def drain(self) -> None:
        """Tell every viewer to come back to another process; one who joins from now on is told so at once."""
        self.draining = True
        self._drained.set()
        for viewer in self._everyone():
            viewer.leaving = True
            viewer.wake()

    async def drained(self) -> None:
        """Wait until this process leaves: for those who are no viewers, but would hold it up."""
        await self._drained.wait()

    async def run(self) -> None:
        """Serve until cancelled: the subscription, the reconcile, the heartbeats; one that fails ends all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._subscriber.run(), name="subscriber")
            group.create_task(self._reconciler.run(), name="reconcile")
            group.create_task(self._beat(), name="heartbeat")

    # -- what is new ------------------------------------------------------------------------------------

    def _on_item(self, item: Entry | Draft) -> None:
        watch = self._watches.get(item.course_id)
        if watch is None:
            return
        if isinstance(item, Draft):
            self._on_draft(watch, item)
            return
        watch.note(item.seq)
        if watch.seq == 0:
            for viewer in watch.viewers:
                viewer.lag()  # their first read may have been just too early for this entry
        elif item.seq == watch.seq + 1 and not watch.crowded:
            watch.tell(item)
            if item.terminal:
                self._reconciler.prove_end(watch)
        elif item.seq > watch.seq:
            self._reconciler.catch_up(watch)

    def _on_draft(self, watch: Watch, item: Draft) -> None:
        newest = (item.fence, item.n)
        if newest <= watch.newest_draft or watch.terminal_at is not None:
            return  # an older run still talks, or one whose course is over; or Redis repeated itself
        watch.newest_draft = newest
        watch.tell_draft(item.task, frames.draft(item))

    def _on_confirmed(self, course_ids: list[str]) -> None:
        for course_id in course_ids:
            watch = self._watches.get(course_id)
            if watch is None:
                continue
            if watch.seq:
                self._reconciler.soon()  # what was published meanwhile is gone
            watch.confirmed.set()

    def _on_lost(self) -> None:
        """The subscription is gone: whoever joins has to wait for the next, and no status row can be kept."""
        for watch in self._watches.values():
            watch.confirmed.clear()
            watch.status = None

    # -- heartbeats and peers that do not read ---------------------------------------------------------

    async def _beat(self) -> None:
        """One timer for all: each second, a fifteenth of the viewers gets its ping."""
        turn = 0
        while True:
            await asyncio.sleep(1.0)
            turn = (turn + 1) % PING_S
            await self._visit(turn)

    async def _visit(self, turn: int) -> None:
        now = asyncio.get_running_loop().time()
        ping = frames.ping()
        everyone = self._everyone()
        for start in range(0, len(everyone), VISITED):
            for viewer in everyone[start : start + VISITED]:
                if id(viewer) // 64 % PING_S == turn:
                    viewer.offer_ping(ping)
                if viewer.blocked_at is not None and now - viewer.blocked_at > BLOCKED_S and viewer.abort:
                    logger.info("a peer does not read", extra={"course": viewer.course_id})
                    viewer.abort()
            await asyncio.sleep(0)  # others have their turn
        for watch in [w for w in self._watches.values() if 0 < w.polled_until <= now]:
            watch.polled_until = 0.0
            self._end_if_unwatched(watch)

    def _everyone(self) -> list[Viewer]:
        return [*self._pulses, *(viewer for watch in self._watches.values() for viewer in watch.viewers)]
