"""The author that asks a language model: one call for the parts, one per part's sections, one for the review.

The model chooses and words; code keeps the rules. Sources are ids that become real books here, weights become
minutes that add up exactly, and the review mends what is left before anyone judges it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.authors import Assignment, Review
from pipeline.authors.mending import mend
from pipeline.authors.openai import prompts
from pipeline.authors.openai.abilities import PROBE_AFTER_S
from pipeline.authors.openai.asking import Question, ask
from pipeline.authors.openai.counts import objectives_asked, parts_asked, sections_asked
from pipeline.authors.openai.drafting import Drafting, parts_draft, review_draft, sections_draft
from pipeline.authors.openai.endpoint import TIMEOUTS, Endpoint, Timeouts
from pipeline.authors.openai.outlining import by_number, parts_of, rename, sections_of
from pipeline.authors.openai.shelf import Shelf, stock
from pipeline.authors.openai.weaknesses import weaknesses
from pipeline.authors.openai.wire import PartsAnswer, ReviewAnswer, SectionsAnswer, Terms
from pipeline.authors.quality import report
from pipeline.authors.titles import course_title
from pipeline.errors import AuthorInvalidOutput, AuthorRefused, BudgetExceeded, NoRelevantBooks
from pipeline.outline import Depth, Part, Section, WrittenPart, parts_range, sections_range

logger = logging.getLogger(__name__)

SOURCES_ASKED = (1, 3)
MOST_OBJECTIVES = 6
MOST_BUILDS_ON = 3
MOST_NOTES = 5
MOST_RENAMED = 12
CRITICAL_DEPTHS = frozenset({Depth.TECHNICAL, Depth.EXPERT})
"""Depths at which an outline is looked at by the model even where the checks find nothing."""
REVIEW_LOST = "The model's review could not be used; the outline stands as it was written."
REVIEW_UNAFFORDABLE = "The model was not asked for its review: the course has spent its tokens."


class OpenAIAuthor:
    """Writes parts, sections and the review with a model at an OpenAI-compatible endpoint.

    Args:
        base_url: address up to ``/v1``; None: OpenAI's.
        key: API key; None for servers that need none.
        model: the model's name; also the author's.
        max_calls: model calls at once in this process.
        timeouts: of one call.
        probe_after_s: how long an endpoint is believed to support less than everything.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        key: str | None,
        model: str,
        max_calls: int,
        timeouts: Timeouts = TIMEOUTS,
        probe_after_s: float = PROBE_AFTER_S,
    ) -> None:
        self.name = model
        self._endpoint = Endpoint(
            base_url=base_url,
            key=key,
            model=model,
            max_calls=max_calls,
            timeouts=timeouts,
            probe_after_s=probe_after_s,
        )

    async def parts(self, work: Assignment) -> Sequence[Part]:
        """Plan the parts; their minutes add up to the budget."""
        budget = work.brief.budget_minutes
        shelf = _shelf(work)
        counts = parts_asked(work.brief)
        answer = await ask(
            self._endpoint,
            Question(
                course_id=work.course_id,
                task="parts",
                name="parts",
                answer=PartsAnswer,
                terms=Terms(counts={"parts": counts}, tolerated={"parts": parts_range(budget)}),
                messages=prompts.for_parts(work.brief, shelf, counts),
                ledger=work.ledger,
            ),
            Drafting(work.draft, parts_draft),
        )
        return parts_of(budget, answer.parts)

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
        answer = await ask(
            self._endpoint,
            Question(
                course_id=work.course_id,
                task=f"sections:{part_index}",
                name="sections",
                answer=SectionsAnswer,
                terms=terms,
                messages=prompts.for_sections(work.brief, shelf, parts, part_index, counts),
                ledger=work.ledger,
            ),
            Drafting(work.draft, lambda partial: sections_draft(part_index, partial)),
        )
        return sections_of(work.course_id, part, answer.sections, shelf)

    async def review(self, work: Assignment, parts: Sequence[WrittenPart]) -> Review:
        """Check and mend by code; where that finds something, or the depth asks for it, ask the model too.

        The model titles the course, criticises and renames, once. A review that cannot be used, or cannot
        be paid, costs the course nothing but the review.
        """
        mended = await asyncio.to_thread(mend, work.course_id, work.brief, work.reading, parts)
        standing, changes = mended.parts, list(mended.changes)
        title = course_title(work.brief.query, work.reading, work.brief.query)
        notes: list[str] = []
        figures = await asyncio.to_thread(report, work.brief, work.reading, standing)
        findings = [*changes, *weaknesses(figures)]
        if findings or work.brief.preferences.depth in CRITICAL_DEPTHS:
            try:
                verdict = await self._verdict(work, standing, findings)
            except (AuthorInvalidOutput, AuthorRefused) as error:
                logger.warning("review lost", extra={"course": work.course_id, "error": repr(error)})
                notes.append(REVIEW_LOST)
            except BudgetExceeded:
                notes.append(REVIEW_UNAFFORDABLE)
            else:
                title = verdict.title
                notes.extend(verdict.notes)
                standing, renamed = rename(standing, verdict)
                changes.extend(renamed)
        notes.extend(work.ledger.repairs)
        quality = await asyncio.to_thread(report, work.brief, work.reading, standing, notes=notes)
        quality["tokens"] = asdict(work.ledger.tokens)
        return Review(parts=standing, quality=quality, changes=tuple(changes), title=title)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def _verdict(
        self, work: Assignment, parts: Sequence[WrittenPart], findings: Sequence[str]
    ) -> ReviewAnswer:
        numbers = tuple(by_number(parts))
        terms = Terms(
            counts={"notes": (0, MOST_NOTES), "renamed": (0, min(MOST_RENAMED, len(numbers)))},
            choices={"section": numbers},
        )
        return await ask(
            self._endpoint,
            Question(
                course_id=work.course_id,
                task="review",
                name="review",
                answer=ReviewAnswer,
                terms=terms,
                messages=prompts.for_review(work.brief, parts, findings),
                ledger=work.ledger,
            ),
            Drafting(work.draft, review_draft),
        )


def _shelf(work: Assignment) -> Shelf:
    shelf = stock(work.reading, work.brief.budget_minutes)
    if not shelf.places:
        raise NoRelevantBooks("Nothing in the library is about this.")
    return shelf
