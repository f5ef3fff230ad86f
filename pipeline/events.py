"""The vocabulary: what can happen to a course, as frozen values with a `type` tag.

An event is what happened; a *message* is what viewers get: the status view as of that event's ``seq``
plus the event's payload (see :mod:`pipeline.course`). Names are past tense; the fields are the wire's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from pipeline.outline import FoundBook, Part, Preferences, Quality, Section, Value, WrittenPart


class CourseRequested(Value):
    """A learner asked for a course."""

    type: Literal["course_requested"] = "course_requested"
    query: str
    hours: float
    preferences: Preferences = Preferences()


class EmbeddingGenerated(Value):
    """The query became a vector; the vector itself is on the course row."""

    type: Literal["embedding_generated"] = "embedding_generated"
    model: str
    dimensions: int


class BookSummariesFound(Value):
    """The library was searched: these books and chapters are about the query, best first."""

    type: Literal["book_summaries_found"] = "book_summaries_found"
    books: tuple[FoundBook, ...]


class PartsGenerated(Value):
    """The parts are planned; their minutes add up to the budget."""

    type: Literal["parts_generated"] = "parts_generated"
    parts: tuple[Part, ...]


class PartSectionsGenerated(Value):
    """One part has its sections; parts may finish in any order."""

    type: Literal["part_sections_generated"] = "part_sections_generated"
    part_index: int
    sections: tuple[Section, ...]


class AllPartsComplete(Value):
    """The last part got its sections: appended in that same transaction."""

    type: Literal["all_parts_complete"] = "all_parts_complete"


class OutlineReviewed(Value):
    """The whole outline was checked and mended."""

    type: Literal["outline_reviewed"] = "outline_reviewed"
    title: str
    parts: tuple[WrittenPart, ...]
    quality: Quality
    changes: tuple[str, ...]
    author: str
    """Who wrote the course: ``library`` or the name of a model."""


class CourseStored(Value):
    """The course is finished; course, parts and sections were written in the same transaction."""

    type: Literal["course_stored"] = "course_stored"
    title: str
    estimated_hours: float


class CourseFailed(Value):
    """The course stopped: a failure, or a cancel (``error_code`` ``cancelled``)."""

    type: Literal["course_failed"] = "course_failed"
    error: str
    """A sentence for a person."""
    error_code: str
    """A word for a program."""
    failed_phase: str
    retryable: bool
    """Whether ``POST …/retry`` can go on from here."""


class CourseResumed(Value):
    """A stopped course goes on where it stopped."""

    type: Literal["course_resumed"] = "course_resumed"


Event = (
    CourseRequested
    | EmbeddingGenerated
    | BookSummariesFound
    | PartsGenerated
    | PartSectionsGenerated
    | AllPartsComplete
    | OutlineReviewed
    | CourseStored
    | CourseFailed
    | CourseResumed
)

EVENT_TYPES: tuple[type[Value], ...] = (
    CourseRequested,
    EmbeddingGenerated,
    BookSummariesFound,
    PartsGenerated,
    PartSectionsGenerated,
    AllPartsComplete,
    OutlineReviewed,
    CourseStored,
    CourseFailed,
    CourseResumed,
)

_adapter: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_payload_fields = {cls.model_fields["type"].default: frozenset(cls.model_fields) for cls in EVENT_TYPES}


def event_from_message(message: dict[str, object]) -> Event:
    """Return the event inside a message, dropping the status view around it.

    Raises:
        pydantic.ValidationError: the message is of no known type, or lacks a field of it.
        KeyError: the message has no known ``type``.
    """
    fields = _payload_fields[message["type"]]
    return _adapter.validate_python({k: v for k, v in message.items() if k in fields}, strict=False)
