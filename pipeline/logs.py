"""How our processes log: a constant message, the facts as fields. Configured by composition roots only."""

from __future__ import annotations

import logging
import time

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class FieldFormatter(logging.Formatter):
    """Formats a record as ``time level logger message key=value …``, in UTC."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Append the record's extra fields."""
        fields = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        return super().formatMessage(record) + "".join(f" {k}={v}" for k, v in fields.items())


def configure(level: str) -> None:
    """Log to standard error from `level` up."""
    handler = logging.StreamHandler()
    handler.setFormatter(FieldFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("arq").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it has a line for each WebSocket
    logging.getLogger("httpx2").setLevel(logging.WARNING)
