"""Twenty outlines of the library author, printed to be read, each with what a teacher would say about it.

The queries, their hours and the critiques are in ``plan_critiques.json``; a critique is written by hand about
the outline as it stands beside it, so a change of the author is a reason to read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.authors.library import LibraryAuthor
from pipeline.errors import NoRelevantBooks
from pipeline.outline import Brief, Section, WrittenPart
from tests.bench.plan_courses import Course, Shelves, assignment, write

CRITIQUES = Path(__file__).parent / "plan_critiques.json"


async def outlines(shelf: Shelves) -> str:
    """Return the outlines as Markdown."""
    shown: list[dict[str, Any]] = json.loads(CRITIQUES.read_text("utf-8"))
    return "\n\n".join([await outline(shelf, **one) for one in shown])


async def outline(
    shelf: Shelves, query: str, hours: float, critique: str, preferences: dict[str, str] | None = None
) -> str:
    """Return one outline, or the refusal, with its critique."""
    brief = Brief.model_validate({"query": query, "hours": hours, "preferences": preferences or {}})
    wishes = "".join(f", {key} {value}" for key, value in (preferences or {}).items())
    lines = [f"#### “{query}”, {hours:g} h{wishes}", ""]
    author = LibraryAuthor()
    try:
        course = await write(author, assignment(brief, await shelf.reading(brief)))
    except NoRelevantBooks as refused:
        lines.append(f"Refused (`{refused.code}`): {refused}")
    else:
        lines += _course(course)
    return "\n".join([*lines, "", f"*{critique}*"])


def _course(course: Course) -> Iterator[str]:
    quality = course.review.quality
    yield (
        f"**{course.review.title}**: {quality['reading_minutes']} minutes of reading for "
        f"{quality['minutes']}, τ {quality['order_agreement']:g}."
    )
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
