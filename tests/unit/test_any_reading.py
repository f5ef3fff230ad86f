"""The keyless author over any reading, any hours and any words of a learner."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.authors.answers import rarity_in
from pipeline.authors.quality import all_sources, citable, place_of
from pipeline.authors.relevance import relevant_units
from pipeline.authors.wishes import read_wishes
from pipeline.outline import Book, BookSection, Chapter, Depth, Pace
from tests.unit.readings import DCF, assignment, best_first, course, keeps_the_rules

texts = st.text(max_size=40)
headings = st.one_of(
    st.sampled_from(
        [
            "Annuities",
            "What Is Finance?",
            "The Update",
            "8.2 Bonds",
            "How Firms Raise Capital",
            "<i>x</i>",
            "A & B",
        ]
    ),
    texts,
)


@st.composite
def readings(draw: st.DrawFn) -> tuple[Chapter, ...]:
    books = [
        Book(
            book_id=f"book-{n}",
            title=f"Book {n}",
            url=f"https://books.example/{n}",
            level=draw(st.sampled_from(["introductory", "intermediate", "advanced", ""])),
            subjects=tuple(
                draw(st.lists(st.sampled_from(["finance", "programming", "history"]), max_size=2))
            ),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    count = draw(st.integers(1, 60))
    found: dict[tuple[str, int], Chapter] = {}
    for _ in range(count):
        book, number = draw(st.sampled_from(books)), draw(st.integers(0, 30))
        sizes = draw(st.lists(st.sampled_from([0, 1, 150, 900, 2_500, 9_000, 200_000]), max_size=6))
        found[book.book_id, number] = Chapter(
            book=book,
            number=number,
            title=draw(headings),
            summary=draw(texts),
            key_concepts=tuple(draw(st.lists(headings, max_size=3))),
            words=sum(sizes),
            score=draw(st.sampled_from([0.0, 0.05, 0.4, 1.0])),
            sections=tuple(
                BookSection(
                    index=i,
                    title=draw(headings),
                    words=words,
                    similarity=draw(st.sampled_from([-0.2, 0.0, 0.3, 0.9])),
                )
                for i, words in enumerate(sizes)
            ),
        )
    return best_first(list(found.values()))


queries = st.one_of(
    st.sampled_from([DCF, "💥", "<script>alert(1)</script>", "Was ist Geld?"]),
    st.text(min_size=2, max_size=200),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    reading=readings(),
    query=queries,
    minutes=st.integers(30, 2_400),
    depth=st.sampled_from([None, *Depth]),
    pace=st.sampled_from([None, *Pace]),
    notes=st.one_of(st.none(), st.text(max_size=80)),
)
def test_any_reading_and_any_hours_make_a_course_that_keeps_the_rules(
    reading: tuple[Chapter, ...],
    query: str,
    minutes: int,
    depth: Depth | None,
    pace: Pace | None,
    notes: str | None,
) -> None:
    work = assignment(query, minutes / 60, reading, depth=depth, pace=pace, additional_notes=notes)
    review = asyncio.run(course(work))
    keeps_the_rules(work, review.parts)
    assert 0 <= review.quality["reading_coverage"] <= 1
    assert 0 < len(review.title) <= 120
    assert "\n" not in review.title
    relevant = {u.place for u in relevant_units(reading, read_wishes(work.brief), rarity_in(reading)).units}
    cited = [place_of(source) for source in all_sources(review.parts)]
    if len(set(cited)) < len(cited):
        fitting = {p for p in relevant if citable(reading)[p][1] <= 200 * work.brief.budget_minutes}
        assert fitting <= set(cited)
    again = asyncio.run(course(work))
    assert again.parts == review.parts
