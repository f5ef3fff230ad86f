"""Watch a course from outside, whatever happens to the connection: what the command line follows.

httpx2 parses the SSE stream (WHATWG HTML §9.2.6). It also reports an event without data, which the
specification drops; here such an event tells at most how long to wait (``retry:``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from server.client import (
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    Client,
    NotCoursecast,
    Refused,
    Unreachable,
    backoff_s,
    refusal,
)

SILENCE_TIMEOUT_S = 40.0
"""The server pings every 15 s; two missed pings are a dead stream."""
PATIENCE_S = 120.0
"""How long without a word from the server before a watch gives up."""
MAX_EVENT_BYTES = 16 * 1024 * 1024
TEMPORARY = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses after which a stream may be opened again."""

_TIMEOUT = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, read=SILENCE_TIMEOUT_S)

_TASKS: Mapping[str, str] = {
    "parts_generated": "parts",
    "part_sections_generated": "sections:{part_index}",
    "outline_reviewed": "review",
}
"""Whose single result a message is: drafts of that task are over with it."""


@dataclass(frozen=True, slots=True)
class Update:
    """The next message of the log: each once, in order."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """Text as the author writes it; stale ones do not get here."""

    task: str
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reset:
    """The cursor was none of this log, which comes again from 1."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The stream broke; another try follows after `wait_s` seconds."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class End:
    """The course is over; `status` is ``complete`` or ``error``."""

    status: str


Seen = Update | Draft | Reset | Waiting | End


class Watch:
    """Everything that happens to a course after a cursor. Iterate over it once.

    Args:
        client: the server.
        course_id: the course.
        after: number of the last event that was seen already.
    """

    def __init__(self, client: Client, course_id: str, after: int = 0) -> None:
        self._client = client
        self._path = f"/courses/{quote(course_id, safe='')}"
        self.cursor = after
        """Number of the newest event seen: where to go on watching."""
        self._over = False
        self._failures = 0
        self._retry_s = 0.0
        self._drafts = _Drafts()

    def __iter__(self) -> Iterator[Seen]:
        """Yield what is seen until the course is over.

        Raises:
            ClientError: there is no such course, or no server any more.
        """
        while True:
            self._retry_s = 0.0
            try:
                with self._client.transport_errors():
                    yield from self._connection()
            except Unreachable:
                if self._out_of_patience():
                    raise
            except Refused as error:
                if error.status not in TEMPORARY or self._out_of_patience():
                    raise
            if self._over:
                return
            self._failures += 1
            wait_s = max(self._retry_s, backoff_s(self._failures))
            yield Waiting(wait_s)
            time.sleep(wait_s)

    def _out_of_patience(self) -> bool:
        heard_at = self._client.heard_at
        return heard_at is None or time.monotonic() - heard_at > PATIENCE_S

    def _connection(self) -> Iterator[Seen]:
        """Yield what one connection brings, until it closes or a message turns out to be missing."""
        path = f"{self._path}/events"
        headers = {"Last-Event-ID": str(self.cursor)} if self.cursor else {}
        with self._client.http.sse(
            path, headers=headers, timeout=_TIMEOUT, max_event_size=MAX_EVENT_BYTES
        ) as source:
            if self._nothing_follows(source.response):
                yield self._end(self._client.get(f"{self._path}/status"))
                return
            for event in source:
                if event.retry is not None:
                    self._retry_s = event.retry / 1000
                if not event.data:
                    continue
                self._client.heard()
                self._failures = 0
                try:
                    seen = self._understood(event.event, self._client.parsed(event.data))
                except _Gap:
                    return
                if seen is not None:
                    yield seen
                if self._over:
                    return

    def _nothing_follows(self, response: httpx2.Response) -> bool:
        """Return whether we have everything and the course is over (204); refuse what is no stream."""
        if response.status_code == 204:
            return True
        if response.status_code != 200:
            response.read()
            raise refusal(response)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise NotCoursecast(f"What answers at {self._client.url} is not a Coursecast server")
        return False

    def _understood(self, name: str, data: dict[str, Any]) -> Seen | None:
        """Return what an event tells, None for nothing new; a `ping` only shows that the stream lives."""
        try:
            match name:
                case "update":
                    return self._update(data)
                case "draft":
                    return self._drafts.fresh(data)
                case "reset":
                    self.cursor = 0
                    self._drafts = _Drafts()
                    return Reset()
                case "end":
                    if data["seq"] > self.cursor:
                        raise _Gap
                    return self._end(data)
        except (KeyError, TypeError) as error:
            raise NotCoursecast(f"{self._client.url} sent an {name!r} event that is none") from error
        return None

    def _update(self, message: dict[str, Any]) -> Seen | None:
        if message["seq"] <= self.cursor:
            return None
        if message["seq"] > self.cursor + 1:
            raise _Gap
        self.cursor = message["seq"]
        self._drafts.note(message)
        return Update(message)

    def _end(self, data: dict[str, Any]) -> Seen:
        self._over = True
        return End(str(data.get("status")))


class _Gap(Exception):
    """A message is missing between the cursor and what came: read on from the cursor."""


class _Drafts:
    """Which drafts are still news: those whose task is not in the log, of the newest fence, in order."""

    def __init__(self) -> None:
        self._done: set[str] = set()
        self._newest = (0, 0)

    def fresh(self, draft: dict[str, Any]) -> Draft | None:
        """Return a draft if it is news."""
        place = (draft["fence"], draft["n"])
        if draft["task"] in self._done or place <= self._newest:
            return None
        self._newest = place
        return Draft(draft["task"], draft["value"])

    def note(self, message: dict[str, Any]) -> None:
        """Note that a task has its result."""
        if task := _TASKS.get(message["type"]):
            self._done.add(task.format_map(message))
