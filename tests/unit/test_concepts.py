"""Key concepts find their sections: by headings, else by their order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.authors.answers import rarity_in
from pipeline.authors.choosing import choose
from pipeline.authors.concepts import as_written, concepts_in, places
from pipeline.authors.phrases import Casing
from pipeline.authors.relevance import Unit
from pipeline.authors.wishes import read_wishes
from pipeline.outline import Book, BookSection, Brief, Chapter

BOOK = Book(book_id="rome", title="Rome", subjects=("history",))


def chapter(concepts: Sequence[str], *sections: tuple[str, int]) -> Chapter:
    return Chapter(
        book=BOOK,
        number=6,
        title="Mediterranean Peoples",
        key_concepts=tuple(concepts),
        words=sum(words for _, words in sections),
        score=0.9,
        sections=tuple(
            BookSection(index=i, title=title, words=words, similarity=0.5)
            for i, (title, words) in enumerate(sections)
        ),
    )


MEDITERRANEAN = chapter(
    ["polis", "Hellenistic", "mystery religions", "Struggle of the Orders", "populares", "principate"],
    ("Early Peoples", 1_000),
    ("Ancient Greece", 3_000),
    ("The Hellenistic Era", 1_000),
    ("The Roman Republic", 4_000),
    ("The Age of Augustus", 1_000),
)


def units(of: Chapter, *headings: str) -> list[Unit]:
    wishes = read_wishes(Brief(query="roman greece hellenistic republic augustus"))
    found = choose([of], wishes, 2_400, at_most=99)
    assert rarity_in([of])
    everything = {unit.heading: unit for unit in (*found.units, *found.spare, *found.companions)}
    return [everything[heading] for heading in headings]


@pytest.mark.parametrize(
    ("concepts", "found"),
    [
        # By the roots of the words, section 2, which names "Hellenistic", has its middle at 102 of 213;
        # before it one concept halfway to the start (51: Greece), after it four in steps of 22 to the end,
        # the last of them (191) beyond the republic's end (181).
        (MEDITERRANEAN.key_concepts, [1, 2, 3, 3, 3, 4]),
        ((), []),
        (("Roman Republic", "Hellenistic Era", "polis"), [3, 2, 4]),
    ],
    ids=["between what headings name", "no concepts", "a heading counts more than the order"],
)
def test_a_concept_belongs_to_the_section_that_names_it_or_lies_between(
    concepts: tuple[str, ...], found: list[int]
) -> None:
    assert places(MEDITERRANEAN.model_copy(update={"key_concepts": concepts})) == found


def test_where_the_book_says_it_nothing_is_guessed() -> None:
    said = (1, 2, None, 3, 3, 4)
    placed = MEDITERRANEAN.model_copy(update={"key_concept_sections": said})
    assert places(placed) == list(said)
    assert concepts_in(units(placed, "The Roman Republic")) == ["Struggle of the Orders", "populares"]
    assert "mystery religions" not in concepts_in(units(placed, *(s.title for s in placed.sections)))


def test_a_chapter_without_sections_has_all_its_concepts() -> None:
    assert places(chapter(["polis", "principate"])) == [0, 0]


def test_a_sitting_gets_the_concepts_of_its_sections_only() -> None:
    assert concepts_in(units(MEDITERRANEAN, "The Roman Republic")) == [
        "mystery religions",
        "Struggle of the Orders",
        "populares",
    ]
    assert concepts_in(units(MEDITERRANEAN, "The Hellenistic Era")) == ["Hellenistic"]


def test_what_a_heading_is_needs_no_telling_again() -> None:
    named = MEDITERRANEAN.model_copy(update={"key_concepts": ("Ancient Greece", "polis")})
    assert "Ancient Greece" not in concepts_in(units(named, "Ancient Greece"))


@pytest.mark.parametrize(
    ("concept", "written"),
    [
        ("Slices", "slices"),
        ("Struggle of the Orders", "Struggle of the Orders"),
        ("Student's t-Distribution", "Student's t-Distribution"),
        ("discounted cash flow (DCF)", "discounted cash flow (DCF)"),
        ("Taylor series", "Taylor series"),
    ],
)
def test_a_concept_loses_its_capital_only_where_it_is_no_name(concept: str, written: str) -> None:
    assert as_written(concept, Casing([MEDITERRANEAN])) == written
