"""Who writes the course. Two authors, one interface.

An :class:`Author` is given the brief and the reading (the chapters that the search found, with their
sections), never a way to name a book that is not there. Parts of one course get their sections
concurrently, so ``sections`` must depend on its arguments only.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.ledger import Ledger
from pipeline.outline import Brief, Chapter, Part, Quality, Section, WrittenPart

DraftSink = Callable[[Mapping[str, Any]], None]
"""Takes the whole partial result so far; cheap, never blocks, may drop all but the newest."""


def no_drafts(_value: Mapping[str, Any]) -> None:
    """Drop drafts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What an author is asked to write from."""

    course_id: str
    brief: Brief
    reading: tuple[Chapter, ...]
    """Relevant chapters, best first, each with sections and their similarity to the query."""
    draft: DraftSink = field(default=no_drafts)
    ledger: Ledger = field(default_factory=Ledger)
    """Where model calls are booked; an author that makes none leaves it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a review leaves: the parts as they stand now, what it found, what it changed."""

    parts: tuple[WrittenPart, ...]
    quality: Quality
    changes: tuple[str, ...]
    title: str
    """Title of the whole course."""


class Author(Protocol):
    """Writes parts, sections and the review.

    Every method may raise the :class:`pipeline.errors.CourseError` tree, nothing else on purpose.
    """

    name: str
    """``library`` or the name of the model: the finished course says who wrote it."""

    async def parts(self, work: Assignment) -> Sequence[Part]:
        """Plan the parts; their minutes add up to the budget."""
        ...

    async def sections(self, work: Assignment, parts: Sequence[Part], part_index: int) -> Sequence[Section]:
        """Write the sections of one part; their minutes add up to the part's."""
        ...

    async def review(self, work: Assignment, parts: Sequence[WrittenPart]) -> Review:
        """Check the whole outline, mend it and report on its quality."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def section_id(course_id: str, part_index: int, order_index: int) -> str:
    """Return the id of a section: a UUID derived from its place, so writing it twice gives one id."""
    return str(uuid.uuid5(uuid.UUID(course_id), f"section:{part_index}:{order_index}"))
