"""Search in a library of 100,000 chapters: how long it takes to make, how big it is, how fast and exact.

The chapters are synthetic, and say so in their titles: each takes titles, concepts and terms at random, most
from one shipped chapter, some from its book, a few from anywhere, as other books on the same subjects would.
They are stored and embedded by the code that stores and embeds real books.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import database
from pipeline.backing import Backing
from pipeline.database import Pool
from pipeline.library import Embedder
from pipeline.library.catalogue import INDEXED_FROM, ensure_index, fill_vectors, shipped
from pipeline.library.embed import StaticEmbedder
from pipeline.library.filters import LEVELS, Filters
from pipeline.library.search import CANDIDATES, Library
from pipeline.settings import Settings
from tests.bench.judged import judged_queries
from tests.bench.report import Table, ms, percentile

CHAPTERS_A_BOOK = 25
SECTIONS_A_CHAPTER = 5
QUESTIONS_A_CHAPTER = 8
SUBJECT = "synthetic one"
"""A subject that every tenth book has, to filter by."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a real chapter lends to synthetic ones."""

    titles: tuple[str, ...]
    concepts: tuple[str, ...]
    questions: tuple[str, ...]


Shelf = tuple[list[str], list[Words]]
"""A real book's subjects and chapters."""


def shelves() -> list[Shelf]:
    """Return what the shipped books lend."""
    books = [json.loads(book.text) for book in shipped()]
    return [(book["subjects"], [_words(chapter) for chapter in book["chapters"]]) for book in books]


def _words(chapter: dict[str, Any]) -> Words:
    titles = (chapter["title"], *(section["title"] for section in chapter["sections"]))
    concepts = (*chapter["key_concepts"], *chapter.get("terms", ()))
    return Words(titles, concepts, tuple(chapter["questions"]) or titles)


