"""Watches and viewers: what the hub writes to and feeds read from, on one event loop, so without a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from pipeline.log import Entry
from pipeline.requests import StatusRow
from server.flag import Flag
from server.frames import EntryFrame, Frame
from server.protocols import Abort

BUFFER = 64
"""Entries a viewer may be behind before it loses its buffer, not its place."""
ROUND = 200
"""Viewers told in one turn of the event loop, which is two milliseconds; then others have theirs."""
WAITING_ROUNDS = 64
"""Frames that may wait for a crowd to be told; more are not told, but read from the log later."""


class Parked(Protocol):
    """A connection that waits for nothing but its peer's leaving, and may be sent to at once."""

    def push(self, frame: Frame) -> None:
        """Send a frame now."""

    def rouse(self) -> None:
        """Look what there is to do; parked no more."""


class Viewer:
    """One reader of one course: what it has (``cursor``) and what waits for it.

    The hub writes to it, its feed reads from it. While its connection is *parked*, what the hub tells goes
    to the peer at once, within the same call; else it waits in the buffer.
    """

    __slots__ = (
        "_flag",
        "abort",
        "blocked_at",
        "buffer",
        "course_id",
        "cursor",
        "deleted",
        "drafts",
        "ended",
        "lagging",
        "leaving",
        "parked",
        "ping_due",
    )

    def __init__(self, course_id: str, cursor: int, abort: Abort | None = None) -> None:
        self.course_id = course_id
        self.cursor = cursor
        self.buffer: list[EntryFrame] = []
        self.drafts: dict[str, Frame] | None = None
        self.lagging = True
        """Whether the log has to be read: at first, after a gap, after a full buffer."""
        self.ended: tuple[int, str] | None = None
        self.deleted = False
        """Whether the course was deleted: there is no log to read any more."""
        self.leaving = False
        self.ping_due = False
        self.blocked_at: float | None = None
        """Since when a send waits for the peer, in loop time."""
        self.abort = abort
        """Drops its connection with all that was written and not read."""
        self.parked: Parked | None = None
        """Its connection, while that has nothing else to do; whoever starts something unsets it."""
        self._flag: Flag | None = None

    def offer(self, frame: EntryFrame) -> None:
        """Take the next entry, or note that there is a gap; one who lags will read it from the log.

        Closes the race of a push and a replay: only what follows the cursor exactly, with nothing before it
        in the buffer, goes straight to the peer, and the cursor moves before the send may call back.
        """
        if self.lagging:
            return
        seq = frame.entry.seq
        if self.parked is not None and seq == self.cursor + 1 and not self.buffer:
            self.cursor = seq
            self.parked.push(frame)
            if self.ended is not None:
                self.wake()
            return
        last = self.buffer[-1].entry.seq if self.buffer else self.cursor
        if seq <= last:
            return
        if (self.buffer and seq != last + 1) or len(self.buffer) >= BUFFER:
            self.lag()
        else:
            self.buffer.append(frame)
        self.wake()

    def offer_draft(self, task: str, frame: Frame) -> None:
        """Take a draft: the newest of each task, and none while lagging or behind with entries."""
        if self.lagging:
            return
        if self.parked is not None:
            self.parked.push(frame)
            return
        if self.drafts is None:
            self.drafts = {}
        self.drafts[task] = frame
        self.wake()

    def offer_ping(self, frame: Frame) -> None:
        """Take the heartbeat."""
        if self.parked is not None:
            self.parked.push(frame)
        else:
            self.ping_due = True
            self.wake()

    def lag(self) -> None:
        """Lose the buffer, keep the place."""
        self.buffer.clear()
        self.drafts = None
        self.lagging = True
        self.wake()

    @property
    def position(self) -> int:
        """The last entry it has, buffered ones included."""
        return self.buffer[-1].entry.seq if self.buffer else self.cursor

    def wake(self) -> None:
        """Have whoever serves it look again."""
        if self.parked is not None:
            self.parked.rouse()
        elif self._flag is not None:
            self._flag.set()

    async def woken(self) -> None:
        """Wait until there may be something new. To be called without an await since the last look.

        The flag is made by the first who waits, so nothing that was told before can be missed: on one event
        loop, whatever comes after the look finds either the flag or a parked connection.
        """
        if self._flag is None:
            self._flag = Flag()
        await self._flag.wait()
        self._flag.clear()


