"""What the test model was asked, and what became of it."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any, Literal

from pydantic import BaseModel


class Call(BaseModel):
    """One request; times are seconds since the epoch."""

    id: int
    version: int
    """Of the journal, when this call last changed."""
    route: str
    """``chat`` or ``embeddings``."""
    course_id: str = ""
    task: str = ""
    """``parts``, ``sections:2``, ``review``; the name of the schema where the client does not say."""
    schema_name: str = ""
    response_format: str = "text"
    stream: bool = False
    status: Literal["running", "completed", "failed", "dropped"] = "running"
    """``failed``: as the test wanted; ``dropped``: the client went away before it had the whole answer."""
    fault: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """What the answer says that it took; 0 where it says nothing, or never came to its end."""
    started: float
    first_chunk: float | None = None
    finished: float | None = None


class Journal:
    """The calls in order; whoever waits is woken by every change.

    Changes are synchronous: between the last byte of an answer and its ``completed`` nothing else runs.
    """

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._requests: dict[int, Any] = {}
        self._version = 0
        self._ids = itertools.count(1)
        self._changed = asyncio.Event()

    def open(self, route: str, request: Any, **facts: Any) -> Call:
        """Enter a call that begins."""
        call = Call(id=next(self._ids), version=0, route=route, started=time.time(), **facts)
        self._calls[call.id] = call
        self._requests[call.id] = request
        self.update(call)
        return call

    def update(self, call: Call, **facts: Any) -> None:
        """Change a call; nothing happens to one from before a reset."""
        if self._calls.get(call.id) is not call:
            return
        self._version += 1
        for name, value in {**facts, "version": self._version}.items():
            setattr(call, name, value)
        self._wake()

    def finish(self, call: Call, status: str) -> None:
        """End a call, unless it has ended."""
        if call.status == "running":
            self.update(call, status=status, finished=time.time())

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """Forget all calls; ids and versions go on."""
        self._calls.clear()
        self._requests.clear()
        self._version += 1
        self._wake()

    async def after(self, version: int, wait_s: float) -> tuple[int, list[Call]]:
        """Return the version, and the calls that changed after `version`; wait up to `wait_s` for one."""
        try:
            async with asyncio.timeout(wait_s):
                while self._version <= version:
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self._version, [call for call in self._calls.values() if call.version > version]

    def request(self, call_id: int) -> dict[str, Any] | None:
        """Return a call with what was asked, or None."""
        if call_id not in self._calls:
            return None
        return {"call": self._calls[call_id].model_dump(), "request": self._requests[call_id]}
