"""What a model is asked to answer, and what code makes of an answer: no server involved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.authors.openai.asking import Unusable, read
from pipeline.authors.openai.outlining import rename
from pipeline.authors.openai.reply import objects_in
from pipeline.authors.openai.shelf import MOST_PLACES, stock
from pipeline.authors.openai.wire import (
    PartsAnswer,
    ReviewAnswer,
    SectionsAnswer,
    Terms,
    Wire,
    WireRename,
    schema,
)
from pipeline.outline import Section, WrittenPart, reading_minutes
from tests.openai_server.instances import Quirks, instance, vocabulary
from tests.reading import reading, valuation_reading

IDS = ("principles-finance-2e/8/0", "principles-finance-2e/8/1", "principles-finance-2e/9/0")
TERMS = Terms(
    counts={"sections": (2, 4), "objectives": (1, 3), "builds_on": (0, 2), "sources": (1, 2)},
    choices={"source": IDS},
)
ANSWERS: list[tuple[type[Wire], Terms]] = [
    (PartsAnswer, Terms(counts={"parts": (2, 3)})),
    (SectionsAnswer, TERMS),
    (ReviewAnswer, Terms(counts={"notes": (0, 3), "renamed": (0, 2)}, choices={"section": ("1.1", "2.1")})),
]


def section(**changed: Any) -> dict[str, Any]:
    return {
        "title": "Perpetuities",
        "summary": "What a payment for ever is worth today.",
        "objectives": [{"level": "apply", "objective": "Compute the value of a perpetuity"}],
        "builds_on": [],
        "sources": [{"source": IDS[0], "why": "It derives the formula."}],
        "weight": 3,
        **changed,
    }


def answered(*sections: dict[str, Any]) -> tuple[SectionsAnswer, tuple[str, ...]]:
    return read(SectionsAnswer, TERMS, json.dumps({"sections": sections}))


@pytest.mark.parametrize(("answer", "terms"), ANSWERS)
def test_a_schema_is_strict(answer: type[Wire], terms: Terms) -> None:
    asked = schema(answer, terms)

    def objects(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for inner in node for found in objects(inner)]
        if not isinstance(node, dict):
            return []
        own = [node] if node.get("type") == "object" else []
        return own + [found for inner in node.values() for found in objects(inner)]

    Draft202012Validator.check_schema(asked)
    assert "$ref" not in json.dumps(asked)
    assert "default" not in json.dumps(asked)
    for found in objects(asked):
        assert found["required"] == list(found["properties"])
        assert found["additionalProperties"] is False


def test_counts_and_ids_are_in_the_schema() -> None:
    sections = schema(SectionsAnswer, TERMS)["properties"]["sections"]
    source = sections["items"]["properties"]["sources"]["items"]["properties"]["source"]
    assert (sections["minItems"], sections["maxItems"]) == (2, 4)
    assert source["enum"] == list(IDS)


@pytest.mark.parametrize(("answer", "terms"), ANSWERS)
def test_what_the_schema_accepts_is_used_as_it_is(answer: type[Wire], terms: Terms) -> None:
    asked = schema(answer, terms)
    for seed in range(50):
        made = instance(asked, seed=str(seed), words=vocabulary("Net Present Value"))
        Draft202012Validator(asked).validate(made)
        _, repairs = read(answer, terms, json.dumps(made))
        assert repairs == ()


@pytest.mark.parametrize(
    ("quirks", "repair"),
    [
        (Quirks(surplus_items=True), "Surplus"),
        (Quirks(long_strings=True), "Over-long"),
        (Quirks(odd_numbers=True), "Weights"),
    ],
)
def test_a_careless_answer_is_mended_and_the_repair_noted(quirks: Quirks, repair: str) -> None:
    asked = schema(SectionsAnswer, TERMS)
    made = instance(asked, seed="1", words=vocabulary("Net Present Value"), quirks=quirks)
    answer, repairs = read(SectionsAnswer, TERMS, json.dumps(made))
    assert any(repair in sentence for sentence in repairs)
    repaired = answer.model_dump(mode="json")
    for written in repaired["sections"]:
        assert len(written["title"]) <= 120
        assert 1 <= written["weight"] <= 10
    assert len(repaired["sections"]) <= 4


@pytest.mark.parametrize("weight", [0, -3, "4", 2.6, None, 1e400, float("nan"), [1], "ten"])
def test_any_weight_becomes_one_to_ten(weight: Any) -> None:
    answer, repairs = answered(section(weight=weight), section(title="Annuities"))
    assert answer.sections[0].weight in range(1, 11)
    assert repairs


def test_text_is_one_line_that_a_database_can_keep() -> None:
    answer, _ = answered(section(title="A\x00 title\nwith \ud800 odd\tthings"), section(title="Annuities"))
    assert answer.sections[0].title == "A title with odd things"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"sections": [section()]}, "sections: Value error, must have at least 2 items, and has 1"),
        ({"sections": [section(), section(title=" ")]}, "sections.1.title: Value error, must not be empty"),
        (
            {"sections": [section(), section(sources=["a-book-of-no-library/1/1"])]},
            "is not one of the ids to choose from",
        ),
        ({"answer": 42}, "sections: Field required"),
    ],
)
def test_what_code_cannot_mend_is_told_to_the_model(broken: Any, told: str) -> None:
    with pytest.raises(Unusable) as raised:
        read(SectionsAnswer, TERMS, json.dumps(broken))
    assert told in str(raised.value)


@pytest.mark.parametrize("text", ["", "I cannot do that.", '{"sections": [', "[1, 2]", "{" * 100_000])
def test_no_object_is_no_answer(text: str) -> None:
    with pytest.raises(Unusable):
        read(SectionsAnswer, TERMS, text)


def test_prose_thinking_and_fences_around_the_json_do_not_matter() -> None:
    good = json.dumps({"sections": [section(), section(title="Annuities")]})
    text = f'<think>{{maybe}} {{"sections": []}}</think> Here you are:\n```json\n{good}\n```\nEnjoy {{it}}!'
    answer, _ = read(SectionsAnswer, TERMS, text)
    assert [written.title for written in answer.sections] == ["Perpetuities", "Annuities"]


def test_an_endless_row_of_braces_is_given_up_early() -> None:
    assert list(objects_in("{ " * 1_000_000)) == []


# --- the shelf ----------------------------------------------------------------------------------------


def test_an_id_leads_to_its_book_section() -> None:
    shelf = stock(valuation_reading(), 120)
    source = shelf.places["principles-finance-2e/16/1"].source("It defines NPV.")
    assert (source.chapter_number, source.section_title) == (16, "Net Present Value (NPV) Method")
    assert source.url == "https://openstax.org/details/books/principles-finance-2e"
    assert source.minutes == reading_minutes(1220)
    assert source.why == "It defines NPV."


def test_the_shelf_holds_the_best_chapters_that_are_enough_for_the_hours() -> None:
    short, long = stock(valuation_reading(), 30), stock(valuation_reading(), 2400)
    assert [chapter.number for chapter in short.chapters] == [11, 16, 9, 17]
    assert len(long.chapters) == 8


def test_the_shelf_is_never_larger_than_an_enum_may_be() -> None:
    whole = reading("college-physics-2e", range(1, 35)) + reading("organic-chemistry", range(1, 32))
    assert len(stock(whole, 2400).places) <= MOST_PLACES


def test_a_chapter_without_sections_is_cited_as_a_whole() -> None:
    chapter = valuation_reading()[0].model_copy(update={"sections": ()})
    (place,) = stock((chapter,), 60).places.values()
    assert place.source("").section_title is None
    assert place.id == "principles-finance-2e/11"


# --- renaming -----------------------------------------------------------------------------------------


def outline(*titles: str) -> tuple[WrittenPart, ...]:
    sections = tuple(
        Section(
            section_id=str(index),
            part_index=0,
            order_index=index,
            title=title,
            content_summary="…",
            learning_objectives=(),
            prerequisites=titles[:index],
            estimated_minutes=20,
            sources=(),
        )
        for index, title in enumerate(titles)
    )
    return (WrittenPart(part_index=0, title="One", why="…", estimated_minutes=60, sections=sections),)


def verdict(**titles: str) -> ReviewAnswer:
    renamed = [
        WireRename.model_construct(section=number.replace("_", ".")[1:], title=title, summary="New.")
        for number, title in titles.items()
    ]
    return ReviewAnswer.model_construct(title="A Course", notes=[], renamed=renamed)


def test_a_renamed_section_keeps_its_place_among_prerequisites() -> None:
    (part,), changes = rename(outline("A", "B", "C"), verdict(s1_1="Annuities"))
    assert [written.title for written in part.sections] == ["Annuities", "B", "C"]
    assert part.sections[2].prerequisites == ("Annuities", "B")
    assert changes == ("“A” is now called “Annuities”.",)


def test_a_name_that_another_section_has_is_not_taken() -> None:
    (part,), changes = rename(outline("A", "B"), verdict(s1_1="b"))
    assert [written.title for written in part.sections] == ["A", "B"]
    assert changes == ()
