"""Replay, then follow: one viewer's way through one course's log, the same for every transport.

Order matters: join the hub, then read the log, then follow what the hub tells, dropping what was seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pipeline import database
from pipeline.log import PAGE, Log
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

    After :meth:`next` returned a batch whose last frame is ``end``, or while ``leaving`` is set, there is
    nothing more to read.
    """

    def __init__(self, log: Log, hub: Hub, viewer: Viewer, first: list[Frame]) -> None:
        self._log = log
        self._hub = hub
        self._viewer = viewer
        self._first = first
        self.seq = 0
        """Last seq of the log when the feed was opened."""
        self.over = False
        self.gone = False

    @classmethod
    async def open(
        cls, log: Log, hub: Hub, course_id: str, cursor: int | str, abort: Abort | None = None
    ) -> Feed:
        """Begin to watch a course from `cursor`; one that is no number, or beyond the log, means from 1.

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
        last = (await log.last_seqs([course_id])).get(course_id)
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
        return self._viewer.leaving

    def close(self) -> None:
        """End the viewer; to be called whatever happened."""
        self._hub.leave(self._viewer)

    def peer_gone(self) -> None:
        """Note that the other side closed; wakes :meth:`next`."""
        self.gone = True
        self._viewer.wake()

    def blocked(self, since: float | None) -> None:
        """Note since when a send waits for the peer (loop time), or that it is through."""
        self._viewer.blocked_at = since

    async def next(self) -> Sequence[Frame]:
        """Wait for frames; an empty batch means that the peer is gone or this process is leaving."""
        viewer = self._viewer
        batch, self._first = self._first, []
        while not (batch or self.over or self.gone):
            if viewer.lagging:
                batch += await self._replay()
            elif viewer.buffer:
                batch += self._take()
            elif viewer.drafts:
                batch += viewer.drafts.values()
                viewer.drafts.clear()
            elif viewer.ended is not None and viewer.ended[0] == viewer.cursor:
                batch.append(self._end(*viewer.ended))
            elif viewer.leaving:
                break
            elif viewer.ping_due:
                viewer.ping_due = False
                batch.append(frames.ping())
            else:
                await viewer.woken()
        self._hub.delivered += len(batch)
        return batch

    async def _replay(self) -> list[Frame]:
        """Read one page of the log. What the hub tells meanwhile waits in the buffer, to be merged by seq."""
        viewer = self._viewer
        viewer.buffer.clear()
        viewer.lagging = False
        try:
            entries = await self._log.entries(viewer.course_id, viewer.cursor, PAGE + 1)
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
            viewer.cursor = entries[-1].seq
        if len(entries) > PAGE:
            viewer.lagging = True
            return batch
        self._hub.caught_up(viewer)
        if entries and entries[-1].terminal and not viewer.buffer and not viewer.lagging:
            batch.append(self._end(entries[-1].seq, entries[-1].status))
        return batch

    def _take(self) -> list[Frame]:
        """Take what the buffer holds beyond the cursor; a gap means that the log has to be read."""
        viewer = self._viewer
        batch: list[Frame] = []
        while viewer.buffer:
            frame = viewer.buffer.popleft()
            if frame.entry.seq <= viewer.cursor:
                continue
            if frame.entry.seq != viewer.cursor + 1:
                viewer.lag()
                break
            viewer.cursor = frame.entry.seq
            batch.append(frame)
        return batch

    def _end(self, seq: int, status: str) -> Frame:
        self.over = True
        return frames.end(self._viewer.course_id, seq, status)


async def within(feed: Feed, seconds: float) -> Sequence[Frame]:
    """Return the next frames, or none when nothing came within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await feed.next()
    except TimeoutError:
        return ()
