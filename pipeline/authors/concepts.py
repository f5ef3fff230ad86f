"""Where in its chapter each key concept is taken up.

The shipped catalogue says it; an operator's own books seldom do. There a concept that a heading names belongs
to that section, and one that none names lies between those that are named: key concepts stand in the order
of the text. Where it lies there goes by the square root of the words: a section four times as long has twice
as many concepts. Of 6,679 concepts of
the shipped books, which were placed by hand, this places 65 in 100 right, 22 one section off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from math import sqrt

from pipeline.authors.phrases import Casing
from pipeline.authors.relevance import Unit
from pipeline.authors.titles import without_acronym
from pipeline.authors.words import stems
from pipeline.outline import Chapter


def concepts_in(units: Sequence[Unit]) -> list[str]:
    """Return the key concepts that book sections most likely take up, each once.

    In reading order, but those whose words the headings have already come last; those that are a heading are
    left out.
    """
    cited: dict[tuple[str, int], set[int]] = defaultdict(set)
    chapters: dict[tuple[str, int], Chapter] = {}
    for unit in units:
        cited[unit.place[:2]].add(unit.index)
        chapters[unit.place[:2]] = unit.chapter
    headings = {unit.stems for unit in units}
    found = [
        concept
        for key, chapter in chapters.items()
        for concept, index in zip(chapter.key_concepts, places(chapter), strict=True)
        if index in cited[key] and stems(concept) and stems(concept) not in headings
    ]
    told: dict[frozenset[str], str] = {}
    for concept in found:
        told.setdefault(stems(concept), concept)
    said = frozenset().union(*headings) if headings else frozenset()
    return sorted(told.values(), key=lambda concept: stems(without_acronym(concept)) <= said)


def places(chapter: Chapter) -> list[int | None]:
    """Return the index of the section for each key concept of `chapter`: as the book says it, else guessed.

    None for a concept of the chapter as a whole; 0 where the chapter has no sections.
    """
    if not chapter.sections:
        return [0] * len(chapter.key_concepts)
    if len(chapter.key_concept_sections) == len(chapter.key_concepts):
        return list(chapter.key_concept_sections)
    named = [_named(concept, chapter) for concept in chapter.key_concepts]
    steady = _in_order(named)
    rooms = [sqrt(max(1, section.words)) for section in chapter.sections]
    ends = list(accumulate(rooms))
    middles = [end - room / 2 for end, room in zip(ends, rooms, strict=True)]
    found: list[int | None] = []
    for i, index in enumerate(named):
        if index is not None:
            found.append(index)
            continue
        before = max((j for j in steady if j < i), default=-1)
        after = min((j for j in steady if j > i), default=len(named))
        start = middles[named[before] or 0] if before >= 0 else 0.0
        end = middles[named[after] or 0] if after < len(named) else ends[-1]
        at = start + (end - start) * (i - before) / (after - before)
        found.append(next((j for j, limit in enumerate(ends) if at < limit), len(ends) - 1))
    return found


def as_written(concept: str, casing: Casing) -> str:
    """Return a key concept as it stands inside a sentence: as its book writes it, but for a first capital."""
    first, *rest = concept.split(" ")
    if len(first) == 1 or first[1:] != first[1:].lower() or any(c.isupper() for word in rest for c in word):
        return concept
    return " ".join([casing.inside(first), *rest])


def _named(concept: str, chapter: Chapter) -> int | None:
    """Return the first section whose heading has all the words of a concept."""
    said = stems(without_acronym(concept))
    fits = (i for i, section in enumerate(chapter.sections) if said and said <= stems(section.title))
    return next(fits, None)


def _in_order(named: Sequence[int | None]) -> list[int]:
    """Return the longest row of concepts whose sections do not go back; others are placed between them."""
    best: dict[int, list[int]] = {}
    for i, index in enumerate(named):
        if index is None:
            continue
        rows = [row for j, row in best.items() if (named[j] or 0) <= index]
        best[i] = [*max(rows, key=len, default=[]), i]
    return max(best.values(), key=len, default=[])
