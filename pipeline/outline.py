"""What a course is made of, and how its minutes are divided.

Every value here is frozen; copy to change (``model_copy``). The same ``Part``, ``Section`` and ``Source``
objects travel in events and stand in the finished course, so their fields are the wire's fields.
Nothing in this module does I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MIN_HOURS = 0.5
MAX_HOURS = 40.0

SHORT_COURSE_MINUTES = 120  # below: one part
LONG_COURSE_MINUTES = 240  # above: at least three parts of 30-120 minutes
PART_MINUTES = (30, 120)
SECTION_MINUTES = (10, 90)


class Value(BaseModel):
    """A frozen, keyword-only value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Depth(StrEnum):
    """How deep a course goes."""

    OVERVIEW = "overview"
    BALANCED = "balanced"
    TECHNICAL = "technical"
    EXPERT = "expert"


class Pace(StrEnum):
    """How fast a course goes: quick courses have more, shorter sections than thorough ones."""

    QUICK = "quick"
    MODERATE = "moderate"
    THOROUGH = "thorough"


class Preferences(Value):
    """What a learner may ask for beside topic and hours. Unset means: no wish."""

    depth: Depth | None = None
    pace: Pace | None = None
    presentation_style: str | None = Field(default=None, max_length=500)
    additional_notes: str | None = Field(default=None, max_length=2_000)


class Brief(Value):
    """What was asked for."""

    query: str
    hours: float = 2.0
    preferences: Preferences = Preferences()

    @property
    def budget_minutes(self) -> int:
        """Minutes the course has to add up to, exactly."""
        return math.floor(self.hours * 60 + 0.5)


# --- the library, as an author sees it ---------------------------------------------------------------


class Book(Value):
    """A book of the library."""

    book_id: str
    title: str
    authors: tuple[str, ...] = ()
    licence: str = ""
    url: str = ""
    """Where the book can be read, exactly as its publisher gives it."""
    language: str = "en"
    subjects: tuple[str, ...] = ()
    level: str = ""
    """``introductory``, ``intermediate`` or ``advanced``."""


class BookSection(Value):
    """A section of a chapter: the smallest thing a course cites."""

    index: int
    """Position in its chapter, from 0."""
    title: str
    words: int
    similarity: float = 0.0
    """Cosine of the query's vector and its own, -1 to 1; 0 where nothing was compared."""
    answers: float | None = None
    """Cosine of the query's vector and that of the nearest question which it answers, -1 to 1; None where
    none is known."""
    url: str = ""
    """Where it can be read, with page or anchor; '' where it has no address of its own."""


class Chapter(Value):
    """A chapter of a book, with its sections and how well it answers a query."""

    book: Book
    number: int
    """As the book counts; some books start at 0."""
    title: str
    summary: str = ""
    key_concepts: tuple[str, ...] = ()
    key_concept_sections: tuple[int | None, ...] = ()
    """Position of the section that explains each key concept, None for the chapter as a whole; empty where
    nobody said it."""
    questions: tuple[str, ...] = ()
    """What people ask that it answers, in their own words."""
    question_sections: tuple[int | None, ...] = ()
    """The same for each question: the section that answers it."""
    words: int = 0
    url: str = ""
    """Where the chapter can be read; the book's address where it has none of its own."""
    sections: tuple[BookSection, ...] = ()
    score: float = 0.0
    """Relevance to the query, 0 to 1."""

    def address(self, section_title: str | None = None) -> str:
        """Return where the chapter, or its section of this title, can be read."""
        own = next((section.url for section in self.sections if section.title == section_title), "")
        return own or self.url or self.book.url


LEAST_PROPORTION = 1e-9
WORDS_PER_MINUTE = 200
"""Silent reading of study text, below the 238 wpm that Brysbaert (2019) measured for non-fiction."""


def reading_minutes(words: int) -> int:
    """Return the minutes it takes to read `words` words; at least 1."""
    return max(1, round(words / WORDS_PER_MINUTE))


# --- the course ---------------------------------------------------------------------------------------


class FoundChapter(Value):
    """A chapter that the search found."""

    chapter_number: int
    chapter_title: str
    score: float


class FoundBook(Value):
    """A book that the search found, with its relevant chapters, best first."""

    book_id: str
    book_title: str
    score: float
    chapters: tuple[FoundChapter, ...]


