"""Replay, then follow: one viewer's way through one course's log, the same for every transport.

Order matters: join the hub, then read the log, then follow what the hub tells, dropping what was seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pipeline import database
from pipeline.log import Log, is_full
from server import frames
from server.frames import EntryFrame, Frame
from server.hub import Hub
from server.protocols import Abort
from server.viewers import Viewer

logger = logging.getLogger(__name__)

LOG_AWAY_S = 0.5


class NoSuchCourse(Exception):
    """There is no such course."""


class Over(Exception):
    """The viewer has everything and the course is not processing: nothing will come."""

    def __init__(self, seq: int, status: str) -> None:
        super().__init__(f"the log ends at {seq} and the course is {status}")
        self.seq = seq
        self.status = status


class Feed:
    """What a transport reads frames from. Made by :meth:`open`, ended by :meth:`close`.

    After a batch whose last frame is ``end``, or an empty one while ``finished``, there is nothing more to
    read.
    """

    __slots__ = ("_first", "_hub", "_last", "_log", "gone", "over", "seq", "viewer")

    def __init__(self, log: Log, hub: Hub, viewer: Viewer, first: Sequence[Frame]) -> None:
        self._log = log
        self._hub = hub
        self._first: Sequence[Frame] = first
        self._last: tuple[int, str] | None = None
        """Seq and status of the last entry read from the log, if it is terminal."""
        self.viewer = viewer
        self.seq = 0
        """Last seq of the log when the feed was opened."""
        self.over = False
        self.gone = False

    @classmethod
    async def open(
        cls, log: Log, hub: Hub, course_id: str, cursor: int | str, abort: Abort | None = None
    ) -> Feed:
        """Begin to watch a course from `cursor`; one that is no number, or beyond the log, means from 1.

        Joins the hub before anything of the log is read for the viewer, so that an entry comes by the one or
        the other; :meth:`ready` drops what comes by both.

        Args:
            log: where the truth is.
            hub: who tells what is new.
            course_id: which course.
            cursor: the last seq that the viewer has.
            abort: drops the viewer's connection, for when it does not read.

        Raises:
            NoSuchCourse: there is no such course.
            Over: the cursor is the last seq and the course is not processing.
            Full: this process has as many viewers as it may have.
        """
        last = await log.last(course_id)
        if last is None:
            raise NoSuchCourse(course_id)
        seq, status = last
        if cursor == seq and status != "processing":
            raise Over(seq, status)
        first: list[Frame] = []
        if isinstance(cursor, str) or cursor > seq:
            first.append(frames.reset(course_id, cursor, seq))
            cursor = 0
        feed = cls(log, hub, await hub.join(course_id, cursor, abort), first)
        feed.seq = seq
        return feed

    @property
    def leaving(self) -> bool:
        """Whether this process is going away and the viewer should come back to another."""
        return self.viewer.leaving

    @property
    def deleted(self) -> bool:
        """Whether the course was deleted before the viewer had all of it."""
        return self.viewer.deleted

    @property
    def finished(self) -> bool:
        """Whether nothing more will come, once what is ready was taken."""
        return self.over or self.gone or self.viewer.leaving

    def close(self) -> None:
        """End the viewer, whatever it was doing; a read of the log that is under way comes to nothing."""
        self.gone = True
        self._hub.leave(self.viewer)

    def pushed(self) -> None:
        """Note that a frame went to the peer without passing here."""
        self._hub.delivered += 1

    def blocked(self, since: float | None) -> None:
        """Note since when a send waits for the peer (loop time), or that it is through.

        The hub looks once a second and ends the connection of one that waits too long: the wait itself could
        not be cancelled, for half a frame may be out.
        """
        self.viewer.blocked_at = since

    async def next(self) -> Sequence[Frame]:
        """Wait for frames; an empty batch means that nothing more will come.

        Nothing is awaited between an empty look and the wait, so what is told in between wakes it.
        """
        while not (batch := await self.ready()) and not self.finished:
            await self.viewer.woken()
        return batch

    async def ready(self) -> Sequence[Frame]:
        """Return what there is to send, without waiting for news; reads the log where the viewer is behind.

        An empty batch was decided on without an await: whoever parks at once misses nothing.
        """
        viewer = self.viewer
        batch, self._first = self._first, ()
        while not (batch or self.over or self.gone):
            if viewer.lagging:
                if viewer.deleted or viewer.leaving:
                    break  # it keeps its place, and reads on where it comes back
                batch = await self._replay()
            elif viewer.buffer:
                batch = self._take()
            elif viewer.drafts:
                batch, viewer.drafts = list(viewer.drafts.values()), None
            elif viewer.ended is not None and viewer.ended[0] == viewer.cursor:
                batch = [self._end(*viewer.ended)]
            elif viewer.ping_due and not viewer.leaving:
                viewer.ping_due = False
                batch = [frames.ping()]
            else:
                break
        self._hub.delivered += len(batch)
        return batch

    async def _replay(self) -> list[Frame]:
        """Read one page of the log. What the hub tells meanwhile waits in the buffer, to be merged by seq."""
        viewer = self.viewer
        viewer.buffer.clear()
        viewer.lagging = False
        try:
            entries = await self._log.entries(viewer.course_id, viewer.cursor)
        except database.UNAVAILABLE as error:
            logger.warning("log not read", extra={"course": viewer.course_id, "error": repr(error)})
            viewer.lagging = True
            await asyncio.sleep(LOG_AWAY_S)  # the database tells nobody when it is back
            return []
        except asyncio.CancelledError:
            viewer.lagging = True
            raise
        batch: list[Frame] = [EntryFrame(entry) for entry in entries]
        if entries:
            newest = entries[-1]
            viewer.cursor = newest.seq
            self._last = (newest.seq, newest.status) if newest.terminal else None
        elif self._is_lost():
            viewer.deleted = viewer.leaving = viewer.lagging = True
            return batch
        if is_full(entries):
            viewer.lagging = True
            return batch
        self._hub.caught_up(viewer)
        last = self._last
        if last is not None and last[0] == viewer.cursor and not viewer.buffer and not viewer.lagging:
            batch.append(self._end(*last))
        return batch

    def _is_lost(self) -> bool:
        """Return whether a read that found nothing means that the course was deleted since we looked.

        Every log has a first entry; and where the hub has told what ended the course, and what waits in the
        buffer does not lead there, an entry is missing that was committed before this read began.
        """
        viewer = self.viewer
        told = viewer.ended is not None and viewer.ended[0] > viewer.cursor
        return viewer.cursor == 0 or (told and not viewer.buffer)

    def _take(self) -> list[Frame]:
        """Take what the buffer holds beyond the cursor; a gap means that the log has to be read."""
        viewer = self.viewer
        waiting, viewer.buffer = viewer.buffer, []
        batch: list[Frame] = []
        for frame in waiting:
            seq = frame.entry.seq
            if seq <= viewer.cursor:
                continue
            if seq != viewer.cursor + 1:
                viewer.lag()
                break
            viewer.cursor = seq
            batch.append(frame)
        return batch

    def _end(self, seq: int, status: str) -> Frame:
        self.over = True
        return frames.end(self.viewer.course_id, seq, status)


async def within(feed: Feed, seconds: float) -> Sequence[Frame]:
    """Return the next frames, or none when nothing came within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await feed.next()
    except TimeoutError:
        return ()
