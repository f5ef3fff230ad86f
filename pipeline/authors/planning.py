"""The plan of a course: which book sections are studied where, and for how many minutes.

A pure function of brief and reading, so the parts and the sections of every part can be asked for
separately, concurrently and in different processes, and still fit together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.authors.choosing import Chosen, choose
from pipeline.authors.dividing import divide
from pipeline.authors.ordering import in_teaching_order
from pipeline.authors.phrases import Casing
from pipeline.authors.relevance import Unit
from pipeline.authors.wishes import PART_TARGET_FACTOR, SECTION_TARGET_MINUTES, Wishes, read_wishes
from pipeline.authors.words import Rarity, stems
from pipeline.outline import (
    PART_MINUTES,
    SECTION_MINUTES,
    Brief,
    Chapter,
    Part,
    allocate,
    parts_range,
    sections_range,
)

SOURCES_PER_SECTION = 4
SHORT_SOURCES_PER_SECTION = 6  # where they are so short that four would not fill a sitting
SHORT_SOURCE_MINUTES = 3
ROUND_MINUTES = 5
UNIT_OVERHEAD_MINUTES = 3.0  # settling in, notes: keeps tiny sections from getting no time at all
AGAIN_WEIGHT = 0.7  # of the first time
PARTS_EVENNESS = 2.0  # parts of one course should be of about one length; sittings need not
FILLED = 0.5  # of the budget: with less reading than that, the rest of the best chapters is read, too
THIN = 1 / 3  # reading below this share of the budget is gone through again, to practise
MOST_PASSES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A unit in its place; `again` counts how often it came before."""

    unit: Unit
    again: int = 0

    @property
    def slots(self) -> float:
        """Return how much of a section's room for sources it takes."""
        short = self.unit.minutes <= SHORT_SOURCE_MINUTES
        return SOURCES_PER_SECTION / SHORT_SOURCES_PER_SECTION if short else 1.0

    @property
    def weight(self) -> float:
        """Return the minutes to plan for it."""
        return (self.unit.minutes + UNIT_OVERHEAD_MINUTES) * (AGAIN_WEIGHT if self.again else 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSection:
    """A sitting."""

    items: tuple[Item, ...]
    minutes: int

    @property
    def reading(self) -> int:
        """Return the minutes of reading in it."""
        return sum(item.unit.minutes for item in self.items)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedPart:
    """A part with its sittings."""

    sections: tuple[PlannedSection, ...]
    minutes: int

    @property
    def items(self) -> tuple[Item, ...]:
        """Return everything studied in it, in order."""
        return tuple(item for section in self.sections for item in section.items)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The whole plan, and what its words are made from."""

    brief: Brief
    wishes: Wishes
    parts: tuple[PlannedPart, ...]
    chosen: Chosen
    casing: Casing

    @property
    def rarity(self) -> Rarity:
        """Return how much each word says in this reading."""
        return self.chosen.rarity


def make_plan(brief: Brief, reading: Sequence[Chapter], given: Sequence[Part] = ()) -> Plan:
    """Return the plan of a course.

    Args:
        brief: what was asked for.
        reading: relevant chapters, at least one.
        given: parts that stand already, whoever planned them: their number, minutes and titles are kept.
    """
    wishes = read_wishes(brief)
    budget = sum(part.estimated_minutes for part in given) or brief.budget_minutes
    minutes = [part.estimated_minutes for part in given] or _even_parts(budget, wishes)
    sittings = sum(_sittings(length, wishes) for length in minutes)
    chosen = choose(reading, wishes, budget, at_most=sittings * SHORT_SOURCES_PER_SECTION)
    items = _items(chosen, budget, minutes)
    runs = _parts(items, minutes, given, chosen.rarity)
    if not given:
        weights = [sum(items[i].weight for i in run) for run in runs]
        least, most = PART_MINUTES if len(minutes) > 1 else (0, budget)
        minutes = list(share(budget, weights, least=least, most=most))
    parts = tuple(
        _part([items[i] for i in run], length, wishes, chosen.rarity)
        for run, length in zip(runs, minutes, strict=True)
    )
    return Plan(brief, wishes, parts, chosen, Casing(reading))


def share(total: int, weights: Sequence[float], *, least: int, most: int) -> tuple[int, ...]:
    """Divide minutes as :func:`pipeline.outline.allocate` does, in steps of five where that works out."""
    if total % ROUND_MINUTES == 0:
        low, high = math.ceil(least / ROUND_MINUTES), most // ROUND_MINUTES
        steps = total // ROUND_MINUTES
        if len(weights) * low <= steps <= len(weights) * high:
            return tuple(ROUND_MINUTES * n for n in allocate(steps, weights, least=low, most=high))
    least = min(least, total // len(weights))
    most = max(most, math.ceil(total / len(weights)))
    return allocate(total, weights, least=least, most=most)


# --- parts ----------------------------------------------------------------------------------------------


def _even_parts(budget: int, wishes: Wishes) -> list[int]:
    """Return the minutes of parts of one length: longer ones in longer courses, as in books."""
    low, high = parts_range(budget)
    target = min(PART_MINUTES[1] - 10, 55 + budget / 14) * PART_TARGET_FACTOR[wishes.pace]
    count = min(high, max(low, round(budget / target)))
    return list(allocate(budget, [1.0] * count))


def _items(chosen: Chosen, budget: int, minutes: Sequence[int]) -> list[Item]:
    """Return what is studied, in order: everything chosen, again from the start where that is too little."""
    needed = sum(sections_range(length)[0] for length in minutes)
    units = list(chosen.units)
    reading = sum(unit.minutes for unit in units)
    for unit in chosen.spare:  # nothing twice while something relevant was not read once
        if len(units) >= needed and reading >= FILLED * budget:
            break
        units.append(unit)
        reading += unit.minutes
    for unit in chosen.companions:
        if reading >= FILLED * budget:
            break
        units.append(unit)
        reading += unit.minutes
    ordered = in_teaching_order(units, chosen.rarity)
    passes = math.ceil(needed / len(ordered))
    if reading < THIN * budget:
        passes = max(passes, min(MOST_PASSES, math.ceil(THIN * budget / reading)))
    return [Item(unit, again) for again in range(passes) for unit in ordered]


def _parts(
    items: Sequence[Item], minutes: Sequence[int], given: Sequence[Part], rarity: Rarity
) -> list[range]:
    joints = [0.0, *(_part_joint(a, b, rarity) for a, b in pairwise(items))]
    suits = None
    if given:
        suits = [[rarity.covered(item.unit.stems, stems(part.title)) for item in items] for part in given]
    return divide(
        [item.weight for item in items],
        len(minutes),
        joints,
        least=max(sections_range(length)[0] for length in minutes),
        evenness=PARTS_EVENNESS,
        targets=minutes,
        suits=suits,
    )


def _part_joint(before: Item, after: Item, rarity: Rarity) -> float:
    """Return the cost of beginning a part between two items."""
    if before.again != after.again:
        return -0.8
    if before.unit.place[:2] == after.unit.place[:2]:
        return 0.5
    one = stems(before.unit.chapter.title).union(*map(stems, before.unit.chapter.key_concepts))
    other = stems(after.unit.chapter.title).union(*map(stems, after.unit.chapter.key_concepts))
    return min(0.4, rarity.overlap(one, other))


# --- sections -------------------------------------------------------------------------------------------


def _sittings(part_minutes: int, wishes: Wishes) -> int:
    low, high = sections_range(part_minutes)
    return min(high, max(low, round(part_minutes / SECTION_TARGET_MINUTES[wishes.pace])))


def _part(items: list[Item], minutes: int, wishes: Wishes, rarity: Rarity) -> PlannedPart:
    low, high = sections_range(minutes)
    if len(items) < low:  # a part of one long reading: what does not fit one sitting is gone through again
        items = [Item(item.unit, item.again + n) for n in range(low) for item in items][
            : max(low, len(items))
        ]
    slots = [item.slots for item in items]
    while sum(slots) > SOURCES_PER_SECTION * high + 1e-9:  # the least relevant is left out
        spare = min(range(len(items)), key=lambda i: (items[i].unit.relevance, -i))
        del items[spare], slots[spare]
    fewest = min(high, len(items), max(low, math.ceil(sum(slots) / SOURCES_PER_SECTION - 1e-9)))
    most_wanted = min(high, len(items))
    wanted = min(most_wanted, max(fewest, _sittings(minutes, wishes)))
    joints = [0.0, *(_section_joint(a, b, rarity) for a, b in pairwise(items))]
    runs = min(
        (
            divide([item.weight for item in items], count, joints, most=SOURCES_PER_SECTION, slots=slots)
            for count in range(max(fewest, wanted - 1), min(most_wanted, wanted + 1) + 1)
        ),
        key=lambda runs: _unease(runs, items, joints, wanted),
    )
    weights = [sum(items[i].weight for i in run) for run in runs]
    lengths = share(minutes, weights, least=SECTION_MINUTES[0], most=SECTION_MINUTES[1])
    return PlannedPart(
        tuple(
            PlannedSection(tuple(items[i] for i in run), length)
            for run, length in zip(runs, lengths, strict=True)
        ),
        minutes,
    )


def _unease(runs: Sequence[range], items: Sequence[Item], joints: Sequence[float], wanted: int) -> float:
    """Return how far a division is from sittings of the wanted length, cut at good joints."""
    target = sum(item.weight for item in items) / wanted
    sizes = (sum(items[i].weight for i in run) / target - 1.0 for run in runs)
    return sum(size * size for size in sizes) + sum(joints[run.start] for run in runs if run.start)


def _section_joint(before: Item, after: Item, rarity: Rarity) -> float:
    """Return the cost of ending a sitting between two items."""
    if before.again != after.again:
        return -0.3
    shared = rarity.overlap(before.unit.stems, after.unit.stems)
    if before.unit.place[:2] == after.unit.place[:2]:
        return 0.1 + 0.4 * shared
    return 0.4 * shared - (0.2 if before.unit.place[0] == after.unit.place[0] else 0.8)
