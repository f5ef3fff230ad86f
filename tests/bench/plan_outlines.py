"""Twenty outlines of the library author, printed to be read, each with what a teacher would say about it.

The queries, their hours and the critiques are in ``plan_critiques.json``. A critique is written by hand about
one outline, whose digest it names; where the outline has changed since, the page says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.authors.library import LibraryAuthor
from pipeline.errors import NoRelevantBooks
from pipeline.outline import Brief, Section, WrittenPart
from tests.bench.plan_courses import Course, Shelves, assignment, write

CRITIQUES = Path(__file__).parent / "plan_critiques.json"


STALE = "The outline has changed since this was written; it is now"


async def outlines(shelf: Shelves) -> str:
    """Return the outlines as Markdown."""
    shown: list[dict[str, Any]] = json.loads(CRITIQUES.read_text("utf-8"))
    return "\n\n".join([await _with_critique(shelf, **one) for one in shown])


async def _with_critique(
    shelf: Shelves,
    query: str,
    hours: float,
    critique: str,
    about: str,
    preferences: dict[str, str] | None = None,
) -> str:
    brief = Brief.model_validate({"query": query, "hours": hours, "preferences": preferences or {}})
    text = await outline(shelf, brief)
    wishes = "".join(f", {key} {value}" for key, value in (preferences or {}).items())
    note = "" if about == digest(text) else f" ({STALE} `{digest(text)}`.)"
    return f"#### “{query}”, {hours:g} h{wishes}\n\n{text}\n\n*{critique}*{note}"


def digest(text: str) -> str:
    """Return what a critique names the outline by that it is about."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


async def outline(shelf: Shelves, brief: Brief) -> str:
    """Return one outline, or the refusal."""
    try:
        reading = await shelf.reading(brief)
    except NoRelevantBooks as refused:
        return f"Refused (`{refused.code}`): {refused}"
    return "\n".join(_course(await write(LibraryAuthor(), assignment(brief, reading))))


def _course(course: Course) -> Iterator[str]:
    quality = course.review.quality
    yield (
        f"**{course.review.title}**: {quality['reading_minutes']} minutes of reading for "
        f"{quality['minutes']}, τ {quality['order_agreement']:g}."
    )
    if quality["notes"]:
        yield f"Its notes: {' '.join(quality['notes'])}"
    for part in course.review.parts:
        yield ""
        yield f"{part.part_index + 1}. **{part.title}** ({part.estimated_minutes} min). {part.why}"
        yield from _sections(part)


def _sections(part: WrittenPart) -> Iterator[str]:
    for section in part.sections:
        yield f"   - **{section.title}** ({section.estimated_minutes} min). {section.content_summary}"
        yield f"     Objectives: {'; '.join(section.learning_objectives)}."
        yield f"     Reads {_sources(section)}."


def _sources(section: Section) -> str:
    return "; ".join(
        f"{source.section_title or source.chapter_title} ({source.book_title}, {source.chapter_number})"
        for source in section.sources
    )
