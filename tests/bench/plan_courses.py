"""Plans to measure: the reading that the search finds for a query, and what an author makes of it."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import database
from pipeline.authors import Assignment, Author, Review
from pipeline.backing import Backing
from pipeline.errors import NoRelevantBooks
from pipeline.library import relevance
from pipeline.library.catalogue import load_catalogue
from pipeline.library.embed import StaticEmbedder
from pipeline.library.search import Library
from pipeline.outline import Brief, Chapter, WrittenPart
from pipeline.settings import Settings
from tests.bench.plan_metrics import Judged

QUERIES = Path(__file__).parent.parent / "integration" / "queries.json"
JUDGED = Path(__file__).parent / "judged.json"
COURSES = uuid.UUID("5f3c1b7e-4a0d-4d0a-9a44-6b1f0c2d9e55")
"""Ids of courses are derived from it, so that a course is the same in every run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A finished plan, and what it was made from."""

    work: Assignment
    review: Review
    seconds: float
    """Of the author's work alone."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """The shipped library with the shipped embedder."""

    library: Library
    embedder: StaticEmbedder

    async def reading(self, brief: Brief, *, without: str = "") -> tuple[Chapter, ...]:
        """Return what an author would be given.

        Args:
            brief: what is asked for.
            without: a book that is treated as if the library did not have it.

        Raises:
            NoRelevantBooks: the library does not cover it.
        """
        (vector,) = await self.embedder.embed([brief.query])
        if not without:
            return await self.library.reading(await self.library.relevant(brief, vector), vector)
        hits = [hit for hit in await self.library.hits(brief.query, vector) if hit.book_id != without]
        found = relevance.choose(brief.query, hits, brief.budget_minutes)
        return await self.library.reading(found, vector)


@asynccontextmanager
async def shelves() -> AsyncIterator[Shelves]:
    """Yield the library in a database of its own."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home)), durable=False) as backing:
            pool = await database.open_pool(backing.database_url)
            await database.migrate(pool)
            embedder = StaticEmbedder()
            await load_catalogue(pool, embedder)
            yield Shelves(Library(pool, embedder), embedder)
            await pool.close()


def judged_queries() -> dict[str, Judged]:
    """Return every query that somebody judged, with the chapters that answer it; none: the library has none.

    Chapters are known for the queries of ``judged.json``; of the others in ``queries.json`` only the books.
    """
    queries: dict[str, Judged] = {}
    sets: dict[str, Any] = json.loads(QUERIES.read_text("utf-8"))
    for name in ("fitted", "held_out"):
        for covered in sets[name]["covered"]:
            queries[covered["query"]] = {book: frozenset() for book in covered["books"]}
        queries |= {query: {} for query in sets[name]["refused"]}
    for judged in json.loads(JUDGED.read_text("utf-8"))["covered"]:
        chapters: Mapping[str, Mapping[str, int]] = judged["chapters"]
        queries[judged["query"]] = {book: frozenset(map(int, of_book)) for book, of_book in chapters.items()}
    return queries


async def readings(shelf: Shelves, queries: Mapping[str, Judged], hours: float) -> dict[str, Assignment]:
    """Return an assignment for every query that the library accepts."""
    found: dict[str, Assignment] = {}
    for query in queries:
        brief = Brief(query=query, hours=hours)
        try:
            reading = await shelf.reading(brief)
        except NoRelevantBooks:
            continue
        found[query] = assignment(brief, reading)
    return found


def assignment(brief: Brief, reading: tuple[Chapter, ...]) -> Assignment:
    """Return what an author is asked; the course's id follows from the brief."""
    course_id = str(uuid.uuid5(COURSES, brief.model_dump_json()))
    return Assignment(course_id=course_id, brief=brief, reading=reading)


async def write(author: Author, work: Assignment) -> Course:
    """Have a course written, all parts' sections at once, as the pipeline does."""
    started = time.perf_counter()
    parts = await author.parts(work)
    sections = await asyncio.gather(*(author.sections(work, parts, part.part_index) for part in parts))
    written = [
        WrittenPart(**part.model_dump(), sections=tuple(own))
        for part, own in zip(parts, sections, strict=True)
    ]
    review = await author.review(work, written)
    return Course(work=work, review=review, seconds=time.perf_counter() - started)


def parts_and_sections(part: WrittenPart) -> list[str]:
    """Return the title of a part and those of its sections."""
    return [part.title, *(section.title for section in part.sections)]
