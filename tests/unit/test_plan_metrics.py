"""The figures about plans, each against a value worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.outline import Section, Source, WrittenPart
from tests.bench import judged_sections
from tests.bench import plan_metrics as metrics
from tests.unit.test_quality import READING, STOCKS, TIME_VALUE, part, section, source

NORTH, EAST = [1.0, 0.0], [0.0, 1.0]
BETWEEN = [0.6, 0.8]  # cosine 0.6 to NORTH, 0.8 to EAST


def rows(*vectors: list[float]) -> metrics.Vectors:
    return np.array(vectors).reshape(len(vectors), 2)


@pytest.mark.parametrize(
    ("vectors", "count"),
    [
        (rows(), 0.0),
        (rows(NORTH), 1.0),
        (rows(NORTH, NORTH, NORTH), 1.0),
        (rows(NORTH, EAST), 2.0),
        (rows(NORTH, BETWEEN), 2 / 1.6),
        (rows(NORTH, [-1.0, 0.0]), 2.0),
    ],
    ids=["none", "one", "the same three times", "two unrelated", "two alike", "opposites count in full"],
)
def test_soft_cardinality_counts_different_things(vectors: metrics.Vectors, count: float) -> None:
    assert metrics.soft_cardinality(vectors) == pytest.approx(count)


@pytest.mark.parametrize(
    ("outline", "recall"),
    [
        (rows(NORTH, EAST), 1.0),
        (rows(NORTH), 0.5),
        (rows(), 0.0),
        # contents 2, outline 1, together 1/1.6 + 1/1.8 + 1/2.4: what they share is the rest
        (rows(BETWEEN), (2 + 1 - (1 / 1.6 + 1 / 1.8 + 1 / 2.4)) / 2),
    ],
    ids=["all of it", "half of it", "nothing", "something like both"],
)
def test_heading_soft_recall_is_what_both_share(outline: metrics.Vectors, recall: float) -> None:
    assert metrics.heading_soft_recall(outline, rows(NORTH, EAST)) == pytest.approx(recall)


SHORT, LONG = source(TIME_VALUE, 0), source(STOCKS, 0)  # 2 and 13 minutes


def test_minutes_in_judged_chapters_count() -> None:
    elsewhere = LONG.model_copy(update={"book_id": "another"})
    plan = [part(section(45, SHORT, elsewhere))]  # chapter 7, and chapter 11 of another book
    assert metrics.judged_share(plan, {"principles-finance-2e": frozenset()}) == pytest.approx(2 / 15)
    assert metrics.judged_share(plan, {"principles-finance-2e": frozenset({7})}) == pytest.approx(2 / 15)
    assert metrics.judged_share(plan, {"principles-finance-2e": frozenset({11})}) == 0.0
    assert metrics.judged_share([], {"principles-finance-2e": frozenset()}) == 0.0


def test_minutes_are_sorted_by_what_a_teacher_says_of_the_sections() -> None:
    graded = {
        ("principles-finance-2e", 7, 0): judged_sections.STRUCK_OUT,
        ("principles-finance-2e", 11, 0): judged_sections.CORE,
        ("principles-finance-2e", 11, 1): judged_sections.CORE,
    }
    plan = [part(section(45, SHORT, LONG), section(45, LONG))]  # one of them twice
    found = metrics.graded_minutes(plan, [TIME_VALUE, STOCKS], graded)
    there = 13 + source(STOCKS, 1).minutes
    assert found == metrics.GradedMinutes(struck_out=2, worth_reading=0, core=13, core_there=there)
    assert found.struck_out_share == pytest.approx(2 / 15)
    assert found.core_share == pytest.approx(13 / 15)
    assert found.core_found(1_000) == pytest.approx(13 / there)
    assert found.core_found(16) == pytest.approx(13 / 16)
    nobody = metrics.graded_minutes(plan, [TIME_VALUE, STOCKS], {})
    assert (nobody.struck_out_share, nobody.core_found(26)) == (0.0, 1.0)


def test_similarity_is_measured_against_the_nearest_there_are() -> None:
    near = [0.2, 0.6]
    chapter = STOCKS.model_copy(
        update={
            "sections": tuple(
                s.model_copy(update={"similarity": value})
                for s, value in zip(STOCKS.sections, near, strict=True)
            )
        }
    )
    assert metrics.similarity_share([part(section(45, source(STOCKS, 1)))], [chapter]) == pytest.approx(1.0)
    assert metrics.similarity_share([part(section(45, source(STOCKS, 0)))], [chapter]) == pytest.approx(1 / 3)


def test_a_heading_that_says_the_same_counts_once() -> None:
    again = source(TIME_VALUE, 0, section_title="Multiple Approaches to Stock Valuation")
    other = source(STOCKS, 1)
    assert metrics.said_twice([part(section(45, LONG, other, again))]) == pytest.approx(1 / 3)
    assert metrics.said_twice([part(section(45, LONG, LONG))]) == 0.0  # citing again is redundancy


def test_the_easier_of_two_books_comes_first() -> None:
    easy = STOCKS.model_copy(update={"book": STOCKS.book.model_copy(update={"level": "introductory"})})
    hard = TIME_VALUE.model_copy(
        update={"book": STOCKS.book.model_copy(update={"book_id": "hard", "level": "advanced"})}
    )
    first, second, third = source(easy, 0), source(hard, 0), source(easy, 1)
    plan = [part(section(45, first, second, third))]  # of two pairs of two levels one is in order
    assert metrics.levels_in_order(plan, [easy, hard]) == 0.5
    assert metrics.levels_in_order([part(section(45, first, third))], [easy, hard]) == 1.0


def test_the_querys_words_are_looked_for_written_out() -> None:
    plan = [
        part(section(45, source(STOCKS, 1)))
    ]  # Discounted Cash Flow (DCF) Model, in Stocks and …Valuation
    assert metrics.query_coverage("Learn DCF valuation", plan) == 1.0
    assert metrics.query_coverage("volcano valuation", plan) == 0.5


@pytest.mark.parametrize(
    ("title", "fault"),
    [
        ("Discounting and Dividends", ""),
        ("Part 1", "counts"),
        ("Week 2: Introduction", "counts"),
        ("Introduction", "counts"),
        ("Part Markets, Part Stocks", ""),
        ("Stocks and Stock Valuation", "pasted"),
        ("Time Value of Money I: Single Payment Value", "pasted"),
        ("Important Concepts", "names nothing"),
        ("The French Revolution", "names nothing"),
    ],
)
def test_a_title_has_to_name_its_topic(title: str, fault: str) -> None:
    said = frozenset({"discount", "dividend", "stock", "market"})
    assert metrics.title_fault(title, [c.title for c in READING], said) == fault


def test_faults_are_found_in_parts_and_sections() -> None:
    plan = [
        part(
            section(20, LONG, title="Stocks and Stock Valuation"),
            section(25, SHORT, title="Money Now", order=1),
        )
    ]
    plan = [plan[0].model_copy(update={"title": "Part 1"})]
    assert metrics.title_faults(plan, READING) == [
        ("Stocks and Stock Valuation", "pasted"),
        ("Part 1", "counts"),
    ]


def with_objectives(*objectives: str, cited: Source = LONG) -> Section:
    return section(45, cited).model_copy(update={"learning_objectives": objectives})


def test_objectives_begin_with_what_can_be_seen() -> None:
    plan: list[WrittenPart] = [part(with_objectives("Calculate a value", "Understand money"))]
    assert metrics.measurable_share(plan) == 0.5


def test_a_frame_filled_with_another_topic_is_repeated() -> None:
    first = with_objectives("Explain multiple approaches to stock valuation", "Value a stock three ways")
    other = with_objectives("Explain discounted cash flow", cited=source(STOCKS, 1))
    assert metrics.frames_repeated([part(first, other)]) == pytest.approx(1 / 3)
    assert metrics.frames_repeated([part(first)]) == 0.0
