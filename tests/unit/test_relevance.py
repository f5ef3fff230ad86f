"""Which chapters a course is written from, and when there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pipeline.errors import NoRelevantBooks
from pipeline.library import relevance
from pipeline.library.relevance import Evidence, Hit, choose, score

NOTHING = Evidence(cosine=0, section_cosine=0, question_cosine=0, coverage=0, length=1)
WORDS = 6_000  # half an hour to read


def hit(book: str, number: int, points: float) -> Hit:
    return Hit(
        book_id=book.lower(),
        book_title=book,
        number=number,
        title=f"{book} {number}",
        words=WORDS,
        evidence=NOTHING,
        score=points,
    )


def shelf(book: str, *points: float) -> list[Hit]:
    return [hit(book, number, p) for number, p in enumerate(points, 1)]


def best_first(*hits: Hit) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)


def chapters(hits: list[Hit], minutes: int) -> list[float]:
    return [c.score for book in choose("q", hits, minutes) for c in book.chapters]


def test_the_score_grows_with_each_kind_of_evidence() -> None:
    some = Evidence(cosine=0.5, section_cosine=0.5, question_cosine=0.5, coverage=0.5)
    assert 0 < score(NOTHING) < 0.01
    for kind in ("cosine", "section_cosine", "question_cosine", "coverage"):
        assert score(some) < score(replace(some, **{kind: 0.6})) < 1
    assert score(replace(some, unknown=0.5)) < score(some)
    whole = Evidence(cosine=1, section_cosine=1, question_cosine=1, coverage=1)
    assert math.isclose(score(whole), 1, abs_tol=0.001)


def test_nearness_alone_is_not_enough_and_neither_are_words() -> None:
    near = Evidence(cosine=0.35, section_cosine=0.4, question_cosine=0.4, coverage=0)
    worded = Evidence(cosine=0.1, section_cosine=0.1, question_cosine=0.1, coverage=1)
    both = Evidence(cosine=0.6, section_cosine=0.7, question_cosine=0.7, coverage=0.6)
    assert max(score(near), score(worded)) < relevance.ACCEPTED < score(both)


def test_two_near_chapters_are_surer_than_one_and_one_can_be_sure_enough() -> None:
    one, two = best_first(*shelf("A", 0.7, 0.01)), best_first(*shelf("A", 0.7, 0.6))
    assert relevance.confidence(one) < relevance.ACCEPTED < relevance.confidence(two)
    assert relevance.confidence(shelf("A", 0.95, 0.0001)) > relevance.ACCEPTED
    assert relevance.confidence(shelf("A", 0.95)) > relevance.confidence(shelf("A", 0.5))
    assert relevance.confidence([]) == 0.0


def test_what_is_accepted_has_chapters_though_none_is_sure_by_itself() -> None:
    assert chapters(best_first(*shelf("A", 0.49, 0.46)), 120) == [0.49, 0.46]
    assert chapters(best_first(*shelf("A", 0.4, 0.35)), 120) == [0.4]


def test_a_short_name_has_to_be_near_more_than_a_question() -> None:
    name = Evidence(cosine=0.37, section_cosine=0.27, question_cosine=0.72, coverage=1, length=0.25)
    (best, *_), related = shelf("A", 0.95), shelf("B", relevance.RELATED)

    def sure(evidence: Evidence, *others: Hit) -> bool:
        return relevance.confidence([replace(best, evidence=evidence), *others]) >= relevance.ACCEPTED

    assert not sure(name)
    assert sure(replace(name, length=0.375))  # three words say what they mean
    assert sure(replace(name, section_cosine=relevance.NEAR))
    assert sure(replace(name, cosine=relevance.NEAR))
    assert sure(name, *related)  # two chapters are no accident
    assert sure(replace(name, defined=True))


def test_what_a_chapter_defines_is_relevant_unless_it_is_another_thing_of_that_name() -> None:
    defined = Evidence(
        cosine=0.2, section_cosine=0.2, question_cosine=0.25, coverage=1, length=0.125, defined=True
    )
    assert score(defined) == pytest.approx(relevance.RELEVANT)
    assert relevance.confidence([replace(hit("A", 1, 0.01), evidence=defined)]) == relevance.DEFINED
    namesake = replace(defined, cosine=relevance.NAMESAKE - 0.01)
    assert score(namesake) == score(replace(namesake, defined=False)) < 0.1
    assert relevance.confidence([replace(hit("A", 1, 0.01), evidence=namesake)]) < relevance.ACCEPTED


def test_chapters_come_by_book_the_best_book_first() -> None:
    found = choose("q", best_first(*shelf("B", 0.9, 0.6), *shelf("A", 0.8, 0.7)), 120)
    assert [(book.book_id, book.score) for book in found] == [("b", 0.9), ("a", 0.8)]
    assert [c.score for c in found[0].chapters] == [0.9, 0.6]
    assert found[1].chapters[0].chapter_title == "A 1"


def test_a_longer_course_gets_more_chapters() -> None:
    hits = best_first(*shelf("A", *([0.9] * 50)), *shelf("B", *([0.8] * 50)))
    lengths = [len(chapters(hits, minutes)) for minutes in (30, 120, 390, 2_400)]
    assert lengths == [8, 8, 26, relevance.MOST_CHAPTERS]


def test_a_long_course_is_filled_from_the_books_that_are_about_it() -> None:
    hits = best_first(*shelf("A", 0.9, 0.5, 0.01), *shelf("B", 0.49, 0.48), *shelf("C", 0.7))
    assert chapters(hits, 30) == [0.9, 0.7]
    assert chapters(hits, 2_400) == [0.9, 0.5, 0.7]
    assert chapters(best_first(*shelf("A", 0.9, 0.8, 0.7, 0.6, 0.1)), 30) == [0.9, 0.8, 0.7, 0.6]


def test_the_number_of_books_is_bounded() -> None:
    hits = best_first(*(hit(f"Book {n}", 1, 0.9) for n in range(40)))
    assert len(choose("q", hits, 2_400)) == relevance.MOST_BOOKS


def test_a_refusal_names_the_query_and_the_nearest_books() -> None:
    hits = best_first(
        *shelf("Rust", 0.3, 0.2), *shelf("Regex", 0.1), *shelf("Knots", 0.09), *shelf("Far", 0.01)
    )
    with pytest.raises(NoRelevantBooks) as refused:
        choose("knitting  patterns", hits, 120)
    assert str(refused.value) == (
        "The library has no book about “knitting patterns”. The nearest it has: “Rust”, “Regex” and “Knots”."
    )


def test_a_refusal_names_no_book_when_none_is_near() -> None:
    assert relevance.refusal("🙂", shelf("Rust", 0.0)) == "The library has no book about “🙂”."
    assert relevance.refusal("x", []) == "The library has no book about “x”."
    assert relevance.refusal("x", shelf("One", 0.2)).endswith("The nearest it has: “One”.")
    assert len(relevance.refusal("x" * 2_000, [])) < 150
