"""One whole log, with a failure and a retry in it, as the messages that viewers get."""

from __future__ import annotations

from typing import Any

from pipeline import course as machine
from pipeline import events as ev
from pipeline.outline import Depth, FoundBook, FoundChapter, Part, Preferences, Section, Source, WrittenPart
from server.wire import FinishedCourse

COURSE_ID = "5d1f2f0a-58f4-4d3a-9c9e-0f6c1d2b3a4e"
AT = "2026-01-02T03:04:05.678901Z"

SOURCE = Source(
    book_id="principles-finance",
    book_title="Principles of Finance",
    chapter_number=8,
    chapter_title="Time Value of Money II",
    section_title="Perpetuities",
    url="https://example.org/principles-finance",
    minutes=6,
    why="It defines a perpetuity.",
)
PARTS = (
    Part(part_index=0, title="Time value of money", why="Everything rests on it.", estimated_minutes=60),
    Part(part_index=1, title="Cash flows", why="They are what is valued.", estimated_minutes=60),
)


def sections(part_index: int) -> tuple[Section, ...]:
    return tuple(
        Section(
            section_id=f"5d1f2f0a-58f4-4d3a-9c9e-0f6c1d2b3a{part_index}{i}",
            part_index=part_index,
            order_index=i,
            title=f"Section {part_index}.{i}",
            content_summary="What it is about.",
            learning_objectives=("Value a perpetuity.",),
            estimated_minutes=30,
            sources=(SOURCE,),
        )
        for i in range(2)
    )


def events() -> list[ev.Event]:
    """The log; part 1 finishes before part 0, and one failure is retried."""
    chapter = FoundChapter(chapter_number=8, chapter_title="Time Value of Money II", score=0.8)
    book = FoundBook(book_id=SOURCE.book_id, book_title=SOURCE.book_title, score=0.8, chapters=(chapter,) * 5)
    written = tuple(WrittenPart(**p.model_dump(), sections=sections(p.part_index)) for p in PARTS)
    return [
        ev.CourseRequested(
            query="Learn DCF valuation", hours=2.0, preferences=Preferences(depth=Depth.TECHNICAL)
        ),
        ev.EmbeddingGenerated(model="static", dimensions=256),
        ev.BookSummariesFound(books=(book,)),
        ev.PartsGenerated(parts=PARTS),
        ev.PartSectionsGenerated(part_index=1, sections=sections(1)),
        ev.CourseFailed(
            error="The model could not be reached.",
            error_code="author_unavailable",
            failed_phase="generating_sections",
            retryable=True,
        ),
        ev.CourseResumed(),
        ev.PartSectionsGenerated(part_index=0, sections=sections(0)),
        ev.AllPartsComplete(),
        ev.OutlineReviewed(
            title="Discounted cash flow valuation",
            parts=written,
            quality={"reading_coverage": 0.8},
            changes=("Moved a source.",),
            author="library",
        ),
        ev.CourseStored(title="Discounted cash flow valuation", estimated_hours=2.0),
    ]


def messages() -> list[dict[str, Any]]:
    """The log as viewers get it."""
    first, *rest = events()
    assert isinstance(first, ev.CourseRequested)
    state = machine.begin(COURSE_ID, first)
    found = [_message(state, first)]
    for event in rest:
        state = machine.apply(state, event)
        found.append(_message(state, event))
    return found


def _message(state: machine.State, event: ev.Event) -> dict[str, Any]:
    head, tail = machine.message_around_time(state, event)
    return machine.parse(head + AT + tail)


def finished(title: str, parts: list[dict[str, Any]]) -> FinishedCourse:
    """Return the finished course with these parts, each with its sections."""
    return FinishedCourse.model_validate(
        {
            "course": {
                "course_id": COURSE_ID,
                "title": title,
                "original_query": "Learn DCF valuation",
                "estimated_hours": 2.0,
                "preferences": {},
                "status": "active",
                "author": "library",
                "quality": {},
                "created_at": AT,
                "last_modified": AT,
            },
            "parts": parts,
            "sections": [section for part in parts for section in part["sections"]],
        }
    )
