"""The course as a state machine. Every transition is in this file; nothing here does I/O or knows asyncio.

Rules:

* The state is the fold of the log: ``apply(state, event)`` is the only way to a new state.
* ``TRANSITIONS`` is the whole truth about which event may follow which stage. An event that is not in the
  table for the current stage raises :class:`IllegalTransition`; the caller never appends it.
* ``PENDING`` says which tasks can run in a stage. A task's result is exactly one event.
* The status view and ``percent`` are pure functions of the state, and ``percent`` never falls.

Stages, how each is entered, who moves it on (a stopped course keeps its stage, so a retry goes on there):

========== ================================ ==============================================
stage      entered by                       moved on by
========== ================================ ==============================================
REQUESTED  the server, with the request     task ``embed``
EMBEDDED   ``embedding_generated``          task ``search``
FOUND      ``book_summaries_found``         task ``parts``
PLANNED    ``parts_generated``              tasks ``sections:0`` … ``sections:n``, at once
WRITTEN    ``all_parts_complete`` (derived) task ``review``
REVIEWED   ``outline_reviewed``             task ``store``
STORED     ``course_stored``                nobody: complete
========== ================================ ==============================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pipeline import events as ev
from pipeline.outline import Brief, FoundBook, Part, Quality, Section, WrittenPart


class IllegalTransition(Exception):
    """The event cannot follow the log as it is."""


class Status(StrEnum):
    """What the polling route calls ``status``."""

    PROCESSING = "processing"
    COMPLETE = "complete"
    ERROR = "error"


class Phase(StrEnum):
    """What the polling route calls ``phase``."""

    INITIALIZING = "initializing"
    SEARCHING_BOOKS = "searching_books"
    GENERATING_SECTIONS = "generating_sections"
    REVIEWING_OUTLINE = "reviewing_outline"
    COMPLETE = "complete"
    ERROR = "error"


class Stage(StrEnum):
    """How far the work has come, whatever the status."""

    REQUESTED = "requested"
    EMBEDDED = "embedded"
    FOUND = "found"
    PLANNED = "planned"
    WRITTEN = "written"
    REVIEWED = "reviewed"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class StageView:
    """How a stage shows in the status view: its phase, and the percent it starts at."""

    phase: Phase
    percent: int


STAGES: Mapping[Stage, StageView] = MappingProxyType(
    {
        Stage.REQUESTED: StageView(Phase.INITIALIZING, 5),
        Stage.EMBEDDED: StageView(Phase.SEARCHING_BOOKS, 10),
        Stage.FOUND: StageView(Phase.GENERATING_SECTIONS, 20),
        Stage.PLANNED: StageView(Phase.GENERATING_SECTIONS, 40),
        Stage.WRITTEN: StageView(Phase.REVIEWING_OUTLINE, 85),
        Stage.REVIEWED: StageView(Phase.REVIEWING_OUTLINE, 95),
        Stage.STORED: StageView(Phase.COMPLETE, 100),
    }
)

TRANSITIONS: Mapping[type[ev.Event], tuple[Stage, Stage]] = MappingProxyType(
    {
        ev.EmbeddingGenerated: (Stage.REQUESTED, Stage.EMBEDDED),
        ev.BookSummariesFound: (Stage.EMBEDDED, Stage.FOUND),
        ev.PartsGenerated: (Stage.FOUND, Stage.PLANNED),
        ev.PartSectionsGenerated: (Stage.PLANNED, Stage.PLANNED),
        ev.AllPartsComplete: (Stage.PLANNED, Stage.WRITTEN),
        ev.OutlineReviewed: (Stage.WRITTEN, Stage.REVIEWED),
        ev.CourseStored: (Stage.REVIEWED, Stage.STORED),
    }
)
"""Work moves the stage. `CourseRequested` only begins a log; `CourseFailed` stops any processing course and
`CourseResumed` any stopped one that can go on, both without moving the stage."""

PENDING: Mapping[Stage, str | None] = MappingProxyType(
    {
        Stage.REQUESTED: "embed",
        Stage.EMBEDDED: "search",
        Stage.FOUND: "parts",
        Stage.PLANNED: "sections",
        Stage.WRITTEN: "review",
        Stage.REVIEWED: "store",
        Stage.STORED: None,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """One piece of work, whose result is one event: ``parts``, ``sections:2``, ``review``."""

    verb: str
    part_index: int | None = None

    def __str__(self) -> str:
        return self.verb if self.part_index is None else f"{self.verb}:{self.part_index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A course as of ``seq``."""

    course_id: str
    seq: int
    brief: Brief
    stage: Stage = Stage.REQUESTED
    failure: ev.CourseFailed | None = None
    books: tuple[FoundBook, ...] = ()
    parts: tuple[Part, ...] = ()
    sections: Mapping[int, tuple[Section, ...]] = field(default_factory=lambda: MappingProxyType({}))
    reviewed: tuple[WrittenPart, ...] = ()
    title: str = ""
    author: str = ""
    quality: Quality = field(default_factory=dict)
    estimated_hours: float = 0.0

    @property
    def status(self) -> Status:
        """What the learner sees as status."""
        if self.failure is not None:
            return Status.ERROR
        return Status.COMPLETE if self.stage is Stage.STORED else Status.PROCESSING

    @property
    def phase(self) -> Phase:
        """What the learner sees as phase."""
        return Phase.ERROR if self.failure is not None else STAGES[self.stage].phase

    @property
    def working_phase(self) -> Phase:
        """The phase the work is in, also when the course is stopped."""
        return STAGES[self.stage].phase

    @property
    def written_parts(self) -> tuple[WrittenPart, ...]:
        """Parts with their sections: as reviewed, or as written where no review was yet."""
        if self.reviewed:
            return self.reviewed
        return tuple(
            WrittenPart(**part.model_dump(), sections=self.sections[part.part_index])
            for part in self.parts
            if part.part_index in self.sections
        )


