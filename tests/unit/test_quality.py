"""The figures of the quality report, each against an outline where it is known."""

from __future__ import annotations

import pytest

from pipeline.authors.quality import citable, concept_coverage, is_valid, order_agreement, report
from pipeline.outline import Book, BookSection, Brief, Chapter, Section, Source, WrittenPart

FINANCE = Book(
    book_id="principles-finance-2e",
    title="Principles of Finance",
    url="https://openstax.org/details/books/principles-finance-2e",
)
TIME_VALUE = Chapter(
    book=FINANCE,
    number=7,
    title="Time Value of Money I: Single Payment Value",
    key_concepts=("future value (FV)", "present value (PV)"),
    words=11_570,
    url=FINANCE.url,
    score=0.8,
    sections=(
        BookSection(index=0, title="Now versus Later Concepts", words=340),
        BookSection(index=1, title="Time Value of Money (TVM) Basics", words=1_677),
    ),
)
STOCKS = Chapter(
    book=FINANCE,
    number=11,
    title="Stocks and Stock Valuation",
    key_concepts=("discounted cash flow (DCF)", "common stock"),
    words=10_607,
    url=FINANCE.url,
    score=1.0,
    sections=(
        BookSection(index=0, title="Multiple Approaches to Stock Valuation", words=2_518),
        BookSection(index=1, title="Discounted Cash Flow (DCF) Model", words=1_105),
    ),
)
READING = (STOCKS, TIME_VALUE)


def source(chapter: Chapter, index: int, **other: object) -> Source:
    section = chapter.sections[index]
    facts: dict[str, object] = {
        "book_id": chapter.book.book_id,
        "book_title": chapter.book.title,
        "chapter_number": chapter.number,
        "chapter_title": chapter.title,
        "section_title": section.title,
        "url": chapter.url,
        "minutes": max(1, round(section.words / 200)),
        "why": "It says so.",
    }
    return Source.model_validate(facts | other)


def section(
    minutes: int, *sources: Source, title: str = "Discounting", part: int = 0, order: int = 0
) -> Section:
    return Section(
        section_id=f"{part}-{order}",
        part_index=part,
        order_index=order,
        title=title,
        content_summary="How money is discounted.",
        learning_objectives=("Calculate a present value", "Explain a future value"),
        estimated_minutes=minutes,
        sources=sources,
    )


def part(*sections: Section, index: int = 0, minutes: int | None = None) -> WrittenPart:
    return WrittenPart(
        part_index=index,
        title=f"Money {index}",
        why="First things first.",
        estimated_minutes=sum(s.estimated_minutes for s in sections) if minutes is None else minutes,
        sections=sections,
    )


SOUND = [
    part(section(20, source(TIME_VALUE, 1)), section(25, source(STOCKS, 1), title="The DCF Model", order=1))
]
HOUR = Brief(query="Learn DCF valuation", hours=0.75)


def test_a_sound_outline_has_clean_figures() -> None:
    figures = report(HOUR, READING, SOUND)
    assert figures == figures | {
        "budget_exact": True,
        "within_bounds": True,
        "minutes": 45,
        "parts_count": 1,
        "sections_count": 2,
        "sources_count": 2,
        "sources_valid": 1.0,
        "reading_minutes": 14,
        "books_used": 1,
        "redundancy": 0.0,
        "titles_repeated": 0,
        "order_agreement": 1.0,
        "parts_balance": 1.0,
    }
    assert figures["reading_coverage"] == pytest.approx(14 / 45, abs=0.001)
    assert figures["notes"] == [
        "The library has about 14 minutes of reading for these 45 minutes; the rest is study and practice."
    ]


def test_minutes_that_do_not_add_up_are_seen_at_both_levels() -> None:
    assert report(HOUR, READING, [part(section(40, source(STOCKS, 1)))])["budget_exact"] is False
    off = [part(section(40, source(STOCKS, 1)), minutes=45)]
    assert report(HOUR, READING, off)["budget_exact"] is False


@pytest.mark.parametrize(
    "lengths",
    [(5, 40), (20, 20, 3, 2)],
    ids=["a section under ten minutes", "too many sections"],
)
def test_bounds_of_sections_are_watched(lengths: tuple[int, ...]) -> None:
    sections = [section(n, source(STOCKS, 1), title=str(i), order=i) for i, n in enumerate(lengths)]
    assert report(HOUR, READING, [part(*sections)])["within_bounds"] is False


