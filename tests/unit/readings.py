"""Readings for tests of authors, and what holds for the outline of every author."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import numpy as np

from pipeline.authors import Assignment, Review
from pipeline.authors.library import LibraryAuthor
from pipeline.authors.quality import all_sections, all_sources, citable, is_valid, place_of
from pipeline.library.catalogue import section_text
from pipeline.library.embed import StaticEmbedder
from pipeline.outline import (
    PART_MINUTES,
    SECTION_MINUTES,
    Book,
    BookSection,
    Brief,
    Chapter,
    Preferences,
    WrittenPart,
    parts_range,
    sections_range,
)

EMBEDDER = StaticEmbedder()
COURSE_ID = "8d3f6a52-0f5b-4c0e-9a43-0a9d6f1c7b21"


def chapters(book_id: str, scores: Mapping[int, float], query: str) -> list[Chapter]:
    """Return chapters of a shipped book as a search would give them, `scores` by number."""
    data = json.loads(files("pipeline").joinpath(f"library/catalogue/{book_id}.json").read_text("utf-8"))
    book = Book(
        book_id=data["id"],
        title=data["title"],
        url=data["url"],
        subjects=tuple(data["subjects"]),
        level=data["level"],
    )
    return [_chapter(book, c, scores[c["number"]], query) for c in data["chapters"] if c["number"] in scores]


def _chapter(book: Book, told: Mapping[str, Any], score: float, query: str) -> Chapter:
    headings = [section_text({"title": s["title"], "chapter_title": told["title"]}) for s in told["sections"]]
    asked, *vectors = _embedded([query, *headings, *told["questions"]])
    near = [float(np.dot(asked, vector)) for vector in vectors]
    questions = list(zip(told["question_sections"], near[len(headings) :], strict=True))
    return Chapter(
        book=book,
        number=told["number"],
        title=told["title"],
        summary=told["summary"],
        key_concepts=tuple(told["key_concepts"]),
        key_concept_sections=tuple(told["key_concept_sections"]),
        questions=tuple(told["questions"]),
        question_sections=tuple(told["question_sections"]),
        words=told["words"],
        url=book.url,
        score=score,
        sections=tuple(
            BookSection(
                index=i,
                title=s["title"],
                words=s["words"],
                similarity=near[i],
                answers=max((cosine for index, cosine in questions if index == i), default=None),
            )
            for i, s in enumerate(told["sections"])
        ),
    )


def _embedded(texts: Sequence[str]) -> list[list[float]]:
    with ThreadPoolExecutor(1) as elsewhere:  # this may be called from a running event loop
        return elsewhere.submit(lambda: asyncio.run(EMBEDDER.embed(texts))).result()


def best_first(reading: Sequence[Chapter]) -> tuple[Chapter, ...]:
    return tuple(sorted(reading, key=lambda c: (-c.score, c.book.book_id, c.number)))


DCF = "Learn DCF valuation"
DCF_READING = best_first(
    [
        *chapters(
            "principles-finance-2e",
            {11: 1.0, 9: 0.64, 10: 0.63, 5: 0.46, 7: 0.77, 8: 0.41, 16: 0.4, 17: 0.35, 18: 0.3, 19: 0.3},
            DCF,
        ),
        *chapters("principles-managerial-accounting", {11: 0.95}, DCF),
    ]
)
RUST_READING = best_first(
    [
        *chapters("rust-programming-language", {4: 0.96, 15: 0.78, 20: 0.51}, "learn Rust ownership"),
        *chapters("introduction-business-2e", {4: 0.35}, "learn Rust ownership"),
    ]
)
STATISTICS_READING = best_first(
    [
        *chapters(
            "introductory-statistics-2e",
            {9: 0.75, 10: 0.95, 11: 0.45, 13: 0.48, 12: 0.32, 1: 0.31, 8: 0.24},
            "statistics for A/B tests",
        ),
        *chapters("rust-programming-language", {11: 0.37}, "statistics for A/B tests"),
    ]
)


def assignment(query: str, hours: float, reading: Sequence[Chapter], **preferences: object) -> Assignment:
    brief = Brief(query=query, hours=hours, preferences=Preferences.model_validate(preferences))
    return Assignment(course_id=COURSE_ID, brief=brief, reading=tuple(reading))


async def course(work: Assignment) -> Review:
    """Return the finished course, its sections written at once, as the pipeline does."""
    author = LibraryAuthor()
    parts = await author.parts(work)
    sections = await asyncio.gather(*(author.sections(work, parts, p.part_index) for p in parts))
    written = [WrittenPart(**p.model_dump(), sections=tuple(s)) for p, s in zip(parts, sections, strict=True)]
    review = await author.review(work, written)
    await author.close()
    return review


def chapters_cited(review: Review) -> list[tuple[str, int]]:
    return list(dict.fromkeys((s.book_id, s.chapter_number) for s in all_sources(review.parts)))


def words_of(review: Review) -> str:
    return " ".join(f"{s.title} {' '.join(s.learning_objectives)}" for s in all_sections(review.parts))


def keeps_the_rules(work: Assignment, parts: Sequence[WrittenPart]) -> None:
    """Assert what holds for every course of every author."""
    budget = work.brief.budget_minutes
    low, high = parts_range(budget)
    assert low <= len(parts) <= high
    assert sum(part.estimated_minutes for part in parts) == budget
    places = citable(work.reading)
    for index, part in enumerate(parts):
        assert part.part_index == index
        if len(parts) > 1:
            assert PART_MINUTES[0] <= part.estimated_minutes <= PART_MINUTES[1]
        fewest, most = sections_range(part.estimated_minutes)
        assert fewest <= len(part.sections) <= most
        assert sum(section.estimated_minutes for section in part.sections) == part.estimated_minutes
        for order, section in enumerate(part.sections):
            assert (section.part_index, section.order_index) == (index, order)
            assert SECTION_MINUTES[0] <= section.estimated_minutes <= SECTION_MINUTES[1]
            assert 1 <= len(section.sources) <= 6
            assert 2 <= len(section.learning_objectives) <= 4
            assert all(is_valid(source, places) for source in section.sources)
            assert 0 < len(section.title) <= 120
            assert len({place_of(source) for source in section.sources}) == len(section.sources)
    titles = [section.title.casefold() for section in all_sections(parts)]
    assert len(set(titles)) == len(titles)
    assert len({part.title.casefold() for part in parts}) == len(parts)
    ids = [section.section_id for section in all_sections(parts)]
    assert len({uuid.UUID(section) for section in ids}) == len(ids)
