"""Watches and viewers: what the hub writes to and feeds read from, on one event loop, so without a lock."""

from __future__ import annotations

import asyncio
from collections import deque

from pipeline.log import Entry
from pipeline.requests import StatusRow
from server.frames import EntryFrame, Frame
from server.protocols import Abort

BUFFER = 64
"""Entries a viewer may be behind before it loses its buffer, not its place."""


class Viewer:
    """One reader of one course: what it has (``cursor``) and what waits for it.

    The hub writes to it, its feed reads from it; both on the event loop, so no lock is needed.
    """

    __slots__ = (
        "_wake",
        "abort",
        "blocked_at",
        "buffer",
        "course_id",
        "cursor",
        "drafts",
        "ended",
        "lagging",
        "leaving",
        "ping_due",
    )

    def __init__(self, course_id: str, cursor: int, abort: Abort | None = None) -> None:
        self.course_id = course_id
        self.cursor = cursor
        self.buffer: deque[EntryFrame] = deque()
        self.drafts: dict[str, Frame] = {}
        self.lagging = True
        """Whether the log has to be read: at first, after a gap, after a full buffer."""
        self.ended: tuple[int, str] | None = None
        self.leaving = False
        self.ping_due = False
        self.blocked_at: float | None = None
        """Since when a send waits for the peer, in loop time."""
        self.abort = abort
        """Drops its connection with all that was written and not read."""
        self._wake = asyncio.Event()

    def offer(self, frame: EntryFrame) -> None:
        """Take the next entry, or note that there is a gap; one who lags will read it from the log."""
        if self.lagging:
            return
        seq = frame.entry.seq
        last = self.buffer[-1].entry.seq if self.buffer else None
        if last is not None and seq != last + 1:
            if seq <= last:
                return
            self.lag()
        elif len(self.buffer) >= BUFFER:
            self.lag()
        else:
            self.buffer.append(frame)
        self._wake.set()

    def offer_draft(self, task: str, frame: Frame) -> None:
        """Take a draft: the newest of each task, and none while lagging."""
        if not self.lagging:
            self.drafts[task] = frame
            self._wake.set()

    def lag(self) -> None:
        """Lose the buffer, keep the place."""
        self.buffer.clear()
        self.drafts.clear()
        self.lagging = True
        self._wake.set()

    @property
    def position(self) -> int:
        """The last entry it has, buffered ones included."""
        return self.buffer[-1].entry.seq if self.buffer else self.cursor

    def wake(self) -> None:
        """Have the feed look again."""
        self._wake.set()

    async def woken(self) -> None:
        """Wait until there may be something new."""
        await self._wake.wait()
        self._wake.clear()


class Watch:
    """One course that somebody here watches."""

    def __init__(self, course_id: str) -> None:
        self.course_id = course_id
        self.viewers: set[Viewer] = set()
        self.confirmed = asyncio.Event()
        self.seq = 0
        """Last entry told to the viewers here, who read what is before it by themselves; 0: none read yet."""
        self.terminal_at: int | None = None
        """Seq of a terminal entry that was told but not yet proven to be the last."""
        self.catching_up = False
        self.polled_until = 0.0
        """Until when polls count as watching, in loop time."""
        self.status: StatusRow | None = None
        """The status row, as long as nothing newer was heard; see :mod:`server.statuses`."""
        self.heard = 0
        """The highest seq heard or read since the watch began."""
        self.newest_draft: tuple[int, int] = (0, 0)

    def tell(self, entry: Entry) -> None:
        """Tell all viewers of an entry, framed once."""
        frame = EntryFrame(entry)
        self.seq = entry.seq
        self.terminal_at = entry.seq if entry.terminal else None
        for viewer in self.viewers:
            viewer.offer(frame)
