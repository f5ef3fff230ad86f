"""The author that asks a language model: one call for the parts, one per part's sections, one for the review.

The model chooses and words; code keeps the rules. Sources are ids that become real books here, weights become
minutes that add up exactly, and the review mends what is left before anyone judges it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pipeline.authors import Assignment, Review
from pipeline.authors.mending import mend
from pipeline.authors.openai import prompts
from pipeline.authors.openai.asking import Question, ask
from pipeline.authors.openai.counts import objectives_asked, parts_asked, sections_asked
from pipeline.authors.openai.drafting import Drafting, parts_draft, review_draft, sections_draft
from pipeline.authors.openai.endpoint import TIMEOUTS, Endpoint, Timeouts
from pipeline.authors.openai.outlining import by_number, parts_of, rename, sections_of
from pipeline.authors.openai.repairs import Repairs
from pipeline.authors.openai.shelf import Shelf, stock
from pipeline.authors.openai.wire import PartsAnswer, ReviewAnswer, SectionsAnswer, Terms
from pipeline.authors.quality import report
from pipeline.authors.titles import course_title
from pipeline.errors import AuthorInvalidOutput, AuthorRefused, NoRelevantBooks
from pipeline.outline import Part, Section, WrittenPart, parts_range, sections_range

logger = logging.getLogger(__name__)

SOURCES_ASKED = (1, 3)
MOST_OBJECTIVES = 6
MOST_BUILDS_ON = 3
MOST_NOTES = 5
MOST_RENAMED = 12
REVIEW_LOST = "The model's review could not be used; the outline stands as it was written."


class OpenAIAuthor:
    """Writes parts, sections and the review with a model at an OpenAI-compatible endpoint.

    Args:
        base_url: address up to ``/v1``; None: OpenAI's.
        key: API key; None for servers that need none.
        model: the model's name; also the author's.
        max_calls: model calls at once in this process.
        timeouts: of one call.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        key: str | None,
        model: str,
        max_calls: int,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self.name = model
        self._endpoint = Endpoint(
            base_url=base_url, key=key, model=model, max_calls=max_calls, timeouts=timeouts
        )
        self._repairs = Repairs()

    async def parts(self, work: Assignment) -> Sequence[Part]:
        """Plan the parts; their minutes add up to the budget."""
        budget = work.brief.budget_minutes
        shelf = _shelf(work)
        counts = parts_asked(work.brief)
        asked = await ask(
            self._endpoint,
            Question(
                course_id=work.course_id,
                task="parts",
                name="parts",
                answer=PartsAnswer,
                terms=Terms(counts={"parts": counts}, tolerated={"parts": parts_range(budget)}),
                messages=prompts.for_parts(work.brief, shelf, counts),
            ),
            Drafting(work.draft, parts_draft),
        )
        self._repairs.note(work.course_id, "parts", asked.repairs)
        return parts_of(budget, asked.answer.parts)

    async def sections(self, work: Assignment, parts: Sequence[Part], part_index: int) -> Sequence[Section]:
        """Write the sections of one part; their minutes add up to the part's."""
        part = parts[part_index]
        shelf = _shelf(work)
        counts = sections_asked(work.brief, part.estimated_minutes)
        terms = Terms(
            counts={
                "sections": counts,
                "objectives": objectives_asked(work.brief),
                "builds_on": (0, MOST_BUILDS_ON),
                "sources": SOURCES_ASKED,
            },
            tolerated={
                "sections": sections_range(part.estimated_minutes),
                "objectives": (1, MOST_OBJECTIVES),
            },
            choices={"source": tuple(shelf.places)},
        )
        task = f"sections:{part_index}"
        asked = await ask(
            self._endpoint,
            Question(
                course_id=work.course_id,
                task=task,
                name="sections",
                answer=SectionsAnswer,
                terms=terms,
                messages=prompts.for_sections(work.brief, shelf, parts, part_index, counts),
            ),
            Drafting(work.draft, lambda partial: sections_draft(part_index, partial)),
        )
        self._repairs.note(work.course_id, task, asked.repairs)
        return sections_of(work.course_id, part, asked.answer.sections, shelf)

    async def review(self, work: Assignment, parts: Sequence[WrittenPart]) -> Review:
        """Check and mend by code first; then have the model title the course, criticise and rename.

        A review that cannot be used costs the course nothing but the review.
        """
        mended = await asyncio.to_thread(mend, work.course_id, work.brief, work.reading, parts)
        standing, changes = mended.parts, list(mended.changes)
        title = course_title(work.brief.query, work.reading, work.brief.query)
        notes: list[str] = []
        try:
            verdict, repairs = await self._verdict(work, standing)
        except (AuthorInvalidOutput, AuthorRefused) as error:
            logger.warning("review lost", extra={"course": work.course_id, "error": repr(error)})
            notes.append(REVIEW_LOST)
        else:
            self._repairs.note(work.course_id, "review", repairs)
            title = verdict.title
            notes.extend(verdict.notes)
            standing, renamed = rename(standing, verdict)
            changes.extend(renamed)
        notes.extend(self._repairs.take(work.course_id))
        quality = await asyncio.to_thread(report, work.brief, work.reading, standing, notes=notes)
        return Review(parts=standing, quality=quality, changes=tuple(changes), title=title)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def _verdict(
        self, work: Assignment, parts: Sequence[WrittenPart]
    ) -> tuple[ReviewAnswer, tuple[str, ...]]:
        findings = await asyncio.to_thread(report, work.brief, work.reading, parts)
        numbers = tuple(by_number(parts))
        terms = Terms(
            counts={"notes": (0, MOST_NOTES), "renamed": (0, min(MOST_RENAMED, len(numbers)))},
            choices={"section": numbers},
        )
        asked = await ask(
            self._endpoint,
            Question(
                course_id=work.course_id,
                task="review",
                name="review",
                answer=ReviewAnswer,
                terms=terms,
                messages=prompts.for_review(work.brief, parts, findings["notes"]),
            ),
            Drafting(work.draft, review_draft),
        )
        return asked.answer, asked.repairs


def _shelf(work: Assignment) -> Shelf:
    shelf = stock(work.reading, work.brief.budget_minutes)
    if not shelf.places:
        raise NoRelevantBooks("Nothing in the library is about this.")
    return shelf
