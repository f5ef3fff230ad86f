"""The shipped catalogue is whole, and making it changes nothing but what the facts say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.library import catalogue
from pipeline.library.make_catalogue import Incomplete, as_text, make, merge

ROOT = Path(__file__).parent.parent.parent
SHIPPED = {book.book_id: json.loads(book.text) for book in catalogue.shipped()}

FACTS: dict[str, Any] = {
    "id": "on-counting",
    "title": "On Counting",
    "licence": "CC BY 4.0",
    "url": "https://example.org/on-counting",
    "language": "en",
    "subjects": ["arithmetic"],
    "level": "introductory",
    "a_fact_nobody_ships": 7,
    "chapters": [
        {"number": 0, "title": "Zero", "words": 0, "sections": []},
        {
            "number": 1,
            "title": "“One” & more",
            "words": 900,
            "sections": [{"title": "Fingers", "words": 400, "objectives": 2}],
            "terms": ["tally"],
        },
    ],
}
WRITTEN: dict[str, Any] = {
    "chapters": [
        {"number": 0, "summary": "Why  nothing\ncounts.", "key_concepts": ["zero"], "questions": []},
        {
            "number": 1,
            "summary": "How to count.",
            "key_concepts": ["tally ", "one"],
            "key_concept_sections": [0, None],
            "questions": ["count  my sheep "],
            "question_sections": [0],
        },
    ]
}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), "utf-8")
    return path


# --- what is shipped ---------------------------------------------------------------------------------------


def test_the_catalogue_covers_many_subjects() -> None:
    subjects = {subject for book in SHIPPED.values() for subject in book["subjects"]}
    assert len(SHIPPED) >= 50
    assert subjects >= {
        *("finance", "accounting", "economics", "business", "statistics"),
        *("Python", "data science", "psychology", "philosophy", "history"),
    }


@pytest.mark.parametrize("book_id", SHIPPED)
def test_every_chapter_can_be_taught_from(book_id: str) -> None:
    book = SHIPPED[book_id]
    assert book["id"] == book_id
    assert book["url"].startswith(("https://", "http://"))
    assert book["licence"]
    numbers = [chapter["number"] for chapter in book["chapters"]]
    assert numbers == sorted(set(numbers))
    for chapter in book["chapters"]:
        assert chapter["title"]
        assert 20 <= len(chapter["summary"]) <= 500
        assert 1 <= len(chapter["key_concepts"]) <= 12
        assert all(section["title"] and section["words"] >= 0 for section in chapter["sections"])
    summaries = [chapter["summary"] for chapter in book["chapters"]]
    assert len(set(summaries)) == len(summaries)
    questions = [question for chapter in book["chapters"] for question in chapter.get("questions", ())]
    assert len({question.lower() for question in questions}) == len(questions) >= 6 * len(summaries)
    assert all(3 <= len(question.split()) <= 12 for question in questions)


@pytest.mark.parametrize("book_id", SHIPPED)
def test_of_every_chapter_it_is_said_which_section_answers_what(book_id: str) -> None:
    for chapter in SHIPPED[book_id]["chapters"]:
        sections = len(chapter["sections"])
        if sections < 2:
            continue  # what there is to say is said by the chapter
        for name in ("key_concept", "question"):
            places = chapter[f"{name}_sections"]
            assert len(places) == len(chapter[f"{name}s"])
            assert all(place is None or 0 <= place < sections for place in places)
        answering = set(chapter["question_sections"]) - {None}
        assert len(answering) >= sections / 2, chapter["number"]


@pytest.mark.parametrize("book_id", SHIPPED)
def test_the_shipped_files_are_as_the_maker_writes_them(book_id: str) -> None:
    (text,) = (book.text for book in catalogue.shipped() if book.book_id == book_id)
    assert as_text(SHIPPED[book_id]) == text


def test_the_notice_names_every_book_with_licence_and_address() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for book in SHIPPED.values():
        assert f"   {book['title']}" in notice
        assert f"     {book['licence']} · {book['url']}\n" in notice
        assert ", ".join(book.get("authors", ["no author named"])) in notice


def test_the_version_depends_on_every_book(monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalogue.version()
    books = catalogue.shipped()
    changed = catalogue.ShippedBook(book_id=books[-1].book_id, text=books[-1].text, hash="another")
    monkeypatch.setattr(catalogue, "shipped", lambda: (*books[:-1], changed))
    assert catalogue.version.__wrapped__() != before


# --- how it is made ----------------------------------------------------------------------------------------


def test_facts_are_copied_as_they_are_and_summaries_tidied() -> None:
    book = merge(FACTS, WRITTEN)
    assert "a_fact_nobody_ships" not in book
    assert "authors" not in book
    assert book["url"] == FACTS["url"]
    assert book["chapters"][0] == {
        **FACTS["chapters"][0],
        "summary": "Why nothing counts.",
        "key_concepts": ["zero"],
        "questions": [],
    }
    assert book["chapters"][1]["title"] == "“One” & more"
    assert book["chapters"][1]["sections"] == FACTS["chapters"][1]["sections"]
    assert book["chapters"][1]["terms"] == ["tally"]
    assert book["chapters"][1]["key_concepts"] == ["tally", "one"]
    assert book["chapters"][1]["key_concept_sections"] == [0, None]
    assert book["chapters"][1]["questions"] == ["count my sheep"]
    assert book["chapters"][1]["question_sections"] == [0]


@pytest.mark.parametrize(
    "chapters",
    [
        pytest.param(WRITTEN["chapters"][:1], id="a chapter without"),
        pytest.param(
            [{**WRITTEN["chapters"][0], "summary": " "}, WRITTEN["chapters"][1]], id="an empty summary"
        ),
        pytest.param(
            [{**WRITTEN["chapters"][0], "key_concepts": []}, WRITTEN["chapters"][1]], id="no concepts"
        ),
        pytest.param(
            [WRITTEN["chapters"][0], {k: v for k, v in WRITTEN["chapters"][1].items() if k != "questions"}],
            id="questions of an older form",
        ),
        pytest.param([*WRITTEN["chapters"], {**WRITTEN["chapters"][0], "number": 9}], id="one too many"),
        pytest.param(
            [WRITTEN["chapters"][0], {**WRITTEN["chapters"][1], "question_sections": [0, 0]}],
            id="more places than questions",
        ),
        pytest.param(
            [WRITTEN["chapters"][0], {**WRITTEN["chapters"][1], "key_concept_sections": [0, 1]}],
            id="a place that is none",
        ),
    ],
)
def test_a_book_without_a_summary_for_each_chapter_is_refused(chapters: list[Any]) -> None:
    with pytest.raises(Incomplete):
        merge(FACTS, {"chapters": chapters})


def test_facts_are_refreshed_without_the_summaries_at_hand(tmp_path: Path) -> None:
    summaries, out = tmp_path / "summaries", tmp_path / "out"
    summaries.mkdir()
    out.mkdir()
    write(summaries / "on-counting.json", WRITTEN)
    (out / "no-longer-there.json").write_text("{}", "utf-8")
    facts = write(tmp_path / "facts.json", {"books": [FACTS]})
    assert make(facts, summaries, out) == []
    assert [path.name for path in out.iterdir()] == ["on-counting.json"]
    assert make(facts, out, out, check=True) == []

    moved = write(tmp_path / "moved.json", {"books": [{**FACTS, "url": "https://example.org/moved"}]})
    assert make(moved, out, out, check=True) == ["on-counting: on-counting.json is not what the facts say"]
    assert make(moved, out, out) == []
    book = json.loads((out / "on-counting.json").read_text("utf-8"))
    assert book["url"] == "https://example.org/moved"
    assert book["chapters"][1]["summary"] == "How to count."


def test_an_incomplete_book_is_named_and_not_written(tmp_path: Path) -> None:
    facts = write(tmp_path / "facts.json", {"books": [FACTS]})
    (problem,) = make(facts, tmp_path, tmp_path / "out")
    assert problem.startswith("on-counting: chapter 0 (Zero)")
    assert not (tmp_path / "out").exists()
