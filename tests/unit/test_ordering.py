"""In which order what was chosen is studied."""

from __future__ import annotations

import pytest

from pipeline.authors.answers import rarity_in
from pipeline.authors.ordering import in_teaching_order
from pipeline.authors.relevance import Unit, weighed
from pipeline.authors.wishes import read_wishes
from pipeline.outline import Book, BookSection, Brief, Chapter

QUERY = "sailing"


def chapter(
    book: str, number: int, score: float, *, level: str = "introductory", words: int = 1_000
) -> Chapter:
    return Chapter(
        book=Book(book_id=book, title=book.title(), subjects=("sailing",), level=level),
        number=number,
        title=f"Sailing {number}",
        words=words,
        score=score,
        sections=(
            BookSection(index=0, title=f"Sailing, lesson {number} of {book}", words=words, similarity=0.5),
        ),
    )


def order(*reading: Chapter) -> list[tuple[str, int]]:
    _, units = weighed(reading, read_wishes(Brief(query=QUERY, hours=2)), rarity_in(reading))
    return [place(unit) for unit in in_teaching_order(units, rarity_in(reading))]


def place(unit: Unit) -> tuple[str, int]:
    return unit.place[:2]


LONG = (chapter("long", 4, 0.8, words=9_000), chapter("long", 7, 0.7, words=9_000))


@pytest.mark.parametrize(
    ("other", "opens"),
    [
        (chapter("other", 5, 0.95), True),
        (chapter("other", 5, 0.95, level="advanced"), False),
    ],
    ids=["answers best", "is harder"],
)
def test_a_lone_chapter_that_answers_best_opens_the_course(other: Chapter, opens: bool) -> None:
    assert (order(*LONG, other)[0] == ("other", 5)) is opens


def test_it_does_so_though_it_is_most_of_the_reading() -> None:
    opening = chapter("other", 5, 0.95, words=40_000)
    assert order(*LONG, opening) == [("other", 5), ("long", 4), ("long", 7)]


def test_two_chapters_of_a_book_stay_in_its_order_wherever_they_answer_best() -> None:
    places = order(*LONG, chapter("other", 2, 0.6), chapter("other", 9, 0.95))
    assert [number for book, number in places if book == "other"] == [2, 9]
    assert [number for book, number in places if book == "long"] == [4, 7]
