"""A teachable order of what was chosen.

Within a book its own order is kept: chapters lean on earlier ones, and nobody knows that better than the
book. Between books the one that gives most is the spine; chapters of the others are put beside the chapters
of the spine that they share most with, again in their own order, introductory books leaning to the front and
advanced ones to the back. A single chapter that answers best of all opens the course.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.authors.relevance import Unit
from pipeline.authors.words import Rarity
from pipeline.outline import Chapter

_LEAN = {"introductory": -1.0, "intermediate": 0.0, "advanced": 1.0}
LEAN = 0.4
"""How much a level counts against a shared topic, per position along the spine, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Block:
    """What was chosen from one chapter, in its order."""

    chapter: Chapter
    units: tuple[Unit, ...]
    stems: frozenset[str]

    @property
    def best(self) -> float:
        """Return the relevance of its best unit."""
        return max(unit.relevance for unit in self.units)


def in_teaching_order(units: Sequence[Unit], rarity: Rarity) -> list[Unit]:
    """Return `units` in the order to study them."""
    return [unit for block in _blocks_in_order(units, rarity) for unit in block.units]


def affinity(one: Block, other: Block, rarity: Rarity) -> float:
    """Return how much two chapters speak of the same things, 0 to 1."""
    return rarity.overlap(one.stems, other.stems)


def _blocks_in_order(units: Sequence[Unit], rarity: Rarity) -> list[Block]:
    books = _books(units)
    opening = next((blocks for blocks in books if _opens(blocks, books)), [])
    return [*opening, *_along_a_spine([blocks for blocks in books if blocks is not opening], rarity)]


def _along_a_spine(books: Sequence[Sequence[Block]], rarity: Rarity) -> list[Block]:
    if not books:
        return []
    spine, *others = books
    placed: list[tuple[float, int, Block]] = [(float(i), 0, block) for i, block in enumerate(spine)]
    for rank, blocks in enumerate(others, start=1):
        along = -1.0
        for spot, block in zip(_beside(blocks, spine, rarity), blocks, strict=True):
            along = max(along, spot + (-0.5 if _prepares(block, spine, spot) else 0.5))
            placed.append((along, rank, block))
    placed.sort(key=lambda item: item[:2])  # stable: a book's own blocks keep their order
    return [block for _, _, block in placed]


def _opens(blocks: Sequence[Block], books: Sequence[Sequence[Block]]) -> bool:
    """Return whether a book's one chapter goes before all others: it answers the query better than any of
    them, so that it is about the whole of it, at no higher level.
    """
    (block, *more) = blocks
    others = [other for own in books for other in own if other is not block]
    return not more and all(
        block.chapter.score > other.chapter.score and _level(block) <= _level(other) for other in others
    )


def _prepares(block: Block, spine: Sequence[Block], spot: int) -> bool:
    """Return whether a block goes before its neighbour on the spine, not after it.

    What answers the query less, at no higher level, leads up to what answers it better.
    """
    if spot < 0:
        return False
    beside = spine[spot]
    return _level(block) <= _level(beside) and block.best < beside.best


def _level(block: Block) -> float:
    return _LEAN.get(block.chapter.book.level, 0.0)


def _books(units: Sequence[Unit]) -> list[list[Block]]:
    """Return the blocks of each book in the book's order; the book that gives most comes first."""
    by_chapter: dict[tuple[str, int], list[Unit]] = defaultdict(list)
    for unit in units:
        by_chapter[unit.place[:2]].append(unit)
    by_book: dict[str, list[Block]] = defaultdict(list)
    for (book_id, _), of_chapter in sorted(by_chapter.items()):
        own = tuple(sorted(of_chapter, key=lambda unit: unit.index))
        by_book[book_id].append(Block(own[0].chapter, own, own[0].around))
    return sorted(
        by_book.values(),
        key=lambda blocks: (
            -sum(unit.relevance * unit.minutes for block in blocks for unit in block.units),
            blocks[0].chapter.book.book_id,
        ),
    )


def _beside(blocks: Sequence[Block], spine: Sequence[Block], rarity: Rarity) -> list[int]:
    """Return after which block of the spine each block goes (-1: before the first), never falling.

    The best such placing, by dynamic programming over (block, place).
    """
    places = range(-1, len(spine))
    worth = [[_fit(block, place, spine, rarity) for place in places] for block in blocks]
    best = [worth[0]]
    chosen_before: list[list[int]] = []
    for row in worth[1:]:
        reached: list[float] = []
        came_from: list[int] = []
        top = 0
        for place in range(len(spine) + 1):
            if best[-1][place] > best[-1][top]:
                top = place
            came_from.append(top)
            reached.append(best[-1][top] + row[place])
        best.append(reached)
        chosen_before.append(came_from)
    spot = max(range(len(spine) + 1), key=lambda place: best[-1][place])
    spots = [spot]
    for came_from in reversed(chosen_before):
        spot = came_from[spot]
        spots.append(spot)
    return [spot - 1 for spot in reversed(spots)]


def _fit(block: Block, place: int, spine: Sequence[Block], rarity: Rarity) -> float:
    along = (place + 1) / len(spine)
    lean = LEAN * (along - 0.5) * (_level(block) - _level(spine[0]))
    return lean + (affinity(block, spine[place], rarity) if place >= 0 else 0.0)
