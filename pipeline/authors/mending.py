"""Mending an outline: what code can put right without an author's judgement, and a sentence for each change.

Used in the review of every author. A sound outline comes back equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.authors import section_id
from pipeline.authors.answers import rarity_in
from pipeline.authors.planning import SHORT_SOURCES_PER_SECTION, share
from pipeline.authors.quality import Place, citable, is_valid, place_of
from pipeline.authors.relevance import Unit, readable_units, relevant_units
from pipeline.authors.titles import MAX_TITLE, clean, plain, quoted, shorten, topic
from pipeline.authors.wishes import read_wishes
from pipeline.authors.words import stems
from pipeline.outline import (
    PART_MINUTES,
    SECTION_MINUTES,
    SHORT_COURSE_MINUTES,
    Brief,
    Chapter,
    Section,
    Source,
    WrittenPart,
    reading_minutes,
)

T = TypeVar("T", Section, WrittenPart)


@dataclass(frozen=True, slots=True)
class Mended:
    """Parts that keep the rules, and what was done."""

    parts: tuple[WrittenPart, ...]
    changes: tuple[str, ...]


def mend(
    course_id: str,
    brief: Brief,
    reading: Sequence[Chapter],
    parts: Iterable[WrittenPart],
    *,
    is_strict: bool = False,
) -> Mended:
    """Return `parts` with minutes that add up, sources that exist, none twice without need, titles only once.

    Args:
        course_id: a UUID; section ids are derived from it.
        brief: what was asked for.
        reading: what the author chose from.
        parts: the outline; every part has at least one section.
        is_strict: whether what was cited before may be cited again once all is cited that a course of this
            length reads; else only once all is cited that any course might read.
    """
    changes: list[str] = []
    standing = list(parts)
    standing = _Sources(brief, reading, changes, is_strict).mended(standing)
    standing = _titles(standing, changes)
    standing = _minutes(brief.budget_minutes, standing, changes)
    standing = _places(course_id, standing)
    return Mended(tuple(standing), tuple(changes))


# --- sources --------------------------------------------------------------------------------------------


@dataclass
class _Sources:
    """One pass over all sections, remembering what was cited."""

    brief: Brief
    reading: Sequence[Chapter]
    changes: list[str]
    is_strict: bool
    cited: set[Place] = field(default_factory=set)
    places: dict[Place, tuple[Chapter, int]] = field(init=False)
    unused: list[Unit] = field(default_factory=list)

    def mended(self, parts: list[WrittenPart]) -> list[WrittenPart]:
        self.places = citable(self.reading)
        wanted_anyway = {
            place_of(source) for part in parts for section in part.sections for source in section.sources
        }
        self.unused = [unit for unit in self._worth_citing() if unit.place not in wanted_anyway]
        return [
            part.model_copy(update={"sections": tuple(map(self._section, part.sections))}) for part in parts
        ]

    def _worth_citing(self) -> Sequence[Unit]:
        if not self.reading:
            return ()
        wishes, rarity = read_wishes(self.brief), rarity_in(self.reading)
        if self.is_strict:
            return relevant_units(self.reading, wishes, rarity).units
        return readable_units(self.reading, wishes, rarity)

    def _section(self, section: Section) -> Section:
        kept: dict[Place, Source] = {}
        again: dict[Place, Source] = {}
        for source in section.sources:
            place = place_of(source)
            if place not in self.places:
                self.changes.append(
                    f"{quoted(section.title)} cited something that is not in the library: left out."
                )
            elif place in kept or place in again:
                self.changes.append(
                    f"{quoted(section.title)} cited {quoted(clean(_name(source)))} twice: once is enough."
                )
            else:
                (again if place in self.cited else kept)[place] = self._told_as_it_is(source)
        for place, source in again.items():
            if not self.unused:
                kept[place] = source  # the relevant reading has run out: a second pass
            elif kept:
                self.changes.append(
                    f"{quoted(section.title)} cited {quoted(clean(_name(source)))} again although other "
                    "reading is left: left out."
                )
        if not kept and (unit := self._best_unused(section)):
            source = _source_of(unit)
            kept[unit.place] = source
            self.changes.append(
                f"{quoted(section.title)} now reads {quoted(clean(_name(source)))}, which nothing else cites."
            )
        if not kept:
            kept = dict(list(again.items())[:1]) or self._any_source(section)
        if len(kept) > SHORT_SOURCES_PER_SECTION:
            self.changes.append(
                f"{quoted(section.title)} had more sources than a sitting can use: the first were kept."
            )
            kept = dict(list(kept.items())[:SHORT_SOURCES_PER_SECTION])
        self.cited.update(kept)
        sources = tuple(kept.values())
        return section if sources == section.sources else section.model_copy(update={"sources": sources})

    def _told_as_it_is(self, source: Source) -> Source:
        if is_valid(source, self.places):
            return source
        chapter, words = self.places[place_of(source)]
        facts = {
            "book_title": chapter.book.title,
            "chapter_title": chapter.title,
            "url": chapter.address(source.section_title),
            "minutes": reading_minutes(words),
        }
        self.changes.append(
            f"{quoted(clean(_name(source)))} is now cited with the library's own title, address and minutes."
        )
        return source.model_copy(update=facts)

    def _best_unused(self, section: Section) -> Unit | None:
        if not self.unused:
            return None
        about = stems(section.title).union(*map(stems, section.learning_objectives))
        best = max(self.unused, key=lambda unit: (len(unit.stems & about), unit.relevance))
        self.unused.remove(best)
        return best

    def _any_source(self, section: Section) -> dict[Place, Source]:
        """Return the best of the reading, cited again: a section without a source would be worse."""
        if not self.reading:
            return {}
        best = relevant_units(self.reading, read_wishes(self.brief), rarity_in(self.reading)).units[0]
        return {best.place: _source_of(best)}


def _name(source: Source) -> str:
    return source.section_title or source.chapter_title


def _source_of(unit: Unit) -> Source:
    return unit.source(
        f"Covers {quoted(clean(unit.heading))}, found for this course and not cited elsewhere in it."
    )


# --- titles ---------------------------------------------------------------------------------------------


def _titles(parts: list[WrittenPart], changes: list[str]) -> list[WrittenPart]:
    """Give every part and every section a title of its own, and keep prerequisites pointing at them."""
    part_titles: set[str] = set()
    section_titles: set[str] = set()
    earlier: set[str] = set()
    mended = []
    for part in parts:
        title = _own_title(
            part.title, (f"{part.title}: {s.title}" for s in part.sections), part_titles, changes
        )
        sections = []
        renamed: dict[str, str] = {}
        for section in part.sections:
            others = (f"{section.title}: {topic(_name(source))}" for source in section.sources)
            own = _own_title(section.title, others, section_titles, changes)
            renamed[section.title] = own
            prerequisites = tuple(
                dict.fromkeys(
                    name for old in section.prerequisites if (name := renamed.get(old, old)) in earlier
                )
            )
            if len(prerequisites) < len(set(section.prerequisites)):
                changes.append(
                    f"{quoted(own)} named a prerequisite that no earlier section is called: left out."
                )
            sections.append(_changed(section, title=own, prerequisites=prerequisites))
            earlier.add(own)
        mended.append(_changed(part, title=title, sections=tuple(sections)))
    return mended


def _own_title(title: str, others: Iterable[str], taken: set[str], changes: list[str]) -> str:
    bounded = shorten(plain(title), MAX_TITLE) or "Untitled"
    candidates = _candidates(bounded, others)
    own = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    taken.add(own.casefold())
    if own != bounded:
        changes.append(f"The title {quoted(bounded)} was there already: this one is now {quoted(own)}.")
    return own


def _candidates(title: str, others: Iterable[str]) -> Iterator[str]:
    yield title
    for other in others:
        yield shorten(plain(other), MAX_TITLE)
    number = 2
    while True:
        yield f"{shorten(title, MAX_TITLE - 6)} ({number})"
        number += 1


# --- minutes and places ---------------------------------------------------------------------------------


def _minutes(budget: int, parts: list[WrittenPart], changes: list[str]) -> list[WrittenPart]:
    lengths = [part.estimated_minutes for part in parts]
    low, high = PART_MINUTES if budget >= SHORT_COURSE_MINUTES else (0, budget)
    if sum(lengths) != budget or not all(low <= length <= high for length in lengths):
        lengths = list(share(budget, lengths, least=low, most=high))
        changes.append(
            "The minutes of the parts were divided again so that they add up to the hours asked for."
        )
    return [_sections_minutes(part, length, changes) for part, length in zip(parts, lengths, strict=True)]


def _sections_minutes(part: WrittenPart, minutes: int, changes: list[str]) -> WrittenPart:
    lengths = [section.estimated_minutes for section in part.sections]
    low, high = SECTION_MINUTES
    if sum(lengths) != minutes or not all(low <= length <= high for length in lengths):
        shares = share(minutes, lengths, least=low, most=high)
        if list(shares) != lengths:
            changes.append(f"The minutes of the sections in {quoted(part.title)} were divided again.")
            lengths = list(shares)
    sections = tuple(
        _changed(section, estimated_minutes=length)
        for section, length in zip(part.sections, lengths, strict=True)
    )
    return _changed(part, estimated_minutes=minutes, sections=sections)


def _places(course_id: str, parts: list[WrittenPart]) -> list[WrittenPart]:
    """Number parts and sections as they stand."""
    return [
        _changed(
            part,
            part_index=index,
            sections=tuple(
                _changed(
                    section,
                    section_id=section_id(course_id, index, order),
                    part_index=index,
                    order_index=order,
                )
                for order, section in enumerate(part.sections)
            ),
        )
        for index, part in enumerate(parts)
    ]


def _changed(value: T, **fields: object) -> T:
    """Return `value` with `fields`; itself where they are the same."""
    if all(getattr(value, name) == field_value for name, field_value in fields.items()):
        return value
    return value.model_copy(update=fields)