class Watch:
    """One course that somebody here watches."""

    __slots__ = (
        "_rounds",
        "catching_up",
        "confirmed",
        "course_id",
        "heard",
        "missed",
        "newest_draft",
        "polled_until",
        "seq",
        "status",
        "status_told",
        "terminal_at",
        "viewers",
    )

    def __init__(self, course_id: str) -> None:
        self.course_id = course_id
        self.viewers: set[Viewer] = set()
        self.confirmed = Flag()
        self.seq = 0
        """Last entry told to the viewers here, who read what is before it by themselves; 0: none read yet."""
        self.terminal_at: int | None = None
        """Seq of a terminal entry that was told but not yet proven to be the last."""
        self.status_told = "processing"
        """The course's status as of the entry that was told last."""
        self.missed = 0
        """How many reconciles found no such course: it was deleted."""
        self.catching_up = False
        self.polled_until = 0.0
        """Until when polls count as watching, in loop time."""
        self.status: StatusRow | None = None
        """The status row, as long as nothing newer was heard; see :mod:`server.statuses`."""
        self.heard = 0
        """The highest seq heard or read since the watch began."""
        self.newest_draft: tuple[int, int] = (0, 0)
        self._rounds: Rounds | None = None

    def note(self, seq: int) -> None:
        """Note that there is an entry `seq`: a status row from before it is kept no longer."""
        self.heard = max(self.heard, seq)
        if self.status is not None and self.status.seq < seq:
            self.status = None

    @property
    def crowded(self) -> bool:
        """Whether its viewers still have so much to be told that no more can wait."""
        return self._rounds is not None and self._rounds.full

    def tell(self, entry: Entry) -> None:
        """Tell all viewers of an entry, framed once; not to be called while ``crowded``."""
        self.seq = entry.seq
        self.terminal_at = entry.seq if entry.terminal else None
        self.status_told = entry.status
        self._pass_on(EntryFrame(entry), None)

    def tell_draft(self, task: str, frame: Frame) -> None:
        """Tell all viewers of a draft; a crowd that is behind is not told, drafts are dropped first."""
        if self._rounds is None:
            self._pass_on(frame, task)

    def _pass_on(self, frame: Frame, task: str | None) -> None:
        """Tell a few viewers now, a crowd in rounds.

        A snapshot of the viewers, because a send may end one. One who joins after the snapshot reads this
        entry from the log: ``seq`` was moved before, so :meth:`server.hub.Hub.caught_up` sees to it.
        """
        if self._rounds is None:
            if len(self.viewers) <= ROUND:
                tell(tuple(self.viewers), frame, task)
                return
            self._rounds = Rounds(self)
        self._rounds.add(frame, task)

    def rounds_done(self) -> None:
        """Note that the crowd was told everything."""
        self._rounds = None


def tell(viewers: Collection[Viewer], frame: Frame, task: str | None) -> None:
    """Offer a frame to each viewer: an entry, or the draft of a task."""
    if isinstance(frame, EntryFrame):
        for viewer in viewers:
            viewer.offer(frame)
    else:
        for viewer in viewers:
            viewer.offer_draft(task or "", frame)


class Rounds:
    """Tells a crowd: one frame after the other, ROUND viewers in each turn of the event loop.

    Frame by frame, so that each viewer gets them in order, and the first viewers of a crowd of thousands do
    not hold up everybody else in the process until the last has been told.
    """

    __slots__ = ("_frames", "_loop", "_places", "_watch")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._frames: list[tuple[Frame, str | None]] = []
        self._places: list[Viewer] = []

    @property
    def full(self) -> bool:
        """Whether no more may wait."""
        return len(self._frames) >= WAITING_ROUNDS

    def add(self, frame: Frame, task: str | None) -> None:
        """Tell this one too, after those that wait."""
        self._frames.append((frame, task))
        if len(self._frames) == 1:
            self._places = list(self._watch.viewers)
            self._turn()

    def _turn(self) -> None:
        frame, task = self._frames[0]
        some, self._places = self._places[-ROUND:], self._places[:-ROUND]
        tell(some, frame, task)
        if not self._places:
            self._frames.pop(0)
            self._places = list(self._watch.viewers)
        if self._frames:
            self._loop.call_soon(self._turn)
        else:
            self._watch.rounds_done()
