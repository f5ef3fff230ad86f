"""The shapes of what viewers get: messages, and what is no entry of the log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, create_model

from pipeline import events as ev
from pipeline.outline import Value
from server.wire import Absent, Shape, StatusName, StatusView, sometimes

_UPDATES = {"type": "array", "maxItems": 200, "items": {"$ref": "#/components/schemas/Update"}}


class Message(StatusView):
    """What every message has: the status view as of its ``seq``, its type and its time."""

    at: str
    """When it was appended: UTC, ISO-8601 with microseconds."""


MESSAGES: tuple[type[Value], ...] = tuple(
    # The event comes first: where both have a field, as `error`, its own is the one that is always there.
    create_model(f"{event.__name__}Message", __base__=(event, Message), __doc__=event.__doc__)
    for event in ev.EVENT_TYPES
)
"""One per event type: SSE ``data``, a WebSocket message, an entry of a long-poll."""


class PolledStatus(StatusView):
    """The status view as of now; for a long-poll with the entries of the log after its cursor."""

    poll_after_ms: int | Absent = sometimes("When to ask again; absent once the course is over.")
    events: Annotated[tuple[dict[str, Any], ...] | Absent, WithJsonSchema(_UPDATES)] = sometimes(
        "Long-poll: at most 200 entries, oldest first."
    )
    more: bool | Absent = sometimes("Long-poll: whether the log has entries beyond these.")
    reset: Literal[True] | Absent = sometimes("Long-poll: the cursor was none of this log; these begin at 1.")


class Draft(Shape):
    """Text as the author writes it: shown at once, never logged, so without an id.

    Drop one whose task is in the log already, whose fence is older or whose ``n`` is not newer than the last.
    """

    course_id: str
    task: Annotated[str, Field(examples=["parts", "sections:2"])]
    """Whose partial result this is."""
    fence: int
    """Counts the runs of the course."""
    n: int
    """Counts the drafts of one run."""
    value: dict[str, Any]
    """The whole partial result so far."""


class Reset(Shape):
    """The cursor is none of this log: forget what was folded, the log follows from 1."""

    course_id: str
    after: int | str
    """The cursor that was refused."""
    seq: int
    """Number of the newest event."""


class Ping(Shape):
    """A heartbeat."""

    at: str


class End(Shape):
    """The log is at its end and the course is over: nothing follows."""

    course_id: str
    seq: int
    status: StatusName


class SocketError(Shape):
    """What a client sent is not understood; the socket stays open."""

    error: str


class SocketPing(Shape):
    """What a client may send; it is answered by a `pong`."""

    type: Literal["ping"]


class SocketRequest(Shape):
    """What a client may send on a socket for many courses."""

    type: Literal["subscribe", "unsubscribe", "ping"]
    course_id: str | Absent = sometimes("Which course; not for `ping`.")
    after: int | Absent = sometimes("With `subscribe`: the last seq you have; 0 where it is missing.")


class Subscribed(Shape):
    """A subscription on a socket for many courses is confirmed; its events follow."""

    course_id: str
    seq: int
    """Number of the newest event."""


class SubscriptionError(Shape):
    """What was asked about one course cannot be done; the socket and other subscriptions go on."""

    course_id: str | None
    error: str


FRAMES: Mapping[str, type[Shape]] = MappingProxyType(
    {"draft": Draft, "reset": Reset, "ping": Ping, "end": End, "error": SocketError}
)
"""What a WebSocket sends beside updates and `pong`, by ``event``."""

MANY_FRAMES: Mapping[str, type[Shape]] = MappingProxyType(
    {**FRAMES, "subscribed": Subscribed, "error": SubscriptionError}
)
"""The same for a socket with many courses."""

SHAPES: tuple[type[Value], ...] = (
    Message,
    *MESSAGES,
    PolledStatus,
    *FRAMES.values(),
    *(shape for shape in MANY_FRAMES.values() if shape not in FRAMES.values()),
    SocketPing,
    SocketRequest,
)
"""What the document needs a schema for."""
