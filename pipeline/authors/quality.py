"""The quality report: figures that code can check about an outline, whoever wrote it.

Every figure is a plain fact about the parts and the reading; none of them is an opinion of a model. Viewers
show the ones they know. The keys, in the order of :func:`report`:

====================== ==================================================================================
``budget_exact``       part minutes add up to the budget, and section minutes to their part's
``within_bounds``      parts and sections are as long and as many as their course's length allows
``minutes``            what the part minutes add up to
``parts_count``        parts
``sections_count``     sections
``sources_count``      sources, counted as often as they are cited
``sources_valid``      share of sources that are in the reading, with its title, address and minutes
``reading_minutes``    minutes of reading, each book section counted once however often it is cited
``reading_coverage``   reading minutes ÷ budget, 0 to 1; what is missing to 1 is study and practice
``books_used``         books cited
``redundancy``         share of sources that cite a book section again
``titles_repeated``    sections whose title another section has, too
``concept_coverage``   share of the key concepts of the best chapters found that the outline covers
``order_agreement``    Kendall's τ between the order of citation and the books' own order, -1 to 1
``parts_balance``      shortest part ÷ longest part
``notes``              sentences for a person
====================== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.authors.words import stems
from pipeline.outline import (
    SECTION_MINUTES,
    Brief,
    Chapter,
    Quality,
    Section,
    Source,
    WrittenPart,
    parts_range,
    reading_minutes,
    sections_range,
)

Place = tuple[str, int, str | None]
"""What is cited: book id, chapter number, section title (None: the whole chapter)."""

BEST_CHAPTERS = 4
BEST_SHARE = 0.75  # of the best chapter's score


def place_of(source: Source) -> Place:
    """Return what `source` cites."""
    return source.book_id, source.chapter_number, source.section_title


def citable(reading: Iterable[Chapter]) -> dict[Place, tuple[Chapter, int]]:
    """Return everything that can be cited: its chapter and its words.

    A chapter is always citable as a whole; where two sections of one chapter share a title, the first counts.
    """
    places: dict[Place, tuple[Chapter, int]] = {}
    for chapter in reading:
        places.setdefault((chapter.book.book_id, chapter.number, None), (chapter, chapter.words))
        for section in chapter.sections:
            place = (chapter.book.book_id, chapter.number, section.title)
            places.setdefault(place, (chapter, section.words))
    return places


def is_valid(source: Source, places: Mapping[Place, tuple[Chapter, int]]) -> bool:
    """Return whether `source` is in the reading, told as it is there."""
    found = places.get(place_of(source))
    if found is None:
        return False
    chapter, word_count = found
    return (
        source.book_title == chapter.book.title
        and source.chapter_title == chapter.title
        and source.url == chapter.address(source.section_title)
        and source.minutes == reading_minutes(word_count)
    )


def all_sections(parts: Iterable[WrittenPart]) -> Iterator[Section]:
    """Yield every section of the course, in order."""
    for part in parts:
        yield from part.sections


def all_sources(parts: Iterable[WrittenPart]) -> Iterator[Source]:
    """Yield every source of the course, in order."""
    for section in all_sections(parts):
        yield from section.sources


def budget_exact(budget: int, parts: Sequence[WrittenPart]) -> bool:
    """Return whether the minutes add up, at both levels."""
    return sum(part.estimated_minutes for part in parts) == budget and all(
        sum(section.estimated_minutes for section in part.sections) == part.estimated_minutes
        for part in parts
    )


def within_bounds(budget: int, parts: Sequence[WrittenPart]) -> bool:
    """Return whether numbers and lengths of parts and sections are those the budget allows."""
    low, high = parts_range(budget)
    shortest, longest = SECTION_MINUTES
    return low <= len(parts) <= high and all(
        sections_range(part.estimated_minutes)[0]
        <= len(part.sections)
        <= sections_range(part.estimated_minutes)[1]
        and all(shortest <= section.estimated_minutes <= longest for section in part.sections)
        for part in parts
    )


def order_agreement(places: Iterable[Place], reading: Iterable[Chapter]) -> float:
    """Return Kendall's τ of first citations against their books' order; 1 where nothing can be compared.

    Only pairs from one book count: which of two books comes first is the author's choice.
    """
    position: dict[Place, tuple[int, int]] = {}
    for chapter in reading:
        for index, title in enumerate([None, *(section.title for section in chapter.sections)]):
            position.setdefault((chapter.book.book_id, chapter.number, title), (chapter.number, index))
    by_book: dict[str, list[tuple[int, int]]] = {}
    for place in dict.fromkeys(places):
        if place in position:
            by_book.setdefault(place[0], []).append(position[place])
    agree = differ = 0
    for cited in by_book.values():
        for i, earlier in enumerate(cited):
            later_ones = sum(earlier < later for later in cited[i + 1 :])
            agree += later_ones
            differ += len(cited) - i - 1 - later_ones
    return 1.0 if agree + differ == 0 else (agree - differ) / (agree + differ)


def concept_coverage(reading: Sequence[Chapter], parts: Sequence[WrittenPart]) -> float:
    """Return how much of the best chapters' key concepts the outline covers, 0 to 1.

    A concept is covered once all its words stand in titles, summaries, objectives or cited headings, else as
    far as its chapter is cited: by the share of the chapter's sections.
    """
    best = sorted(reading, key=lambda chapter: -chapter.score)[:BEST_CHAPTERS]
    best = [chapter for chapter in best if chapter.score >= BEST_SHARE * best[0].score]
    said: set[str] = set()
    for section in all_sections(parts):
        said |= stems(section.title) | stems(section.content_summary)
        for text in (
            *section.learning_objectives,
            *(s.section_title or s.chapter_title for s in section.sources),
        ):
            said |= stems(text)
    cited = {place_of(source) for source in all_sources(parts)}
    covered = []
    for chapter in best:
        places: list[Place] = [
            (chapter.book.book_id, chapter.number, section.title) for section in chapter.sections
        ] or [(chapter.book.book_id, chapter.number, None)]
        share = sum(place in cited for place in places) / len(places)
        covered += [1.0 if stems(concept) <= said else share for concept in chapter.key_concepts]
    return sum(covered) / len(covered) if covered else 1.0


def report(
    brief: Brief, reading: Sequence[Chapter], parts: Sequence[WrittenPart], *, notes: Iterable[str] = ()
) -> Quality:
    """Return the quality report of a written outline.

    Args:
        brief: what was asked for.
        reading: what the author was given to choose from.
        parts: the outline as it stands.
        notes: sentences of the author, put before those of the report.
    """
    places = citable(reading)
    sources = list(all_sources(parts))
    cited = [place_of(source) for source in sources]
    minutes_once = {place_of(source): source.minutes for source in sources}
    reading_total = sum(minutes_once.values())
    budget = brief.budget_minutes
    titles = [section.title.casefold() for section in all_sections(parts)]
    part_minutes = [part.estimated_minutes for part in parts]
    coverage = min(1.0, reading_total / budget) if budget else 0.0
    repeats = len(cited) - len(minutes_once)
    figures: Quality = {
        "budget_exact": budget_exact(budget, parts),
        "within_bounds": within_bounds(budget, parts),
        "minutes": sum(part_minutes),
        "parts_count": len(parts),
        "sections_count": len(titles),
        "sources_count": len(sources),
        "sources_valid": _share(sum(is_valid(source, places) for source in sources), len(sources)),
        "reading_minutes": reading_total,
        "reading_coverage": round(coverage, 3),
        "books_used": len({place[0] for place in cited}),
        "redundancy": _share(repeats, len(cited), empty=0.0),
        "titles_repeated": len(titles) - len(set(titles)),
        "concept_coverage": round(concept_coverage(reading, parts), 3),
        "order_agreement": round(order_agreement(cited, reading), 3),
        "parts_balance": _share(min(part_minutes, default=0), max(part_minutes, default=0)),
    }
    figures["notes"] = [*notes, *_remarks(figures, budget, repeats)]
    return figures


def _share(count: int, total: int, *, empty: float = 1.0) -> float:
    return round(count / total, 3) if total else empty


def _remarks(figures: Quality, budget: int, repeats: int) -> Iterator[str]:
    reading_total = figures["reading_minutes"]
    if reading_total > budget:
        yield f"The cited reading takes about {reading_total} minutes, longer than the {budget} asked for."
    elif figures["reading_coverage"] < 0.5:
        yield (
            f"The library has about {reading_total} minutes of reading for these {budget} minutes; "
            "the rest is study and practice."
        )
    if repeats:
        counted = "One citation returns" if repeats == 1 else f"{repeats} citations return"
        yield f"{counted} to a book section that was cited before."
    if figures["sources_valid"] < 1:
        yield "Some sources could not be found in the library as they are cited."