def begin(course_id: str, event: ev.CourseRequested) -> State:
    """Return the state after the first event of a log."""
    brief = Brief(query=event.query, hours=event.hours, preferences=event.preferences)
    return State(course_id=course_id, seq=1, brief=brief)


def apply(state: State, event: ev.Event) -> State:
    """Return the state after `event`, which becomes number ``state.seq + 1``.

    Raises:
        IllegalTransition: the event cannot follow.
    """
    seq = state.seq + 1
    if isinstance(event, ev.CourseFailed):
        if state.status is not Status.PROCESSING:
            raise IllegalTransition(f"{event.type} on a course that is {state.status}")
        return replace(state, seq=seq, failure=event)
    if isinstance(event, ev.CourseResumed):
        if state.failure is None or not state.failure.retryable:
            raise IllegalTransition(f"{event.type} on a course that is not stopped, or not to be retried")
        return replace(state, seq=seq, failure=None)
    if isinstance(event, ev.CourseRequested):
        raise IllegalTransition("a log has one course_requested, its first")
    from_stage, to_stage = TRANSITIONS[type(event)]
    if state.status is not Status.PROCESSING or state.stage is not from_stage:
        raise IllegalTransition(f"{event.type} in stage {state.stage}, status {state.status}")
    return replace(_with_payload(state, event), seq=seq, stage=to_stage)


def _with_payload(state: State, event: ev.Event) -> State:
    match event:
        case ev.BookSummariesFound():
            return replace(state, books=event.books)
        case ev.PartsGenerated():
            if [part.part_index for part in event.parts] != list(range(len(event.parts))) or not event.parts:
                raise IllegalTransition("parts must be numbered 0, 1, 2 …, and at least one")
            return replace(state, parts=event.parts)
        case ev.PartSectionsGenerated():
            if event.part_index in state.sections or not 0 <= event.part_index < len(state.parts):
                raise IllegalTransition(f"sections of part {event.part_index} are there, or it is no part")
            sections = {**state.sections, event.part_index: event.sections}
            return replace(state, sections=MappingProxyType(sections))
        case ev.AllPartsComplete():
            if len(state.sections) != len(state.parts):
                raise IllegalTransition("a part has no sections yet")
            return state
        case ev.OutlineReviewed():
            return replace(
                state, reviewed=event.parts, title=event.title, author=event.author, quality=event.quality
            )
        case ev.CourseStored():
            return replace(state, title=event.title, estimated_hours=event.estimated_hours)
    return state