def test_bounds_of_parts_are_watched() -> None:
    two = [part(section(25, source(STOCKS, 0))), part(section(20, source(STOCKS, 1), title="x"), index=1)]
    figures = report(HOUR, READING, two)  # under two hours there is one part
    assert (figures["budget_exact"], figures["within_bounds"]) == (True, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"book_id": "a-book-nobody-wrote"},
        {"book_title": "Principles of Finances"},
        {"chapter_number": 12},
        {"section_title": "Discounted Cash Flow"},
        {"url": "https://example.org"},
        {"minutes": 60},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_source_is_valid_only_as_the_library_has_it(wrong: dict[str, object]) -> None:
    assert is_valid(source(STOCKS, 1), citable(READING))
    assert not is_valid(source(STOCKS, 1, **wrong), citable(READING))


def test_a_chapter_can_be_cited_as_a_whole() -> None:
    whole = source(STOCKS, 1, section_title=None, minutes=53)
    assert is_valid(whole, citable(READING))


def test_reading_counts_once_however_often_it_is_cited() -> None:
    twice = [part(section(20, source(STOCKS, 1)), section(25, source(STOCKS, 1), title="Again", order=1))]
    figures = report(HOUR, READING, twice)
    assert (figures["reading_minutes"], figures["redundancy"]) == (6, 0.5)
    assert any("One citation returns" in note for note in figures["notes"])


def test_reading_beyond_the_hours_is_said_and_counts_as_full() -> None:
    long = STOCKS.model_copy(update={"sections": (BookSection(index=0, title="All of it", words=20_000),)})
    figures = report(HOUR, [long], [part(section(45, source(long, 0)))])
    assert figures["reading_coverage"] == 1.0
    assert any("longer than the 45 asked for" in note for note in figures["notes"])


def test_titles_said_twice_are_counted_whatever_their_case() -> None:
    same = [
        part(section(20, source(STOCKS, 0)), section(25, source(STOCKS, 1), title="DISCOUNTING", order=1))
    ]
    assert report(HOUR, READING, same)["titles_repeated"] == 1


PLACES = [(c.book.book_id, c.number, s.title) for c in (TIME_VALUE, STOCKS) for s in c.sections]


@pytest.mark.parametrize(
    ("cited", "tau"),
    [
        (PLACES, 1.0),
        (PLACES[::-1], -1.0),
        ([PLACES[1], PLACES[0], PLACES[2]], pytest.approx(1 / 3)),
        ([], 1.0),
    ],
    ids=["as in the book", "backwards", "one pair swapped", "nothing to compare"],
)
def test_order_agreement_is_kendalls_tau(cited: list[tuple[str, int, str | None]], tau: float) -> None:
    assert order_agreement(cited, READING) == tau


def test_order_between_books_is_the_authors_choice() -> None:
    other = STOCKS.model_copy(update={"book": FINANCE.model_copy(update={"book_id": "another-book"})})
    cited = [(c.book.book_id, c.number, c.sections[0].title) for c in (STOCKS, other)]
    assert order_agreement(cited[::-1], [STOCKS, other]) == order_agreement(cited, [STOCKS, other]) == 1.0


def test_concepts_count_when_spoken_of_else_as_far_as_their_chapter_is_cited() -> None:
    # DCF stands in a cited heading (1); of "common stock" half the chapter is cited (1/2);
    # present and future value stand in the objectives, but without FV and PV (1/2 each).
    assert concept_coverage(READING, SOUND) == pytest.approx((1 + 0.5 + 0.5 + 0.5) / 4)
    assert concept_coverage((), []) == 1.0


def test_notes_of_the_author_come_first() -> None:
    assert report(HOUR, READING, SOUND, notes=["Mine."])["notes"][0] == "Mine."


def test_an_outline_without_parts_is_reported_not_a_crash() -> None:
    figures = report(HOUR, READING, [])
    assert (figures["budget_exact"], figures["minutes"], figures["sources_valid"]) == (False, 0, 1.0)
