"""The author that needs no key: plans the course from the library itself, deterministically.

The same brief and reading give the same course, byte for byte, in whichever process a part is asked for.
Planning takes a few milliseconds, up to a few dozen for the longest courses, so it runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.authors import Assignment, Review, section_id
from pipeline.authors.frames import Frames
from pipeline.authors.mending import mend
from pipeline.authors.naming import name_plan
from pipeline.authors.objectives import objectives
from pipeline.authors.planning import Plan, make_plan
from pipeline.authors.prerequisites import Sitting, builds_on, first_reading, in_a_row
from pipeline.authors.quality import report
from pipeline.authors.remarks import remarks
from pipeline.authors.summaries import content_summary, contexts
from pipeline.authors.titles import course_title
from pipeline.authors.wording import part_why, source_why
from pipeline.errors import NoRelevantBooks
from pipeline.outline import Brief, Chapter, Part, Section, Source, WrittenPart

PLANS_KEPT = 32


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A plan in words."""

    brief: Brief
    reading: tuple[Chapter, ...]
    plan: Plan
    parts: tuple[WrittenPart, ...]


class LibraryAuthor:
    """Writes parts, sections and the review from the reading alone."""

    name = "library"

    def __init__(self) -> None:
        self._outlines: OrderedDict[str, Outline] = OrderedDict()
        self._planning = asyncio.Lock()  # one plan at a time: it is CPU, and the next caller finds it kept

    async def parts(self, work: Assignment) -> Sequence[Part]:
        """Plan the parts; their minutes add up to the budget.

        Raises:
            NoRelevantBooks: there is nothing to read.
        """
        outline = await self._outline(work)
        return [without_sections(part) for part in outline.parts]

    async def sections(self, work: Assignment, parts: Sequence[Part], part_index: int) -> Sequence[Section]:
        """Write the sections of one part; their minutes add up to the part's.

        Parts that another version planned are followed, too: their number, titles and minutes stand.
        """
        outline = await self._outline(work)
        if [(p.title, p.estimated_minutes) for p in outline.parts] != [
            (p.title, p.estimated_minutes) for p in parts
        ]:
            outline = await asyncio.to_thread(
                write_outline, work.course_id, work.brief, work.reading, tuple(parts)
            )
        return outline.parts[part_index].sections

    async def review(self, work: Assignment, parts: Sequence[WrittenPart]) -> Review:
        """Check the outline, mend what code can mend and report on its quality."""
        outline = await self._outline(work)
        mended = await asyncio.to_thread(
            mend, work.course_id, work.brief, work.reading, parts, is_strict=True
        )
        quality = report(work.brief, work.reading, mended.parts, notes=remarks(outline.plan))
        fallback = work.reading[0].title if work.reading else "Course"
        return Review(
            parts=mended.parts,
            quality=quality,
            changes=mended.changes,
            title=course_title(work.brief.query, work.reading, fallback),
        )

    async def close(self) -> None:
        """Nothing to release."""

    async def _outline(self, work: Assignment) -> Outline:
        async with self._planning:
            kept = self._outlines.get(work.course_id)
            if kept is None or kept.brief != work.brief or kept.reading != work.reading:
                kept = await asyncio.to_thread(write_outline, work.course_id, work.brief, work.reading)
                self._outlines[work.course_id] = kept
                if len(self._outlines) > PLANS_KEPT:
                    self._outlines.popitem(last=False)
            return kept


def without_sections(part: WrittenPart) -> Part:
    """Return the part as planned."""
    return Part.model_validate(part.model_dump(exclude={"sections"}))


def write_outline(
    course_id: str, brief: Brief, reading: Sequence[Chapter], given: tuple[Part, ...] = ()
) -> Outline:
    """Return the whole outline of a course.

    Args:
        course_id: a UUID; section ids are derived from it.
        brief: what was asked for.
        reading: relevant chapters, best first.
        given: parts that stand already; their sections are written to fit them.

    Raises:
        NoRelevantBooks: `reading` is empty.
    """
    if not reading:
        raise NoRelevantBooks("Nothing in the library is about this.")
    plan = make_plan(brief, reading, given)
    names = name_plan(plan)
    subject = course_title(brief.query, reading, reading[0].title)
    sittings = in_a_row(plan, names)
    sections = iter(_sections(course_id, plan, sittings, subject))
    parts = []
    for index, planned in enumerate(plan.parts):
        stands = given[index] if given else None
        parts.append(
            WrittenPart(
                part_index=index,
                title=stands.title if stands else names.parts[index],
                why=stands.why if stands else part_why(plan, index, subject),
                estimated_minutes=planned.minutes,
                sections=tuple(next(sections) for _ in planned.sections),
            )
        )
    return Outline(brief, tuple(reading), plan, tuple(parts))


def _sections(course_id: str, plan: Plan, sittings: Sequence[Sitting], subject: str) -> list[Section]:
    context = contexts(plan)
    frames = Frames()
    written: list[Section] = []
    at = 0
    for part_index, part in enumerate(plan.parts):
        for order, section in enumerate(part.sections):
            written.append(
                Section(
                    section_id=section_id(course_id, part_index, order),
                    part_index=part_index,
                    order_index=order,
                    title=sittings[at].title,
                    content_summary=content_summary(plan, section, at, context.get(at, "")),
                    learning_objectives=objectives(plan, section, subject, frames),
                    prerequisites=builds_on(plan, sittings, at),
                    estimated_minutes=section.minutes,
                    sources=tuple(
                        _source(plan, sittings, at, position) for position in range(len(section.items))
                    ),
                )
            )
            at += 1
    return written


def _source(plan: Plan, sittings: Sequence[Sitting], at: int, position: int) -> Source:
    section = sittings[at].section
    unit = section.items[position].unit
    return unit.source(source_why(plan, section, position, first_reading(sittings, at, unit)))
