"""What a section builds on: titles of earlier sections of the same course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.authors.naming import Names
from pipeline.authors.planning import Plan, PlannedSection
from pipeline.authors.relevance import Unit

MOST = 2
SAME_BOOK = 0.10  # shared words of two chapters of one book that make the later one build on the earlier
OTHER_BOOK = 0.22


@dataclass(frozen=True, slots=True)
class Sitting:
    """A section in the row of all sections."""

    title: str
    section: PlannedSection

    @property
    def units(self) -> tuple[Unit, ...]:
        """Return what it reads."""
        return tuple(item.unit for item in self.section.items)


def in_a_row(plan: Plan, names: Names) -> list[Sitting]:
    """Return all sections of the course in order."""
    return [
        Sitting(title, section)
        for part, titles in zip(plan.parts, names.sections, strict=True)
        for section, title in zip(part.sections, titles, strict=True)
    ]


def first_reading(sittings: Sequence[Sitting], at: int, unit: Unit) -> str:
    """Return the title of the earlier section that read `unit` first; empty where none did."""
    return next((s.title for s in sittings[:at] if any(u is unit for u in s.units)), "")


def builds_on(plan: Plan, sittings: Sequence[Sitting], at: int) -> tuple[str, ...]:
    """Return the titles of up to two earlier sections that section number `at` builds on, in course order."""
    own = sittings[at]
    again = [
        first_reading(sittings, at, unit)
        for item, unit in zip(own.section.items, own.units, strict=True)
        if item.again
    ]
    if any(again):
        return tuple(dict.fromkeys(title for title in again if title))[:MOST]
    scored = [
        (strength, i)
        for i in range(at)
        if (strength := max(_leans(plan, a, b) for a in own.units for b in sittings[i].units))
    ]
    strongest = sorted(scored, key=lambda item: (-round(item[0], 2), -item[1]))[:MOST]
    return tuple(sittings[i].title for i in sorted(i for _, i in strongest))


def _leans(plan: Plan, later: Unit, earlier: Unit) -> float:
    """Return how much `later` builds on `earlier`, 0 to 1; 0 where nothing says so."""
    if later.place[:2] == earlier.place[:2]:
        return 1.0
    headings = plan.rarity.overlap(later.stems, earlier.stems)
    chapters = plan.rarity.overlap(later.around, earlier.around)
    if later.chapter.book.book_id == earlier.chapter.book.book_id:
        return max(headings, chapters) if chapters >= SAME_BOOK or headings > OTHER_BOOK else 0.0
    return headings if headings > OTHER_BOOK else 0.0
