"""Headings become chapters and sections, whatever a table of contents has at its top."""

from __future__ import annotations

import pytest

from pipeline.library.ingest.apparatus import is_apparatus, number_of, unnumbered
from pipeline.library.ingest.errors import NoChapters
from pipeline.library.ingest.reading import Heading, Reading
from pipeline.library.ingest.structure import outline_of

Row = tuple[int, str, int]
"""Level, title, words."""


def chapters(*rows: Row, title: str = "") -> list[tuple[str, list[str]]]:
    headings = tuple(Heading(level=level, title=name, words=words) for level, name, words in rows)
    found = outline_of(Reading(title=title, headings=headings)).chapters
    return [(node.title, [child.title for child in node.below]) for node in found]


def test_what_is_below_a_section_is_part_of_it() -> None:
    found = outline_of(
        Reading(
            title="",
            headings=(
                Heading(level=0, title="Water", words=50),
                Heading(level=1, title="Tides", words=40),
                Heading(level=3, title="Spring tides", words=30),
                Heading(level=0, title="Wind", words=60),
            ),
        )
    )
    (water, wind) = found.chapters
    assert (water.all_words, [s.all_words for s in water.below]) == (120, [70])
    assert (wind.all_words, wind.below) == (60, [])


def test_parts_that_are_called_so_are_opened() -> None:
    rows = ((0, "Part I: Sea", 5), (1, "Water", 90), (2, "Tides", 90), (1, "Wind", 90), (0, "Land", 90))
    assert chapters(*rows) == [("Water", ["Tides"]), ("Wind", []), ("Land", [])]


def test_parts_are_known_by_their_length_too() -> None:
    def part(name: str, words: int) -> list[Row]:
        def chapter(letter: str) -> list[Row]:
            return [(1, f"{name} {letter}", 100), (2, f"{letter} one", words), (2, f"{letter} two", words)]

        return [(0, name, 0), *chapter("A"), *chapter("B")]

    long = [*part("Sea", 12_000), *part("Land", 12_000)]
    assert [title for title, _ in chapters(*long)] == ["Sea A", "Sea B", "Land A", "Land B"]
    short = [*part("Sea", 100), *part("Land", 100)]
    assert [title for title, _ in chapters(*short)] == ["Sea", "Land"]


def test_the_book_itself_as_the_only_heading_is_opened() -> None:
    rows = ((0, "Harbours", 10), (1, "Water", 90), (2, "Tides", 90), (1, "Wind", 90))
    assert [title for title, _ in chapters(*rows)] == ["Water", "Wind"]
    long = ((0, "Harbours", 400), (1, "Water", 90), (1, "Wind", 90))
    assert [title for title, _ in chapters(*long)] == ["Harbours", "Water", "Wind"]


def test_numbers_are_taken_out_of_titles_where_all_have_them() -> None:
    numbered = ((0, "Chapter 1: Water", 90), (1, "1.1 Tides", 90), (0, "Chapter 2: Wind", 90))
    assert chapters(*numbered) == [("Water", ["Tides"]), ("Wind", [])]
    assert chapters((0, "Water", 90), (0, "2001: A Space Odyssey", 90), (0, "Wind", 90))[1][0].startswith(
        "2001"
    )


def test_a_book_that_counts_otherwise_keeps_its_numbers() -> None:
    headings = tuple(Heading(level=0, title=f"{n}. Water {n}", words=90) for n in (0, 1, 4))
    assert outline_of(Reading(title="", headings=headings)).numbers == (0, 1, 4)


def test_what_surrounds_a_text_is_no_chapter() -> None:
    around = ["Preface", "Table of Contents", "Copyright", "Index", "A. Bibliography", "Inhaltsverzeichnis"]
    rows = [(0, name, 500) for name in around]
    assert [title for title, _ in chapters(*rows, (0, "Water", 90))] == ["Water"]
    with pytest.raises(NoChapters):
        chapters(*rows)


@pytest.mark.parametrize(
    ("title", "plain", "number"),
    [
        ("1. Water", "Water", 1),
        ("1.2 Tides", "Tides", None),
        ("Chapter 12 – Wind", "Wind", 12),
        ("Kapitel 3: Wind", "Wind", 3),
        ("Appendix A. Knots", "Knots", None),
        ("Water", "Water", None),
        ("I think so", "I think so", None),
        ("3D printing", "3D printing", None),
        ("7", "7", None),
    ],
)
def test_a_title_and_its_number(title: str, plain: str, number: int | None) -> None:
    assert (unnumbered(title), number_of(title)) == (plain, number)


@pytest.mark.parametrize("title", ["Copyright considerations", "Indexes in databases", "About this manual"])
def test_a_chapter_that_only_sounds_so_is_one(title: str) -> None:
    assert not is_apparatus(title)
