"""A flag that many may wait for: an :class:`asyncio.Event` in fifty bytes instead of eight hundred.

An Event keeps a deque for those who wait, also while nobody does; a viewer costs four of them in this process
and one in uvicorn's protocol. Here the list is made by whoever waits first.
"""

from __future__ import annotations

import asyncio


class Flag:
    """Set or not. On one event loop, so without a lock."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._waiting: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it and wake all who wait."""
        self._is_set = True
        waiting, self._waiting = self._waiting, None
        for future in waiting or ():
            if not future.done():
                future.set_result(None)

    def clear(self) -> None:
        """Unset it."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until it is set. One who was woken returns, even if it was cleared in between."""
        if self._is_set:
            return
        future = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(future)
        try:
            await future
        finally:
            if self._waiting is not None and future in self._waiting:
                self._waiting.remove(future)
