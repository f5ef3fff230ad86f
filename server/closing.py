"""WebSocket close codes (RFC 6455 §7.4): their ranges say whether to come back."""

from __future__ import annotations

from enum import IntEnum


class Close(IntEnum):
    """Why we close a WebSocket. A client stops at 1000, 4400, 4401 and 4404, waits at 4429, and comes
    back with its cursor, after a backoff, at every other code, also those it makes up itself (1006)."""

    ENDED = 1000
    GOING_AWAY = 1001
    INTERNAL = 1011
    RESTARTING = 1012
    BAD_CURSOR = 4400
    NOT_FOUND = 4404
    TOO_SLOW = 4408  # reserved: a peer that reads nothing cannot be told why, it is aborted and sees 1006
    TOO_MANY = 4429

    @property
    def final(self) -> bool:
        """Whether the client should stop."""
        return self in (Close.ENDED, Close.BAD_CURSOR, Close.NOT_FOUND)
