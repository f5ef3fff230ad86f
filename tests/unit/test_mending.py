"""Outlines with one thing wrong, and what becomes of it."""

from __future__ import annotations

import pytest

from pipeline.authors import section_id
from pipeline.authors.mending import mend
from pipeline.authors.quality import all_sections, all_sources, place_of, report
from pipeline.outline import Section, WrittenPart
from tests.unit.test_quality import HOUR, READING, STOCKS, TIME_VALUE, part, section, source

COURSE_ID = "8d3f6a52-0f5b-4c0e-9a43-0a9d6f1c7b21"


def placed(parts: list[WrittenPart]) -> list[WrittenPart]:
    """Return `parts` with the ids they have in a course."""
    return [
        p.model_copy(
            update={
                "part_index": i,
                "sections": tuple(
                    s.model_copy(
                        update={"section_id": section_id(COURSE_ID, i, o), "part_index": i, "order_index": o}
                    )
                    for o, s in enumerate(p.sections)
                ),
            }
        )
        for i, p in enumerate(parts)
    ]


def two_sections(first: Section, second: Section) -> list[WrittenPart]:
    return placed([part(first, second)])


def test_a_sound_outline_comes_back_equal() -> None:
    sound = two_sections(
        section(20, source(TIME_VALUE, 1)), section(25, source(STOCKS, 1), title="The DCF Model")
    )
    mended = mend(COURSE_ID, HOUR, READING, sound)
    assert mended.parts == tuple(sound)
    assert mended.changes == ()


def test_minutes_are_divided_again_until_they_add_up() -> None:
    off = placed(
        [part(section(70, source(TIME_VALUE, 1)), section(30, source(STOCKS, 1), title="The DCF Model"))]
    )
    mended = mend(COURSE_ID, HOUR, READING, off)
    assert report(HOUR, READING, mended.parts)["budget_exact"] is True
    assert [s.estimated_minutes for s in all_sections(mended.parts)] == [30, 15]
    assert len(mended.changes) == 2


def test_what_is_not_in_the_library_is_left_out_and_replaced() -> None:
    invented = source(STOCKS, 1, section_title="Discounting for Winners")
    mended = mend(
        COURSE_ID,
        HOUR,
        READING,
        two_sections(section(20, source(STOCKS, 1)), section(25, invented, title="More")),
    )
    assert report(HOUR, READING, mended.parts)["sources_valid"] == 1.0
    assert all(s.sources for s in all_sections(mended.parts))
    assert any("not in the library" in change for change in mended.changes)


def test_a_source_told_wrongly_is_told_as_the_library_has_it() -> None:
    wrong = source(STOCKS, 1, url="https://example.org", minutes=90)
    mended = mend(COURSE_ID, HOUR, READING, placed([part(section(45, wrong))]))
    assert list(all_sources(mended.parts)) == [source(STOCKS, 1)]


def test_a_source_cited_again_is_replaced_while_relevant_reading_is_left() -> None:
    twice = two_sections(section(20, source(STOCKS, 1)), section(25, source(STOCKS, 1), title="Once More"))
    mended = mend(COURSE_ID, HOUR, READING, twice)
    cited = [place_of(s) for s in all_sources(mended.parts)]
    assert len(set(cited)) == len(cited) == 2


def test_a_source_cited_again_stays_once_all_relevant_reading_is_cited() -> None:
    only = (STOCKS.model_copy(update={"sections": STOCKS.sections[:1]}),)
    twice = two_sections(section(20, source(STOCKS, 0)), section(25, source(STOCKS, 0), title="Once More"))
    mended = mend(COURSE_ID, HOUR, only, twice)
    assert mended.parts == tuple(twice)


def test_a_title_used_twice_is_told_apart_and_prerequisites_follow() -> None:
    third = section(10, source(TIME_VALUE, 0), title="Last").model_copy(
        update={"prerequisites": ("Discounting",)}
    )
    same = placed([part(section(20, source(TIME_VALUE, 1)), section(15, source(STOCKS, 1)), third)])
    mended = mend(COURSE_ID, HOUR, READING, same)
    titles = [s.title for s in all_sections(mended.parts)]
    assert titles == ["Discounting", "Discounting: Discounted Cash Flow (DCF) Model", "Last"]
    assert set(list(all_sections(mended.parts))[2].prerequisites) <= set(titles[:2])


def test_prerequisites_that_are_no_earlier_section_are_dropped() -> None:
    first = section(20, source(TIME_VALUE, 1)).model_copy(
        update={"prerequisites": ("The DCF Model", "Algebra")}
    )
    mended = mend(
        COURSE_ID, HOUR, READING, two_sections(first, section(25, source(STOCKS, 1), title="The DCF Model"))
    )
    assert next(all_sections(mended.parts)).prerequisites == ()
    assert len(mended.changes) == 1


@pytest.mark.parametrize("title", ["x" * 400, "<b>Bonds</b>\u0007", "   "])
def test_titles_are_one_bounded_line_of_text(title: str) -> None:
    mended = mend(COURSE_ID, HOUR, READING, placed([part(section(45, source(STOCKS, 1), title=title))]))
    own = next(all_sections(mended.parts)).title
    assert 0 < len(own) <= 120
    assert own.isprintable()
    assert "<" not in own


def test_sections_get_the_ids_of_their_places() -> None:
    moved = [part(section(45, source(STOCKS, 1), part=3, order=2), index=3)]
    (only,) = all_sections(mend(COURSE_ID, HOUR, READING, moved).parts)
    assert (only.part_index, only.order_index) == (0, 0)
    assert only.section_id == section_id(COURSE_ID, 0, 0)
