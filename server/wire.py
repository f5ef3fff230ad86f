"""The shapes of the wire beside the events themselves: requests and answers, as types.

The OpenAPI document is made from these, and the command line reads answers with them. The server does not
build its answers from them (a message goes out as the bytes the log holds); a test checks every answer
against them instead.

Members of an answer are always there, except those made with :func:`sometimes`, which are absent rather
than null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from pipeline.library.views import ListedBook, SearchResult, ShownBook
from pipeline.outline import MAX_HOURS, MIN_HOURS, Preferences, Quality, Section, Value, WrittenPart

StatusName = Literal["processing", "complete", "error"]
PhaseName = Literal[
    "initializing", "searching_books", "generating_sections", "reviewing_outline", "complete", "error"
]
Absent = SkipJsonSchema[None]
SOMETIMES = "x-sometimes"
"""Marks a member that may be absent, until the document is built."""


def sometimes(description: str) -> Any:
    """Return a field that is absent where it does not apply."""

    def mark(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        schema[SOMETIMES] = True

    return Field(default=None, description=description, json_schema_extra=mark)


class Shape(Value):
    """An answer, or a part of one. Unknown members are ignored: a newer server may send more."""

    model_config = ConfigDict(extra="ignore")


# --- asking -------------------------------------------------------------------------------------------


class CourseRequest(Value):
    """What a learner asks for."""

    query: Annotated[str, Field(min_length=2, max_length=2_000, examples=["Learn DCF valuation"])]
    """What to learn; counted in characters after trimming. No NUL, no lone surrogate."""
    hours: Annotated[float, Field(ge=MIN_HOURS, le=MAX_HOURS)] = 2.0
    """Length of the course; its budget is ``floor(hours × 60 + 0.5)`` minutes."""
    preferences: Preferences = Field(default_factory=Preferences)


class Accepted(Shape):
    """The request is durable; the course is being written."""

    course_id: str
    status: StatusName
    message: str
    query: str
    hours: float
    status_url: str
    events_url: str
    websocket_url: str


class ErrorDetail(Shape):
    """What is wrong."""

    code: str
    """A word for programs."""
    message: str
    """A sentence for people."""
    field: str | Absent = sometimes("The part of the request that is wrong.")


class Error(Shape):
    """Every error has this shape."""

    error: ErrorDetail


class Unfinished(Error):
    """The course is not there: it is still being written, or it stopped."""

    error_code: str
    """Why it is not there: ``processing``, or why it stopped."""
    status: StatusName


# --- the status view ----------------------------------------------------------------------------------


class Progress(Shape):
    """How far the work has come."""

    parts_count: int
    """Parts planned; 0 until they are."""
    parts_done: int
    """Parts that have their sections."""
    sections_count: int
    percent: Annotated[int, Field(ge=0, le=100)]
    """Never falls."""
    course_id: str | Absent = sometimes("Once complete.")
    title: str | Absent = sometimes("Once complete.")
    estimated_hours: float | Absent = sometimes("Once complete.")


class StatusView(Shape):
    """A course as of ``seq``."""

    course_id: str
    status: StatusName
    phase: PhaseName
    seq: int
    """Number of the newest event in the log: the cursor for every way of watching."""
    progress: Progress
    query: str
    hours: float
    error: str | Absent = sometimes("A sentence for a person; only where status is `error`.")
    error_code: str | Absent = sometimes("A word for a program; only where status is `error`.")
    retryable: bool | Absent = sometimes("Whether `POST …/retry` can go on; only where status is `error`.")


# --- the finished course and the list ----------------------------------------------------------------------


class CourseFacts(Shape):
    """The finished course, without its parts."""

    course_id: str
    title: str
    original_query: str
    estimated_hours: float
    preferences: Preferences
    status: Literal["active"]
    author: str
    """Who wrote it: ``library``, or the name of a model."""
    quality: Quality
    """Figures and notes of the review."""
    created_at: str
    last_modified: str


class FinishedCourse(Shape):
    """A course with everything in it. Section minutes add up to their part's, parts' to the budget."""

    course: CourseFacts
    parts: tuple[WrittenPart, ...]
    sections: tuple[Section, ...]
    """The sections of all parts, flat, in order."""


class ListedCourse(StatusView):
    """A line of the list of courses."""

    title: str | None
    """Null until the course is complete."""
    created_at: str


class CourseList(Shape):
    """A page of the list of courses."""

    courses: tuple[ListedCourse, ...]
    next_cursor: str | None
    """For the next page; null on the last one."""


# --- the library -------------------------------------------------------------------------------------------


class Books(Shape):
    """All books of the library."""

    books: tuple[ListedBook, ...]


class Hits(Shape):
    """Chapters that answer a search, best first."""

    results: tuple[SearchResult, ...]
    message: str | Absent = sometimes("Why there are none, where the search does not know the language.")


class AddedBook(Shape):
    """A book of the operator's own is in the library."""

    book_id: str
    created: bool
    """False: it was there already."""
    book: ListedBook | None
    """Null where somebody removed it in the same moment."""


class BookProgress(Shape):
    """How far the adding of a book is."""

    stage: Literal["reading", "summarising", "embedding", "publishing"]
    done: int
    """Pages, documents, chapters or texts, as the stage has it."""
    total: int
    """0 where it is not known."""


# --- operations ---------------------------------------------------------------------------------------------


class Health(Shape):
    """This process answers."""

    status: Literal["ok"]


class Readiness(Shape):
    """Whether requests should be sent here."""

    status: Literal["ready", "unavailable"]
    missing: tuple[str, ...] | Absent = sometimes("What is missing; only where unavailable.")
    degraded: tuple[str, ...] | Absent = sometimes("What is away though everything works without it.")


ANSWERS: tuple[type[Value], ...] = (
    *(CourseRequest, Accepted, Error, Unfinished, StatusView),
    *(FinishedCourse, CourseList, Books, ShownBook, Hits, AddedBook, BookProgress),
    *(Health, Readiness),
)
"""What the document needs a schema for; what these consist of comes with them."""
