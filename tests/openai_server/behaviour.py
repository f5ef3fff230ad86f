"""How the test model answers, and which failures it makes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

FaultKind = Literal[
    "status",  # an error status, with its body
    "html",  # 200, but a web page
    "hang",  # no answer at all
    "stall",  # half an answer, then silence
    "drip",  # half an answer, then blanks for ever
    "cut_stream",  # half an answer, then the connection closes
    "garbled_stream",  # an event that is no JSON
    "stream_error",  # an error object in the stream
    "huge",  # an answer of `huge_mb` megabytes
    "invalid_json",
    "wrong_shape",
    "unknown_source",  # values that are not in the enum
    "refusal",
    "length",
    "content_filter",
    "empty_choices",
    "no_content",
]


class Fault(BaseModel):
    """One failure. Written ``"hang"``, ``{"status": 429, "retry_after": 1}`` or in full."""

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind = "status"
    status: int = 500
    retry_after: float | str | None = None
    message: str = "the test asked for this failure"
    code: str | None = None
    task: str | None = None
    """Only for tasks that begin with this, such as ``sections:1``."""

    def fits(self, task: str) -> bool:
        return self.task is None or task.startswith(self.task)


class Behaviour(BaseModel):
    """How the server answers; every field can be changed while it runs, for the calls that begin after it."""

    model_config = ConfigDict(extra="forbid")

    delay_s: float = 0.0
    """Before an answer begins."""
    chunk_delay_s: float = 0.0
    """Between two pieces of a streamed answer."""
    chunk_chars: int = 24
    fail_next: list[Fault] = Field(default_factory=list)
    """One for each of the next calls that they fit, in order."""
    fail_always: Fault | None = None
    refuse_json_schema: bool = False
    refuse_json_object: bool = False
    refuse_stream: bool = False
    refuse_stream_options: bool = False
    ignore_schema: bool = False
    """Take ``response_format`` and do nothing with it."""
    ignore_stream: bool = False
    """Answer in one piece whatever was asked."""
    no_usage: bool = False
    extra_text: bool = False
    """Prose and a code fence around the JSON."""
    repeat_choices: bool = False
    surplus_items: bool = False
    long_strings: bool = False
    odd_numbers: bool = False
    require_key: str | None = None
    """Any other key gets a 401 that repeats the wrong key."""
    huge_mb: int = 100
    ignore_dimensions: bool = False
    """Give embeddings at full length whatever was asked."""
    limit_per_s: int | None = None
    """More calls than this within a second get a 429 with ``Retry-After: 1``."""

    @field_validator("fail_next", "fail_always", mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [cls._shorthand(item) for item in value]
        return {"kind": value} if isinstance(value, str) else value

    def fault_for(self, task: str) -> Fault | None:
        """Return the failure of a call for `task`, used up where it was for one call only."""
        for fault in self.fail_next:
            if fault.fits(task):
                self.fail_next.remove(fault)
                return fault
        return self.fail_always if self.fail_always and self.fail_always.fits(task) else None

    def refusal(self, payload: dict[str, Any], key: str) -> Fault | None:
        """Return what a server without some capability answers, if this request asks for it."""
        if self.require_key is not None and key != self.require_key:
            return Fault(status=401, code="invalid_api_key", message=f"Incorrect API key provided: {key}.")
        kind = (payload.get("response_format") or {}).get("type", "text")
        if (kind == "json_schema" and self.refuse_json_schema) or (
            kind == "json_object" and self.refuse_json_object
        ):
            return Fault(status=400, message=f"response_format of type {kind} is not supported")
        if payload.get("stream") and self.refuse_stream:
            return Fault(status=400, message="stream is not supported")
        if payload.get("stream_options") and self.refuse_stream_options:
            return Fault(status=422, message="extra fields not permitted: stream_options")
        return None
