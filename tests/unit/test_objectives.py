"""Objectives and summaries: about their section, and not one sentence over and over."""

from __future__ import annotations

import pytest

from pipeline.authors import frames
from pipeline.authors.frames import Frames, Kind
from pipeline.authors.phrases import Casing
from pipeline.authors.quality import all_sections
from pipeline.outline import Depth
from tests.bench.plan_metrics import MEASURABLE, frames_repeated
from tests.unit.readings import DCF, DCF_READING, RUST_READING, assignment, best_first, chapters, course

ROME = "how the Roman republic fell"
ROME_READING = best_first(chapters("world-history-volume-1", {6: 0.86, 7: 0.23}, ROME))


def test_every_sentence_begins_with_a_verb_that_can_be_seen() -> None:
    tables = (frames.TERMS, frames.CLAUSE, frames.PAIR, frames.SPARE)
    sentences = [s for table in tables for of_depth in table.values() for s in of_depth]
    sentences += [s for kinds in frames.HEADING.values() for of_kind in kinds.values() for s in of_kind]
    sentences += frames.AGAIN
    assert {s for s in sentences if s.split()[0].casefold() not in MEASURABLE} == set()


def test_a_sentence_comes_again_only_when_all_were_used() -> None:
    handed = Frames()
    choices = frames.HEADING[Depth.BALANCED][Kind.HISTORY]
    first = [handed.of_heading(Depth.BALANCED, Kind.HISTORY) for _ in choices]
    assert sorted(first) == sorted(choices)
    assert handed.of_heading(Depth.BALANCED, Kind.HISTORY) == first[0]


async def test_a_long_course_says_few_things_twice() -> None:
    review = await course(assignment(DCF, 6.5, DCF_READING))
    assert frames_repeated(review.parts) < 0.35


async def test_objectives_use_the_terms_of_their_section() -> None:
    review = await course(assignment(ROME, 2, ROME_READING))
    republic = next(s for s in all_sections(review.parts) if s.title == "The Roman Republic")
    assert any("Twelve Tables" in objective for objective in republic.learning_objectives)
    assert not any("principate" in objective for objective in republic.learning_objectives)


async def test_only_what_is_about_the_query_is_read_from_a_chapter_about_more() -> None:
    review = await course(assignment(ROME, 2, ROME_READING))
    read = {source.section_title for s in all_sections(review.parts) for source in s.sources}
    assert "The Roman Republic" in read
    assert not read & {"Ancient Greece", "Early Mediterranean Peoples"}


async def test_a_summary_tells_of_its_section_what_the_chapters_summary_lists() -> None:
    review = await course(assignment("learn Rust ownership", 2.5, RUST_READING))
    slices = next(s for s in all_sections(review.parts) if s.sources[0].section_title == "The Slice Type")
    assert "how slices point to part of a collection" in slices.content_summary
    assert "borrow" not in slices.content_summary


async def test_a_summary_tells_of_nothing_that_is_not_read() -> None:
    review = await course(assignment(DCF, 2, DCF_READING))
    cited = {source.section_title for s in all_sections(review.parts) for source in s.sources}
    assert "Multiple Approaches to Stock Valuation" in cited
    assert "Preferred Stock" not in cited  # though the chapter's summary has it in one sentence with others
    assert not any("preferred stock" in s.content_summary for s in all_sections(review.parts))


async def test_a_question_of_the_learner_is_what_the_course_asks() -> None:
    review = await course(assignment(ROME, 2, ROME_READING))
    (asked,) = (s for s in all_sections(review.parts) if f"Explain {ROME}" in s.learning_objectives)
    assert asked.title == "The Roman Republic"


@pytest.mark.parametrize(
    ("heading", "noun"),
    [
        ("Reference Cycles Can Leak Memory", "how reference cycles can leak memory"),
        ("Objects are mutable", "what it means that objects are mutable"),
        ("Derivatives and the Shape of a Graph", "derivatives and the shape of a graph"),
        ("Design-first development", "design-first development"),
        ("Another method", "another method"),
        ("Small Business: Driving Growth", "small business"),
    ],
)
def test_headings_fit_into_sentences(heading: str, noun: str) -> None:
    assert Casing(()).phrase(heading).noun == noun


@pytest.mark.parametrize(
    ("book_id", "number", "heading", "asked"),
    [
        ("calculus-volume-1", 3, "Defining the Derivative", "Define the derivative"),
        (
            "principles-economics-3e",
            22,
            "Tracking Inflation",
            "Demonstrate on an example how to track inflation",
        ),
        ("us-history", 18, "Inventors of the Age", "Explain what changed with inventors of the age"),
    ],
    ids=["to be done", "to be shown", "no task"],
)
async def test_an_order_is_given_only_where_a_learner_can_follow_it(
    book_id: str, number: int, heading: str, asked: str
) -> None:
    reading = best_first(chapters(book_id, {number: 0.9}, heading))
    review = await course(assignment(heading, 2, reading))
    objectives = [o for s in all_sections(review.parts) for o in s.learning_objectives]
    assert any(objective.startswith(asked) for objective in objectives), objectives


def test_writing_to_speak_is_no_order() -> None:
    assert Casing(()).phrase("Writing to Speak").task == ""
    assert Casing(()).phrase("Writing a Report").task == "write a report"


async def test_what_fits_any_reading_is_asked_only_where_nothing_else_is() -> None:
    general = [frame.partition("{0}")[0] for frame in frames.SPARE[Depth.BALANCED]]
    for query, reading in ((ROME, ROME_READING), (DCF, DCF_READING)):
        for section in all_sections((await course(assignment(query, 6.5, reading))).parts):
            spare = [o for o in section.learning_objectives if o.startswith(tuple(general))]
            assert not spare or len(section.learning_objectives) == 2


@pytest.mark.parametrize(
    ("heading", "inside"),
    [
        ("The United States Goes Back to War", "the United States goes back to war"),
        ("Asia, the United States, and Europe", "Asia, the United States, and Europe"),
    ],
)
def test_a_name_of_ordinary_words_keeps_its_capitals_and_its_comma(heading: str, inside: str) -> None:
    assert Casing(()).inside(heading) == inside