class Source(Value):
    """Where a section's material can be read: one section of one chapter of a real book."""

    book_id: str
    book_title: str
    chapter_number: int
    chapter_title: str
    section_title: str | None = None
    url: str
    minutes: int
    """Honest reading time of the cited text, whatever the section's own minutes are."""
    why: str


class Section(Value):
    """What is studied in one sitting."""

    section_id: str
    part_index: int
    order_index: int
    """Position in its part, from 0."""
    title: str
    content_summary: str
    learning_objectives: tuple[str, ...]
    prerequisites: tuple[str, ...] = ()
    estimated_minutes: int
    sources: tuple[Source, ...]


class Part(Value):
    """A part of the course as planned, before its sections are written."""

    part_index: int
    title: str
    why: str
    estimated_minutes: int


class WrittenPart(Part):
    """A part with its sections."""

    sections: tuple[Section, ...]


Quality = dict[str, Any]
"""The quality report: named figures and notes. Its keys are the author's; viewers show what they know."""


# --- the time budget ------------------------------------------------------------------------------------


def parts_range(budget_minutes: int) -> tuple[int, int]:
    """Return the least and the largest number of parts for a course of `budget_minutes`."""
    if budget_minutes < SHORT_COURSE_MINUTES:
        return 1, 1
    if budget_minutes <= LONG_COURSE_MINUTES:
        return 2, 3
    low, high = PART_MINUTES
    return max(3, math.ceil(budget_minutes / high)), budget_minutes // low


def sections_range(part_minutes: int) -> tuple[int, int]:
    """Return the least and the largest number of sections for a part of `part_minutes`."""
    low, high = SECTION_MINUTES
    return max(1, math.ceil(part_minutes / high)), max(1, part_minutes // low)


def allocate(
    total: int, weights: Sequence[float], *, least: int = 0, most: int | None = None
) -> tuple[int, ...]:
    """Divide `total` minutes by `weights` so that the shares add up to it exactly.

    Largest remainder (Hamilton's method), with bounds: shares that would leave ``least…most`` are set to
    the bound and the rest is divided again among the others. Non-positive and non-finite weights count as
    the smallest positive one, so an author's odd numbers never lose a section.

    Args:
        total: minutes to divide, ≥ 0.
        weights: one per share; only their proportions matter.
        least: lower bound of every share, in minutes.
        most: upper bound of every share, in minutes; None: no bound.

    Raises:
        ValueError: the bounds cannot be met (``len(weights) * least > total`` or ``* most < total``).
    """
    count = len(weights)
    if count == 0:
        raise ValueError("nothing to divide among")
    ceiling = total if most is None else most
    if count * least > total or count * ceiling < total:
        raise ValueError(f"{total} minutes cannot be divided into {count} shares of {least}-{ceiling}")
    clean = _proportions(weights)

    shares: dict[int, int] = {}
    free = list(range(count))
    while free:
        rest = total - sum(shares.values())
        scale = rest / sum(clean[i] for i in free)
        low = [i for i in free if clean[i] * scale < least]
        high = [i for i in free if clean[i] * scale > ceiling]
        if not low and not high:
            break
        # Fix the side that is further off first: fixing both at once can overshoot the total.
        short = sum(least - clean[i] * scale for i in low)
        over = sum(clean[i] * scale - ceiling for i in high)
        fixed, bound = (low, least) if short >= over else (high, ceiling)
        for i in fixed:
            shares[i] = bound
        free = [i for i in free if i not in shares]
    if free:
        rest = total - sum(shares.values())
        scale = rest / sum(clean[i] for i in free)
        exact = {i: clean[i] * scale for i in free}
        shares |= {i: math.floor(value) for i, value in exact.items()}
        left = total - sum(shares.values())
        by_remainder = sorted(free, key=lambda i: (math.floor(exact[i]) - exact[i], i))
        for i in by_remainder[:left]:
            shares[i] += 1
    return tuple(shares[i] for i in range(count))


def _proportions(weights: Sequence[float]) -> list[float]:
    """Return `weights` with the largest as 1 and none so small that arithmetic on it fails."""
    usable = [w for w in weights if math.isfinite(w) and w > 0]
    largest, smallest = max(usable, default=1.0), min(usable, default=1.0)
    clean = [w if math.isfinite(w) and w > 0 else smallest for w in weights]
    return [max(w / largest, LEAST_PROPORTION) for w in clean]
