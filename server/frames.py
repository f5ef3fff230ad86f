"""What a viewer is sent, framed once per transport: the same bytes go to every viewer.

SSE frames follow WHATWG HTML §9.2.6; browsers drop an event without ``data``, so each has it. WebSocket
frames are the same objects with ``"event"`` beside them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sse_starlette.event import ServerSentEvent
from starlette.types import Message

from pipeline.bus import Draft
from pipeline.log import Entry


class Frame:
    """One event for viewers: a name, a JSON object, and an id where it is durable."""

    __slots__ = ("_sse", "_text", "data", "event", "seq")

    def __init__(self, event: str, data: bytes, seq: int | None = None) -> None:
        self.event = event
        self.data = data
        self.seq = seq
        self._sse: Message | None = None
        self._text: Message | None = None

    @property
    def sse(self) -> bytes:
        """The frame as an SSE event."""
        id_ = None if self.seq is None else str(self.seq)
        return ServerSentEvent(self.data.decode(), event=self.event, id=id_, sep="\n").encode()

    @property
    def sse_message(self) -> Message:
        """The frame as an SSE event, as ASGI has it: one object for all viewers."""
        if self._sse is None:
            self._sse = {"type": "http.response.body", "body": self.sse, "more_body": True}
        return self._sse

    @property
    def text(self) -> str:
        """The frame as a WebSocket text message."""
        return f'{{"event":"{self.event}",{self.data[1:].decode()}'

    @property
    def text_message(self) -> Message:
        """The frame as a WebSocket text message, as ASGI has it: one object for all viewers."""
        if self._text is None:
            self._text = {"type": "websocket.send", "text": self.text}
        return self._text


class EntryFrame(Frame):
    """An entry of the log."""

    __slots__ = ("entry",)

    def __init__(self, entry: Entry) -> None:
        super().__init__("update", entry.message, entry.seq)
        self.entry = entry

    @property
    def sse(self) -> bytes:
        """The same bytes as ServerSentEvent's, in a tenth of a microsecond instead of eight.

        A message is JSON on one line, so there is nothing in it to be split or escaped.
        """
        return b"id: %d\nevent: update\ndata: %b\n\n" % (self.entry.seq, self.data)


def draft(item: Draft) -> Frame:
    """Return the frame of a draft: no id, for it cannot be resumed from."""
    return Frame("draft", item.body)


def _frame(event: str, value: dict[str, Any]) -> Frame:
    return Frame(event, json.dumps(value, separators=(",", ":")).encode())


def reset(course_id: str, after: int | str, seq: int) -> Frame:
    """Return the frame that says: your cursor `after` is none of this log; here it comes from 1."""
    return _frame("reset", {"course_id": course_id, "after": after, "seq": seq})


def end(course_id: str, seq: int, status: str) -> Frame:
    """Return the frame after the last event of the log, which is terminal."""
    return _frame("end", {"course_id": course_id, "seq": seq, "status": status})


def ping() -> Frame:
    """Return the heartbeat."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return _frame("ping", {"at": at})


def retry_line(wait_ms: int) -> bytes:
    """Return the SSE line that tells a browser how long to wait before it reconnects.

    A line of the event that follows, or of one without data where a blank line does: that the specification
    drops, but some clients report it, and whoever parses its data as JSON trips: no stream begins with one.
    """
    return b"retry: %d\n" % wait_ms