def synthetic_books(chapters: int, *, sections: int, seed: int = 6) -> Iterator[dict[str, Any]]:
    """Yield books of 25 chapters until there are `chapters`."""
    chance = random.Random(seed)  # the same library every time
    lent = shelves()
    for number in range(-(-chapters // CHAPTERS_A_BOOK)):
        subjects, real = chance.choice(lent)
        yield {
            "id": f"synthetic-{number}",
            "title": f"Synthetic book {number}: {subjects[0]}",
            "subjects": [*subjects, SUBJECT] if number % 10 == 0 else subjects,
            "level": chance.choice(LEVELS),
            "chapters": [
                _chapter(
                    i, chance, [chance.choice(real), *lent[chance.randrange(len(lent))][1]], real, sections
                )
                for i in range(1, min(CHAPTERS_A_BOOK, chapters - number * CHAPTERS_A_BOOK) + 1)
            ],
        }


def _chapter(
    number: int, chance: random.Random, main_and_others: list[Words], book: list[Words], sections: int
) -> dict[str, Any]:
    main, *others = main_and_others

    def source() -> Words:
        place = chance.random()
        return main if place < 0.6 else chance.choice(book) if place < 0.9 else chance.choice(others)

    def concept() -> str:
        return chance.choice(source().concepts)

    return {
        "number": number,
        "title": f"{chance.choice(main.titles)} and {concept()} (synthetic)",
        "summary": f"Of {', '.join(concept() for _ in range(9))}.",
        "key_concepts": [concept() for _ in range(6)],
        "words": chance.randint(2_000, 12_000),
        "sections": [
            {"title": f"{chance.choice(source().titles)}: {concept()}", "words": 900} for _ in range(sections)
        ],
        "questions": [f"{chance.choice(source().questions)} {concept()}" for _ in range(QUESTIONS_A_CHAPTER)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What was measured."""

    chapters: int
    sections: int
    stored_s: float
    embedded_s: float
    megabytes: float
    index_megabytes: float
    search_s: tuple[float, ...]
    filtered_s: tuple[float, ...]
    recall_10: float
    """Of the ten nearest chapters by an exact search, the share that the index finds."""
    recall_all: float
    """The same of all the candidates that a search asks for."""
    filtered_recall: float


async def soak(
    pool: Pool,
    embedder: Embedder,
    *,
    chapters: int = 100_000,
    sections: int = SECTIONS_A_CHAPTER,
    searches: int = 200,
    index_from: int = INDEXED_FROM,
) -> Soaked:
    """Fill the empty library behind `pool` and search in it."""
    sql = database.queries("library")
    began = time.perf_counter()
    async with pool.acquire() as conn:
        for book in synthetic_books(chapters, sections=sections):
            await sql.store_book(conn, book=json.dumps(book), origin="catalogue", hash=book["id"])
        await _count_lexemes(conn)
        stored = time.perf_counter()
        await fill_vectors(conn, embedder)
        await ensure_index(conn, embedder.model, from_chapters=index_from)
        await conn.execute(
            "ANALYZE books, book_chapters, book_sections, chapter_vectors, section_vectors, question_vectors",
            timeout=600,
        )
    embedded = time.perf_counter()
    questions = judged_queries()[:searches]
    vectors = await embedder.embed(questions)
    library = Library(pool, embedder)
    await _timed(library, questions[:10], vectors, Filters())  # the first searches read from disk
    every = await _timed(library, questions, vectors, Filters())
    some = await _timed(library, questions, vectors, Filters(subject=SUBJECT))
    marked = await pool.fetchval(
        "SELECT array_agg(book_id) FROM books WHERE $1 = ANY(subjects)", SUBJECT, timeout=60
    )
    recalls = [await _recall(pool, embedder, vector, None) for vector in vectors]
    filtered = [await _recall(pool, embedder, vector, marked) for vector in vectors]
    index = await pool.fetchval(
        "SELECT pg_relation_size(to_regclass(library_index_name($1)))", embedder.model
    )
    return Soaked(
        chapters=await pool.fetchval("SELECT count(*) FROM book_chapters"),
        sections=await pool.fetchval("SELECT count(*) FROM book_sections"),
        stored_s=stored - began,
        embedded_s=embedded - stored,
        megabytes=await pool.fetchval("SELECT pg_database_size(current_database())") / 2**20,
        index_megabytes=(index or 0) / 2**20,
        search_s=every,
        filtered_s=some,
        recall_10=statistics.mean(first for first, _ in recalls),
        recall_all=statistics.mean(whole for _, whole in recalls),
        filtered_recall=statistics.mean(whole for _, whole in filtered),
    )


async def measure() -> Table:
    """Fill and search a library of 100,000 chapters in a database that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home)), durable=False) as backing:
            pool = await database.open_pool(backing.database_url)
            await database.migrate(pool)
            soaked = await soak(pool, StaticEmbedder())
            await pool.close()
    return table(soaked)


async def _count_lexemes(conn: Any) -> None:
    await conn.execute(
        "INSERT INTO library_lexemes (lexeme, chapters) SELECT word, ndoc"
        " FROM ts_stat('SELECT lexemes FROM book_chapters')"
        " UNION ALL SELECT '', count(*) FROM book_chapters",
        timeout=600,
    )


async def _timed(
    library: Library, questions: list[str], vectors: list[list[float]], filters: Filters
) -> tuple[float, ...]:
    seconds = []
    for question, vector in zip(questions, vectors, strict=False):
        began = time.perf_counter()
        await library.hits(question, vector, filters)
        seconds.append(time.perf_counter() - began)
    return tuple(seconds)


async def _recall(
    pool: Pool, embedder: Embedder, vector: list[float], books: list[str] | None
) -> tuple[float, float]:
    """Return the recall of the index among the ten nearest, and among all that are asked for."""
    exact = await pool.fetch(
        "SELECT v.chapter_id FROM chapter_vectors AS v JOIN book_chapters AS c USING (chapter_id)"
        " WHERE v.model = $1 AND ($4::text[] IS NULL OR c.book_id = ANY($4))"
        " ORDER BY v.embedding <#> $2::real[]::vector LIMIT $3",
        embedder.model,
        vector,
        CANDIDATES,
        books,
        timeout=60,
    )
    found = await pool.fetch(
        "SELECT chapter_id FROM library_nearest($1, $2, $3, $4)", embedder.model, vector, CANDIDATES, books
    )
    wanted, got = [row["chapter_id"] for row in exact], {row["chapter_id"] for row in found}
    return len(got & set(wanted[:10])) / len(wanted[:10]), len(got & set(wanted)) / len(wanted)


def table(soaked: Soaked) -> Table:
    """Return the measurements as a table of docs/soak.md."""
    result = Table(
        "A large library",
        f"{soaked.chapters:,} synthetic chapters (marked as such, made of the shipped books' titles, terms "
        f"and questions) with {soaked.sections:,} sections and {QUESTIONS_A_CHAPTER} questions each, in a "
        "database of their own. A search is what a course "
        "and `GET /books/search` do once the question has its vector; "
        f"{len(soaked.search_s)} judged questions, one after another. Recall: of the chapters that an exact "
        "search finds nearest, the share that the index finds.",
        ("what", "figure"),
    )
    whole, few = soaked.search_s, soaked.filtered_s
    result.add("stored, with full text", f"{soaked.stored_s:.0f} s")
    result.add("embedded, with the vectors' index (IVFFlat)", f"{soaked.embedded_s:.0f} s")
    result.add("size of the database", f"{soaked.megabytes:,.0f} MB")
    result.add("of it the vectors' index", f"{soaked.index_megabytes:,.0f} MB")
    result.add("search, p50 and p95", f"{ms(statistics.median(whole))}, {ms(percentile(whole, 95))}")
    result.add(
        "search in one of ten books, p50 and p95", f"{ms(statistics.median(few))}, {ms(percentile(few, 95))}"
    )
    result.add("recall of the index, nearest 10", f"{soaked.recall_10:.3f}")
    result.add(f"recall of the index, nearest {CANDIDATES}", f"{soaked.recall_all:.3f}")
    result.add(f"the same in one of ten books, nearest {CANDIDATES}", f"{soaked.filtered_recall:.3f}")
    return result
