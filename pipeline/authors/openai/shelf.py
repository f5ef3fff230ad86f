"""What a model may choose from: the reading as book sections with ids, cut to what a prompt can hold.

An id is ``book/chapter/section``, such as ``principles-finance-2e/8/2``: the section by its index in the
chapter; a chapter without sections is cited as a whole, as ``book/chapter``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.outline import BookSection, Chapter, Source, reading_minutes

MOST_PLACES = 240  # strict schemas limit the total length of an enum of more than 250 values
LEAST_CHAPTERS = 4
READING_FACTOR = 4  # reading offered ÷ budget: enough to choose from


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something that can be cited."""

    id: str
    chapter: Chapter
    section: BookSection | None
    """None: the chapter as a whole."""

    @property
    def title(self) -> str:
        """What it is called in its book."""
        return self.section.title if self.section else self.chapter.title

    @property
    def minutes(self) -> int:
        """Reading time of its text, whatever a course gives it."""
        return reading_minutes(self.section.words if self.section else self.chapter.words)

    def source(self, why: str) -> Source:
        """Return it as a source of a section."""
        book = self.chapter.book
        return Source(
            book_id=book.book_id,
            book_title=book.title,
            chapter_number=self.chapter.number,
            chapter_title=self.chapter.title,
            section_title=self.section.title if self.section else None,
            url=self.chapter.address(self.section.title if self.section else None),
            minutes=self.minutes,
            why=why or f"It covers “{self.title}”.",
        )


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The chapters offered for one course, best first."""

    chapters: tuple[Chapter, ...]

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Everything that can be cited, by id, best chapter first."""
        return {place.id: place for chapter in self.chapters for place in places_of(chapter)}


def places_of(chapter: Chapter) -> list[Place]:
    """Return what can be cited of a chapter; of sections with one title, the first."""
    name = f"{chapter.book.book_id}/{chapter.number}"
    if not chapter.sections:
        return [Place(id=name, chapter=chapter, section=None)]
    by_title: dict[str, BookSection] = {}
    for section in chapter.sections:
        by_title.setdefault(section.title, section)
    return [
        Place(id=f"{name}/{section.index}", chapter=chapter, section=section) for section in by_title.values()
    ]


def stock(reading: Sequence[Chapter], budget_minutes: int) -> Shelf:
    """Return the shelf for a course: chapters by score until there is enough to choose from.

    Args:
        reading: relevant chapters.
        budget_minutes: length of the course.
    """
    taken: list[Chapter] = []
    count = minutes = 0
    for chapter in sorted(reading, key=lambda chapter: -chapter.score):
        places = places_of(chapter)
        enough = len(taken) >= LEAST_CHAPTERS and minutes >= READING_FACTOR * budget_minutes
        if enough or (taken and count + len(places) > MOST_PLACES):
            break
        taken.append(_cut(chapter, places))
        count += len(places)
        minutes += sum(place.minutes for place in places)
    return Shelf(chapters=tuple(taken))


def _cut(chapter: Chapter, places: Iterable[Place]) -> Chapter:
    """Return a chapter with no more sections than any shelf holds."""
    kept = [place.section for place in places if place.section][:MOST_PLACES]
    return chapter.model_copy(update={"sections": tuple(kept)}) if chapter.sections else chapter
