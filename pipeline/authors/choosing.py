"""Which book sections a course cites: the most relevant ones that fit its hours.

Units are taken one by one, best first, and every choice changes the worth of what is left: its neighbours in
the chapter gain, what says the same in another book loses. How much depends on the depth asked for. What is
not about the query is never taken: repetition is better than filler.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pipeline.authors.answers import covered, rarity_in, ways_of_asking
from pipeline.authors.relevance import Unit, relevant_units
from pipeline.authors.wishes import Wishes
from pipeline.authors.words import Rarity, stems
from pipeline.outline import Chapter, Depth


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice, and what it was made from."""

    units: tuple[Unit, ...]
    """Best first."""
    spare: tuple[Unit, ...]
    """Relevant as well, best first, but beyond the hours."""
    companions: tuple[Unit, ...]
    """The rest of the best chapters, for hours that would stay empty."""
    rarity: Rarity
    asked: tuple[frozenset[str], ...]
    """The stems of the query, in each way of writing it."""

    def asked_about(self, unit: Unit) -> float:
        """Return the share of the query that the heading of `unit` names, 0 to 1."""
        return covered(self.asked, stems(unit.heading), self.rarity)


def choose(reading: Sequence[Chapter], wishes: Wishes, budget_minutes: int, *, at_most: int) -> Chosen:
    """Return the units for a course of `budget_minutes`, at most `at_most` of them and at least one.

    Args:
        reading: relevant chapters, at least one.
        wishes: what the brief asks for.
        budget_minutes: the minutes of the course; units are taken until their reading fills the share of it
            that the pace leaves for reading.
        at_most: the number of units that the sections can cite.
    """
    rarity = rarity_in(reading)
    relevant = relevant_units(reading, wishes, rarity)
    on_topic = relevant.units
    fitting = [unit for unit in on_topic if unit.minutes <= budget_minutes]
    fitting = fitting or [min(on_topic, key=lambda unit: unit.minutes)]
    taken = _take(fitting, wishes, rarity, budget_minutes, at_most)
    chosen = set(map(id, taken))
    spare = tuple(unit for unit in on_topic if id(unit) not in chosen)
    return Chosen(
        tuple(taken), spare, relevant.companions, rarity, tuple(ways_of_asking(wishes.asked, reading))
    )


OVERSHOOT = 0.1  # of the reading aimed at
LENGTH_COUNTS = 0.12  # what a unit as long as all the reading aimed at loses: two shorter ones say more
ENOUGH = 0.2  # of the reading aimed at: what is left to fill is not filled with whatever is short enough
WORTH_ADDING = 0.65  # of the best unit
NEW_BOOK = 0.12  # what opening another book costs a unit: one where one is enough


@dataclass(frozen=True, slots=True)
class _Manner:
    """How one choice changes the worth of what is left, by depth."""

    same_chapter: float
    neighbour: float
    gap: float
    """Both neighbours are taken: what is between them is missed."""
    same_said: float


_MANNERS = {
    Depth.OVERVIEW: _Manner(same_chapter=-0.08, neighbour=0.0, gap=0.0, same_said=-0.16),
    Depth.BALANCED: _Manner(same_chapter=-0.012, neighbour=0.04, gap=0.18, same_said=-0.14),
    Depth.TECHNICAL: _Manner(same_chapter=0.01, neighbour=0.04, gap=0.18, same_said=-0.07),
    Depth.EXPERT: _Manner(same_chapter=0.015, neighbour=0.04, gap=0.18, same_said=-0.09),
}


def _take(units: Sequence[Unit], wishes: Wishes, rarity: Rarity, budget: int, at_most: int) -> list[Unit]:
    manner = _MANNERS[wishes.depth]
    goal = budget * wishes.reading_share
    left = goal
    opened: set[str] = set()
    indexes: set[tuple[str, int, int]] = set()
    worth = {
        i: unit.relevance - NEW_BOOK - LENGTH_COUNTS * unit.minutes / goal for i, unit in enumerate(units)
    }
    queue = [(-value, i) for i, value in worth.items()]
    heapq.heapify(queue)
    by_chapter: dict[tuple[str, int], list[int]] = defaultdict(list)
    by_stem: dict[str, list[int]] = defaultdict(list)
    for i, unit in enumerate(units):
        by_chapter[unit.place[:2]].append(i)
        for word in unit.stems:
            by_stem[word].append(i)
    taken: list[Unit] = []
    while queue and len(taken) < at_most and left >= 1:
        value, i = heapq.heappop(queue)
        if i not in worth or -value != worth[i]:
            continue  # already taken, or its worth has changed since
        del worth[i]
        unit = units[i]
        if taken and unit.minutes > left + OVERSHOOT * goal:
            continue
        if taken and left < ENOUGH * goal and unit.relevance < WORTH_ADDING * taken[0].relevance:
            continue
        taken.append(unit)
        left -= unit.minutes
        changes = _changes(unit, units, by_chapter, by_stem, manner, rarity, indexes)
        indexes.add((*unit.place[:2], unit.index))
        if unit.chapter.book.book_id not in opened:
            opened.add(unit.chapter.book.book_id)
            for j, other in enumerate(units):  # the rest of the book costs nothing more
                if other.chapter.book.book_id == unit.chapter.book.book_id:
                    changes[j] = changes.get(j, 0.0) + NEW_BOOK
        for j, change in changes.items():
            if j in worth:
                worth[j] += change
                heapq.heappush(queue, (-worth[j], j))
    return taken


def _changes(
    unit: Unit,
    units: Sequence[Unit],
    by_chapter: dict[tuple[str, int], list[int]],
    by_stem: dict[str, list[int]],
    manner: _Manner,
    rarity: Rarity,
    taken: AbstractSet[tuple[str, int, int]],
) -> dict[int, float]:
    """Return how the worth of other units changes once `unit` is taken after `taken` (chapter and index)."""
    changes: dict[int, float] = {}
    for j in by_chapter[unit.place[:2]]:
        if units[j].aside:
            continue
        distance = units[j].index - unit.index
        changes[j] = manner.same_chapter + (manner.neighbour * unit.focus if abs(distance) == 1 else 0.0)
        if abs(distance) == 1 and (*unit.place[:2], unit.index + 2 * distance) in taken:
            changes[j] += manner.gap * unit.focus
    sharing: Iterable[int] = Counter(j for word in unit.stems for j in by_stem[word])
    for j in sharing:
        if units[j].chapter.book.book_id != unit.chapter.book.book_id:
            said = rarity.overlap(units[j].stems, unit.stems)
            if said > 0.6:
                changes[j] = changes.get(j, 0.0) + manner.same_said * said
    return changes
