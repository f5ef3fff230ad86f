"""What speaks for a section: every sign in its direction, and what is not known counts neither way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.authors.answers import rarity_in
from pipeline.authors.asked import is_direct, own_question, questions_in
from pipeline.authors.relevance import Unit, relevant_units, weighed
from pipeline.authors.signs import Signs, chance
from pipeline.authors.wishes import read_wishes
from pipeline.outline import Book, BookSection, Brief, Chapter, Depth, Preferences
from tests.unit.readings import DCF, DCF_READING, STATISTICS_READING

SOME = Signs(
    heading=0.7, asked=0.6, is_asked=1, says=0.5, core=0.5, chapter=0.9, found=0.8, aside=0, along=0.3
)
ROPES = Book(book_id="ropes", title="Ropes", subjects=("sailing",))
QUERY = "how to join two ropes"


def bends(**told: object) -> Chapter:
    return Chapter(
        book=ROPES,
        number=2,
        title="Bends",
        key_concepts=("sheet bend", "carrick bend"),
        words=3_000,
        score=0.9,
        sections=(
            BookSection(index=0, title="Two of a size", words=1_000, similarity=0.5, answers=0.8),
            BookSection(index=1, title="Whipping", words=1_000, similarity=0.4, answers=0.1),
            BookSection(index=2, title="Exercises", words=1_000, similarity=0.4),
        ),
        **told,
    )


def units(chapter: Chapter, **preferences: object) -> list[Unit]:
    wishes = read_wishes(Brief(query=QUERY, hours=2, preferences=Preferences.model_validate(preferences)))
    _, found = weighed([chapter], wishes, rarity_in([chapter]))
    return found


@pytest.mark.parametrize("sign", ["heading", "asked", "is_asked", "says", "core", "chapter", "found"])
def test_what_speaks_for_a_section_raises_its_chance(sign: str) -> None:
    assert chance(replace(SOME, **{sign: 0.2})) < chance(SOME) < 1
    assert chance(replace(SOME, **{sign: 1.0})) >= chance(SOME)


@pytest.mark.parametrize("sign", ["aside", "along"])
def test_what_speaks_against_it_lowers_its_chance(sign: str) -> None:
    assert 0 < chance(replace(SOME, **{sign: 1.0})) < chance(SOME)


def test_a_section_is_worth_what_people_ask_of_it() -> None:
    asked = ("join two ropes of one size", "keep an end from fraying", "splice it")
    told = units(bends(questions=asked, question_sections=(0, 1, None)))
    assert [unit.signs.is_asked for unit in told] == [1, 1, 0]
    assert told[0].signs.asked == 1 > told[1].signs.asked > told[2].signs.asked == 0
    assert told[0].signs.says > told[1].signs.says == 0
    assert max(told, key=lambda unit: unit.chance).heading == "Two of a size"


def test_nothing_is_held_against_a_book_of_which_nobody_says_what_is_asked() -> None:
    for unit in units(bends()):
        assert unit.signs.is_asked == 1
        assert unit.signs.asked == unit.signs.heading


def test_who_wants_depth_or_has_hours_reads_on() -> None:
    def read(hours: float, depth: Depth) -> int:
        count = 0
        for query, reading in ((DCF, DCF_READING), ("statistics for A/B tests", STATISTICS_READING)):
            wishes = read_wishes(Brief(query=query, hours=hours, preferences=Preferences(depth=depth)))
            count += len(relevant_units(reading, wishes, rarity_in(reading)).units)
        return count

    assert read(2, Depth.OVERVIEW) < read(2, Depth.BALANCED) < read(2, Depth.EXPERT)
    assert read(2, Depth.BALANCED) < read(6, Depth.BALANCED) < read(20, Depth.BALANCED)


def test_what_notes_ask_to_leave_out_is_not_read() -> None:
    wishes = read_wishes(
        Brief(query=QUERY, hours=20, preferences=Preferences(additional_notes="skip whipping please"))
    )
    chapter = bends()
    read = {unit.heading for unit in relevant_units([chapter], wishes, rarity_in([chapter])).units}
    assert "Two of a size" in read
    assert "Whipping" not in read


# --- what people ask, told to a learner ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("why do two ropes slip apart", True),
        ("how a sheet bend holds", True),
        ("is a granny knot safe?", True),
        ("do knots weaken a rope?", True),
        ("do it with wet hands", False),
        ("my rope came apart in the storm", False),
        ("how do I keep my hands dry", False),
        ("knots for sailors", False),
        ("what is tar", False),
    ],
    ids=[
        "why",
        "a clause",
        "yes or no",
        "do, asked",
        "an order",
        "a story",
        "one's own",
        "a topic",
        "too short",
    ],
)
def test_only_what_stands_as_a_question_is_told(question: str, told: bool) -> None:
    chapter = bends(questions=(question,), question_sections=(0,))
    found = questions_in(units(chapter))
    assert found == ([question.rstrip("?")] if told else [])


def test_questions_take_turns_by_section() -> None:
    asked = ("why is it so strong", "how is it tied again", "why does it fray so fast")
    chapter = bends(questions=asked, question_sections=(0, 0, 1))
    first, second, third = questions_in(units(chapter))
    assert (first, second, third) == (asked[0], asked[2], asked[1])


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("why do we sleep", "why do we sleep"),
        ("How the Roman republic  fell?", "how the Roman republic fell"),
        ("Learn DCF valuation", ""),
        ("how", ""),
        ("how do I learn Rust", ""),
        ("will and testament law", ""),
        ("will it rain?", "will it rain"),
        ("What is DNA? And why?", ""),
        (f"how to {'very ' * 40}long", ""),
    ],
)
def test_a_query_may_be_a_question_itself(query: str, asked: str) -> None:
    assert own_question(query) == asked


def test_a_direct_question_is_told_from_a_clause() -> None:
    for direct in (
        "does it hold in the wet",
        "why is it called a bend",
        "how strong is a bend",
        "what rope is best",
        "which hurdle rate must it earn",
    ):
        assert is_direct(direct), direct
    for clause in (
        "how a bend holds in the wet",
        "what happens when it slips",
        "when to use a bend",
        "what to do with wet hands",
    ):
        assert not is_direct(clause), clause