def derived(state: State) -> ev.Event | None:
    """Return the event that follows from the state by itself, to be appended with what led to it."""
    if state.stage is Stage.PLANNED and state.parts and len(state.sections) == len(state.parts):
        return ev.AllPartsComplete()
    return None


def pending(state: State) -> tuple[Task, ...]:
    """Return the tasks that can run now; none once the course is terminal."""
    verb = PENDING[state.stage]
    if verb is None or state.status is not Status.PROCESSING:
        return ()
    if verb == "sections":
        return tuple(
            Task("sections", part.part_index) for part in state.parts if part.part_index not in state.sections
        )
    return (Task(verb),)


def percent(state: State) -> int:
    """Return how much is done, 0 to 100."""
    done = STAGES[state.stage].percent
    if state.stage is Stage.PLANNED and state.parts:
        span = STAGES[Stage.WRITTEN].percent - done
        done += span * len(state.sections) // len(state.parts)
    return done


def status_view(state: State) -> dict[str, Any]:
    """Return the status view: what the polling route answers, but for what depends on when it is asked."""
    sections = [part.sections for part in state.reviewed] or list(state.sections.values())
    progress: dict[str, Any] = {
        "parts_count": len(state.parts),
        "parts_done": len(state.sections),
        "sections_count": sum(map(len, sections)),
        "percent": percent(state),
    }
    view: dict[str, Any] = {
        "course_id": state.course_id,
        "status": state.status,
        "phase": state.phase,
        "seq": state.seq,
        "progress": progress,
        "query": state.brief.query,
        "hours": state.brief.hours,
    }
    if state.status is Status.COMPLETE:
        progress["course_id"] = state.course_id
        progress["title"] = state.title
        progress["estimated_hours"] = state.estimated_hours
    if state.failure is not None:
        view["error"] = state.failure.error
        view["error_code"] = state.failure.error_code
        view["retryable"] = state.failure.retryable
    return view


def message_around_time(state: State, event: ev.Event) -> tuple[str, str]:
    """Return the complete message of `event`, whose result is `state`, as JSON cut open at ``at``.

    The database puts its own time between the two halves, under the row lock, so ``at`` never runs
    against ``seq`` whichever machine writes, and the row holds every byte that viewers get.
    """
    head = compact({"seq": state.seq, "type": event.type, "at": ""})[:-2]
    rest = {key: value for key, value in status_view(state).items() if key != "seq"}
    rest |= event.model_dump(mode="json", exclude={"type"})
    return head, '",' + compact(rest)[1:]


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def compact(value: Any) -> str:
    """Return `value` as JSON without spaces, as everything on the wire is."""
    return _ENCODER.encode(value)


def parse(message: bytes | str) -> dict[str, Any]:
    """Return a message as the dict it is."""
    parsed: dict[str, Any] = json.loads(message)
    return parsed


def fold(course_id: str, log: Iterable[ev.Event]) -> State:
    """Return the state after a whole log.

    Raises:
        IllegalTransition: the log is empty, does not begin with ``course_requested``, or breaks the table.
    """
    state: State | None = None
    for event in log:
        if state is not None:
            state = apply(state, event)
        elif isinstance(event, ev.CourseRequested):
            state = begin(course_id, event)
        else:
            raise IllegalTransition("a log begins with course_requested")
    if state is None:
        raise IllegalTransition("a log has at least one event")
    return state
