"""What the keyless author promises, over real books of the catalogue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.authors import Review
from pipeline.authors.frames import MEASURABLE
from pipeline.authors.library import LibraryAuthor, write_outline
from pipeline.authors.quality import all_sections, all_sources, place_of
from pipeline.authors.words import stems
from pipeline.errors import NoRelevantBooks
from pipeline.outline import Depth, Pace, Part, WrittenPart
from tests.unit.readings import (
    DCF,
    DCF_READING,
    RUST_READING,
    STATISTICS_READING,
    assignment,
    best_first,
    chapters,
    chapters_cited,
    course,
    keeps_the_rules,
    words_of,
)

# --- the plan -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0.5, 1, 1.75, 2, 3, 6.5, 12, 40])
async def test_a_course_of_any_length_keeps_the_rules(hours: float) -> None:
    work = assignment(DCF, hours, DCF_READING)
    review = await course(work)
    keeps_the_rules(work, review.parts)
    assert review.quality["budget_exact"] is True
    assert review.quality["within_bounds"] is True
    assert review.quality["sources_valid"] == 1.0
    assert review.quality["order_agreement"] == 1.0
    assert review.changes == ()


async def test_two_hours_of_dcf_cite_valuation_and_what_it_stands_on() -> None:
    review = await course(assignment(DCF, 2, DCF_READING))
    cited = chapters_cited(review)
    assert ("principles-finance-2e", 11) in cited  # stock valuation, with the DCF model
    assert ("principles-managerial-accounting", 11) in cited  # capital budgeting
    headings = {source.section_title for source in all_sources(review.parts)}
    assert "Discounted Cash Flow (DCF) Model" in headings
    assert any(
        "Time Value of Money" in str(heading) or heading == "Timing of Cash Flows" for heading in headings
    )
    assert 0.65 <= review.quality["reading_coverage"] <= 1.0


async def test_a_word_shared_with_another_subject_leads_nobody_astray() -> None:
    rust = await course(assignment("learn Rust ownership", 2, RUST_READING))
    assert {book for book, _ in chapters_cited(rust)} == {"rust-programming-language"}
    tests = await course(assignment("statistics for A/B tests", 3, STATISTICS_READING))
    assert {book for book, _ in chapters_cited(tests)} == {"introductory-statistics-2e"}


async def test_a_book_called_after_the_query_joins_in_and_one_that_only_shares_words_does_not() -> None:
    query = "python for data analysis"
    reading = best_first(
        [
            *chapters("introduction-python-programming", {15: 1.0, 1: 0.98, 2: 0.97, 10: 0.96}, query),
            *chapters("python-data-science-handbook", {2: 0.99, 3: 0.98, 1: 0.97}, query),
            *chapters("workplace-software-skills", {11: 0.98}, query),
        ]
    )
    books = {book for book, _ in chapters_cited(await course(assignment(query, 2, reading)))}
    assert books == {"introduction-python-programming", "python-data-science-handbook"}


async def test_every_book_is_read_in_its_own_order() -> None:
    for reading, query in ((DCF_READING, DCF), (STATISTICS_READING, "statistics for A/B tests")):
        review = await course(assignment(query, 6.5, reading))
        by_book: dict[str, list[int]] = {}
        for source in all_sources(review.parts):
            if "Read before" not in source.why:
                by_book.setdefault(source.book_id, []).append(source.chapter_number)
        assert all(a <= b for numbers in by_book.values() for a, b in pairwise(numbers))


async def test_nothing_is_cited_twice_while_relevant_reading_is_left() -> None:
    review = await course(assignment(DCF, 6.5, DCF_READING))
    cited = [place_of(source) for source in all_sources(review.parts)]
    assert len(set(cited)) == len(cited)


async def test_short_reading_is_gone_through_again_and_says_so() -> None:
    review = await course(assignment("learn Rust ownership", 40, RUST_READING))
    cited = [place_of(source) for source in all_sources(review.parts)]
    assert len(set(cited)) < len(cited)
    seen: set[object] = set()
    for source in all_sources(review.parts):
        assert ("Read before" in source.why) == (place_of(source) in seen)
        seen.add(place_of(source))
    assert {book for book, _ in chapters_cited(review)} == {"rust-programming-language"}
    assert review.quality["reading_coverage"] < 0.2
    assert review.quality["redundancy"] > 0
    assert any("gone through again" in note for note in review.quality["notes"])


async def test_parts_that_stand_are_followed_whoever_planned_them() -> None:
    work = assignment(DCF, 3, DCF_READING)
    given_parts = [
        Part(part_index=0, title="What Money Is Worth over Time", why="First.", estimated_minutes=50),
        Part(part_index=1, title="Bonds", why="Then.", estimated_minutes=40),
        Part(part_index=2, title="Stock Valuation", why="Last.", estimated_minutes=90),
    ]
    author = LibraryAuthor()
    sections = [await author.sections(work, given_parts, index) for index in range(3)]
    written = [
        WrittenPart(**p.model_dump(), sections=tuple(s)) for p, s in zip(given_parts, sections, strict=True)
    ]
    keeps_the_rules(work, written)
    review = await author.review(work, written)
    assert [(p.title, p.estimated_minutes) for p in review.parts] == [
        (p.title, p.estimated_minutes) for p in given_parts
    ]
    assert any(source.chapter_number == 11 for source in all_sources(written[2:]))


async def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(NoRelevantBooks):
        await LibraryAuthor().parts(assignment(DCF, 2, ()))


# --- the words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", list(Depth))
async def test_objectives_begin_with_a_verb_that_can_be_measured(depth: Depth) -> None:
    for query, reading in ((DCF, DCF_READING), ("learn Rust ownership", RUST_READING)):
        review = await course(assignment(query, 6.5, reading, depth=depth))
        first_words = [
            objective.split()[0].casefold()
            for section in all_sections(review.parts)
            for objective in section.learning_objectives
        ]
        assert "understand" not in first_words
        assert sum(word in MEASURABLE for word in first_words) / len(first_words) > 0.9


async def test_titles_name_topics_and_are_no_pasted_chapter_titles() -> None:
    review = await course(assignment(DCF, 6.5, DCF_READING))
    pasted = {chapter.title.casefold() for chapter in DCF_READING}
    for part in review.parts:
        assert not part.title.casefold().startswith("part ")
        assert part.title.casefold() not in pasted
        assert DCF.split()[1] in part.why or "“" in part.why
    for section in all_sections(review.parts):
        assert not section.title[0].isdigit()


async def test_prerequisites_are_titles_of_earlier_sections() -> None:
    review = await course(assignment(DCF, 6.5, DCF_READING))
    earlier: set[str] = set()
    some = 0
    for section in all_sections(review.parts):
        assert set(section.prerequisites) <= earlier
        some += bool(section.prerequisites)
        earlier.add(section.title)
    assert some >= len(earlier) / 2
    assert next(all_sections(review.parts)).prerequisites == ()


async def test_summaries_say_only_what_catalogue_and_headings_say() -> None:
    review = await course(assignment(DCF, 3, DCF_READING))
    known = frozenset().union(
        *(
            stems(text)
            for chapter in DCF_READING
            for text in (
                chapter.summary,
                chapter.title,
                *chapter.key_concepts,
                *chapter.questions,
                *(section.title for section in chapter.sections),
            )
        )
    )
    told_by_us = stems(
        "covers works through takes up deals with reading about minutes rest working examples by hand problem"
        " redoing its from memory includes all of it sitting has more than begin part chapter terms"
        " answers tells"
    )
    for section in all_sections(review.parts):
        unknown = {word for word in stems(section.content_summary) - known - told_by_us if not word.isdigit()}
        assert not unknown, section.content_summary


# --- preferences ----------------------------------------------------------------------------------------


async def test_pace_changes_number_and_length_of_sections() -> None:
    quick = await course(assignment(DCF, 1, DCF_READING, pace=Pace.QUICK))
    thorough = await course(assignment(DCF, 1, DCF_READING, pace=Pace.THOROUGH))
    assert quick.quality["sections_count"] > thorough.quality["sections_count"]
    assert quick.quality["reading_coverage"] > thorough.quality["reading_coverage"]


async def test_depth_changes_what_is_chosen_and_what_is_asked_for() -> None:
    reviews = {d: await course(assignment(DCF, 2, DCF_READING, depth=d)) for d in Depth}
    cited = {d: frozenset(map(place_of, all_sources(r.parts))) for d, r in reviews.items()}
    assert cited[Depth.OVERVIEW] != cited[Depth.EXPERT]
    assert len({words_of(review) for review in reviews.values()}) == len(Depth)
    broad, deep = (
        reviews[d].quality["sources_count"] / len(chapters_cited(reviews[d]))
        for d in (Depth.OVERVIEW, Depth.EXPERT)
    )
    assert broad < deep  # sections read per chapter


async def test_notes_pull_the_choice_toward_their_words_and_away() -> None:
    plain = await course(assignment(DCF, 3, DCF_READING))
    excel = await course(
        assignment(DCF, 3, DCF_READING, additional_notes="Focus on Excel, skip dividends please")
    )

    def naming(review: Review, word: str) -> int:
        return sum(word in str(source.section_title) for source in all_sources(review.parts))

    assert naming(excel, "Excel") > naming(plain, "Excel")
    assert naming(excel, "Dividend") < naming(plain, "Dividend")
    assert any("Excel" in note for note in excel.quality["notes"])


async def test_a_topic_that_nothing_cited_is_called_after_is_said_so() -> None:
    unnamed = await course(assignment("learn alchemy", 2, DCF_READING))
    assert any("names alchemy: it is what comes nearest" in note for note in unnamed.quality["notes"])
    named = await course(assignment(DCF, 2, DCF_READING))
    assert not any("it is what comes nearest" in note for note in named.quality["notes"])


async def test_style_shapes_the_practice_and_what_cannot_be_done_is_admitted() -> None:
    hands_on = await course(assignment(DCF, 2, DCF_READING, presentation_style="hands-on"))
    plain = await course(assignment(DCF, 2, DCF_READING))
    assert "project of your own" in words_of(hands_on)
    assert hands_on.quality["reading_coverage"] < plain.quality["reading_coverage"]
    sung = await course(assignment(DCF, 3, DCF_READING, presentation_style="as an opera"))
    assert any("opera" in note and "not used" in note for note in sung.quality["notes"])


# --- the same everywhere ---------------------------------------------------------------------------------


async def test_parts_asked_for_alone_fit_those_asked_for_together() -> None:
    work = assignment(DCF, 6.5, DCF_READING)
    together = await course(work)
    parts = await LibraryAuthor().parts(work)
    for part in reversed(parts):
        alone = await LibraryAuthor().sections(work, parts, part.part_index)
        assert tuple(alone) == together.parts[part.part_index].sections


def test_another_process_plans_the_same_course(tmp_path: Path) -> None:
    script = tmp_path / "plan.py"
    script.write_text(
        "from pipeline.authors.library import write_outline\n"
        "from tests.unit.readings import DCF, DCF_READING, assignment\n"
        "work = assignment(DCF, 12, DCF_READING, depth='technical')\n"
        "outline = write_outline(work.course_id, work.brief, work.reading)\n"
        "print('\\n'.join(p.model_dump_json() for p in outline.parts))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop().splitlines()[0])["part_index"] == 0


def test_the_longest_course_is_planned_in_a_moment() -> None:
    work = assignment(DCF, 40, DCF_READING)
    write_outline(work.course_id, work.brief, work.reading)
    started = time.process_time()
    write_outline(work.course_id, work.brief, work.reading)
    assert time.process_time() - started < 0.25
