"""The library on a real Postgres: loading, upgrading, searching, refusing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest

from pipeline import database
from pipeline.database import Pool
from pipeline.errors import EmbedderUnavailable, LibraryUnavailable, NoRelevantBooks
from pipeline.library import catalogue, relevance
from pipeline.library.catalogue import ShippedBook, is_loaded, load_catalogue
from pipeline.library.embed import StaticEmbedder
from pipeline.library.filters import Filters
from pipeline.library.openai_embedder import OpenAIEmbedder
from pipeline.library.search import Library
from pipeline.outline import Book, Brief, FoundBook, FoundChapter, reading_minutes
from pipeline.settings import Settings
from tests.bench import search_soak
from tests.bench.searching import NAMES, ask_all, is_fitted_on
from tests.openai_server import OpenAIServer

SHIPPED: dict[str, Any] = {book.book_id: json.loads(book.text) for book in catalogue.shipped()}
EMBEDDER = StaticEmbedder()

OWN_BOOK = {
    "id": "our-knitting-book",
    "title": "Knitting at Home",
    "url": "https://example.org/knitting",
    "subjects": ["knitting"],
    "chapters": [
        {
            "number": 3,
            "title": "Knitting patterns",
            "summary": "How to read knitting patterns.",
            "words": 1_000,
            "questions": ["my first scarf got wider", "count the stitches of a scarf"],
            "url": "https://example.org/knitting/3",
            "sections": [{"title": "Charts", "words": 300}, {"title": "Stitches", "words": 200}],
        }
    ],
}


class HashEmbedder:
    """Vectors of another model, of another length; counts what it is asked."""

    model = "test-hash-8"
    dimensions = 8
    english_only = False

    def __init__(self, *, answers: int | None = None) -> None:
        self.asked = 0
        self._answers = answers

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self._answers is not None and self.asked >= self._answers:
            raise EmbedderUnavailable("The embedding service did not answer.")
        self.asked += 1
        return [[1.0 if i == len(text) % 8 else 0.0 for i in range(8)] for text in texts]

    async def close(self) -> None:
        pass


@pytest.fixture
async def library(loaded_url: str) -> AsyncIterator[Library]:
    pool = await database.open_pool(loaded_url)
    yield Library(pool, EMBEDDER)
    await pool.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """An empty library of this test's own."""
    pool = await database.open_pool(database_url)
    await database.migrate(pool)
    yield pool
    await pool.close()


async def vector_of(text: str) -> list[float]:
    (vector,) = await EMBEDDER.embed([text])
    return vector


async def found(library: Library, query: str, hours: float = 2.0) -> tuple[FoundBook, ...]:
    return await library.relevant(Brief(query=query, hours=hours), await vector_of(query))


async def count(pool: Pool, table: str) -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM {table}"))


async def add_own_book(pool: Pool, book: dict[str, Any]) -> None:
    async with pool.acquire() as conn:
        await database.queries("library").store_book(conn, book=json.dumps(book), origin="own", hash="1")


# --- loading -----------------------------------------------------------------------------------------------


async def test_the_catalogue_is_loaded_once_with_every_fact(pool: Pool) -> None:
    assert not await is_loaded(pool, EMBEDDER)
    assert await load_catalogue(pool, EMBEDDER)
    assert await is_loaded(pool, EMBEDDER)
    assert not await load_catalogue(pool, EMBEDDER)

    chapters = [chapter for book in SHIPPED.values() for chapter in book["chapters"]]
    sections = [section for chapter in chapters for section in chapter["sections"]]
    assert await count(pool, "books") == len(SHIPPED)
    assert await count(pool, "book_chapters") == await count(pool, "chapter_vectors") == len(chapters)
    assert await count(pool, "book_sections") == await count(pool, "section_vectors") == len(sections)
    questions = [question for chapter in chapters for question in chapter.get("questions", ())]
    assert await count(pool, "question_vectors") == len(questions) > len(sections)


async def test_many_workers_may_start_at_once(pool: Pool) -> None:
    embedders = [HashEmbedder() for _ in range(4)]
    done = await asyncio.gather(*(load_catalogue(pool, embedder) for embedder in embedders))
    assert sorted(done) == [False, False, False, True]
    assert sum(embedder.asked > 0 for embedder in embedders) == 1


async def test_a_load_cut_short_is_finished_by_the_next(pool: Pool) -> None:
    with pytest.raises(EmbedderUnavailable):
        await load_catalogue(pool, HashEmbedder(answers=2))
    assert not await is_loaded(pool, HashEmbedder())
    assert len(await Library(pool, EMBEDDER).books()) == len(SHIPPED)

    second = HashEmbedder()
    assert await load_catalogue(pool, second)
    assert await count(pool, "section_vectors") == await count(pool, "book_sections")
    texts = [await count(pool, f"{kind}_vectors") for kind in ("chapter", "section", "question")]
    assert second.asked == sum(-(-number // catalogue.BATCH) for number in texts) - 2


OWN_VECTORS = """
    SELECT b.own, b.hash, c.chapter_id, c.summary, v.embedding::text FROM books AS b
    JOIN book_chapters AS c USING (book_id) JOIN chapter_vectors AS v USING (chapter_id) WHERE b.own
"""


async def test_a_new_catalogue_replaces_what_changed_and_nothing_else(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load_catalogue(pool, EMBEDDER)
    await add_own_book(pool, OWN_BOOK)
    async with pool.acquire() as conn:
        await catalogue.fill_vectors(conn, EMBEDDER)
    ids = {
        r["book_id"]: r["chapter_id"]
        for r in await pool.fetch("SELECT book_id, chapter_id FROM book_chapters")
    }

    own_vectors = await pool.fetch(OWN_VECTORS)
    assert [row["own"] for row in own_vectors] == [True]

    kept, changed, gone = "us-history", "think-python", "pro-git"
    text = json.dumps(SHIPPED[changed] | {"title": "Think Again"})
    books = [book for book in catalogue.shipped() if book.book_id not in (changed, gone)]
    books.append(ShippedBook(book_id=changed, text=text, hash="new"))
    monkeypatch.setattr(catalogue, "shipped", lambda: tuple(books))
    monkeypatch.setattr(catalogue, "version", lambda: "next")

    assert not await is_loaded(pool, EMBEDDER)
    assert await load_catalogue(pool, EMBEDDER)
    titles = {r["book_id"]: r["title"] for r in await pool.fetch("SELECT book_id, title FROM books")}
    assert titles[changed] == "Think Again"
    assert gone not in titles
    assert titles[OWN_BOOK["id"]] == OWN_BOOK["title"]
    assert await pool.fetch(OWN_VECTORS) == own_vectors
    now = {
        r["book_id"]: r["chapter_id"]
        for r in await pool.fetch("SELECT book_id, chapter_id FROM book_chapters")
    }
    assert now[kept] == ids[kept]
    assert now[changed] != ids[changed]
    assert await count(pool, "chapter_vectors") == await count(pool, "book_chapters")
    assert await count(pool, "section_vectors") == await count(pool, "book_sections")


async def test_another_embedder_gets_vectors_beside_the_first_ones(pool: Pool) -> None:
    await load_catalogue(pool, EMBEDDER)
    other = HashEmbedder()
    assert not await is_loaded(pool, other)
    with pytest.raises(LibraryUnavailable):
        await Library(pool, other).relevant(Brief(query="inflation"), [1.0, *[0.0] * 7])

    assert await load_catalogue(pool, other)
    assert await is_loaded(pool, other)
    assert await is_loaded(pool, EMBEDDER)
    assert await count(pool, "chapter_vectors") == 2 * await count(pool, "book_chapters")
    assert await Library(pool, other).search("inflation", [1.0, *[0.0] * 7], limit=3)


async def test_vectors_come_from_an_openai_compatible_endpoint(openai_server: OpenAIServer) -> None:
    embedder = OpenAIEmbedder(
        Settings(
            openai_base_url=openai_server.base_url, openai_api_key="sk-test", openai_embedding_model="any"
        )
    )
    vectors = await embedder.embed([f"text {n}" for n in range(300)])
    assert len(vectors) == 300
    assert embedder.dimensions == len(vectors[0])
    assert vectors[299] == pytest.approx((await embedder.embed(["text 299"]))[0])
    assert sum(x * x for x in vectors[7]) == pytest.approx(1)
    await embedder.close()


async def test_an_endpoint_that_is_away_is_a_retryable_error(free_port: int) -> None:
    embedder = OpenAIEmbedder(Settings(openai_base_url=f"http://127.0.0.1:{free_port}/v1"))
    with pytest.raises(EmbedderUnavailable) as error:
        await embedder.embed(["text"])
    assert error.value.retryable
    await embedder.close()


# --- finding -----------------------------------------------------------------------------------------------

MUST_FIND = {
    "Learn DCF valuation": "principles-finance-2e",
    "statistics for A/B tests": "introductory-statistics-2e",
    "how the Roman republic fell": "world-history-volume-1",
    "learn Rust ownership": "rust-programming-language",
    "write better essays": "writing-guide",
    "why do we sleep": "psychology-2e",
}


@pytest.mark.parametrize("query", MUST_FIND)
async def test_the_right_book_comes_first(library: Library, query: str) -> None:
    books = await found(library, query)
    assert books[0].book_id == MUST_FIND[query]
    scores = [book.score for book in books]
    assert scores == sorted(scores, reverse=True)
    for book in books:
        assert book.score == max(chapter.score for chapter in book.chapters)
        assert all(0 < chapter.score <= 1 for chapter in book.chapters)


async def test_an_abbreviation_is_found_by_what_it_stands_for(library: Library) -> None:
    titles = {
        chapter.chapter_title
        for book in await found(library, "Learn DCF valuation", 6.5)
        for chapter in book.chapters
    }
    assert titles >= {"Stocks and Stock Valuation", "Capital Budgeting Decisions"}
    assert any(title.startswith("Time Value of Money") for title in titles)


@pytest.mark.parametrize(
    "query",
    [
        "quantum field theory renormalization",
        "the French Revolution",  # Americans quarrel about it in one chapter
        "repair a diesel engine",
        "knitting patterns",
        "Klingon grammar",
        "asdf qwer zxcv",
        "🙂🙂🙂",
        "' OR \\ & | ! :* <->",
        "the and of",
    ],
)
async def test_what_no_book_is_about_is_refused(library: Library, query: str) -> None:
    with pytest.raises(NoRelevantBooks, match="The library has no book about"):
        await found(library, query)


async def test_judged_queries_are_mostly_judged_the_same(library: Library) -> None:
    asked = [case for case in await ask_all(library, EMBEDDER) if case.part != NAMES]
    for fitted in (True, False):
        covered = [case for case in asked if case.books and is_fitted_on(case) is fitted]
        outside = [case for case in asked if not case.books and is_fitted_on(case) is fitted]
        false_refusals = sum(relevance.confidence(case.hits) < relevance.ACCEPTED for case in covered)
        false_accepts = sum(relevance.confidence(case.hits) >= relevance.ACCEPTED for case in outside)
        right_book = sum(case.hits[0].book_id in case.books for case in covered)
        assert false_refusals < 0.05 * len(covered)
        assert false_accepts < 0.10 * len(outside)
        assert right_book >= 0.9 * len(covered)


async def test_what_a_chapter_defines_is_accepted_however_little_else_it_says_of_it(library: Library) -> None:
    for query, book in (
        ("gerrymandering", "american-government-4e"),
        ("break-even point", "principles-managerial-accounting"),
    ):
        best = (await library.hits(query, await vector_of(query)))[0]
        assert (best.book_id, best.evidence.defines) == (book, True)
        assert best.score >= relevance.RELEVANT
        assert (await found(library, query))[0].book_id == book


async def test_a_dump_can_be_restored(pool: Pool) -> None:
    """What is generated is generated anew then, without a search path to find functions by."""
    await add_own_book(pool, OWN_BOOK | {"chapters": [OWN_BOOK["chapters"][0] | {"terms": ["slip stitch"]}]})
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL search_path = ''")
        await conn.execute("UPDATE public.book_chapters SET terms = terms")
        assert await conn.fetchval("SELECT 'slip stitch' = ANY(names) FROM public.book_chapters")


async def test_a_name_of_another_thing_defines_nothing(library: Library) -> None:
    hits = await library.hits("boxing", await vector_of("boxing"))  # Box, in a book on Rust
    namesakes = [hit for hit in hits if hit.evidence.defined]
    assert {hit.book_id for hit in namesakes} == {"rust-programming-language"}
    assert not any(hit.evidence.defines for hit in namesakes)
    with pytest.raises(NoRelevantBooks):
        await found(library, "boxing")


async def test_a_long_course_finds_more_than_a_short_one(library: Library) -> None:
    short, long = (
        await found(library, "Learn DCF valuation", 0.5),
        await found(library, "Learn DCF valuation", 40),
    )
    chapters_of_short = sum(len(book.chapters) for book in short)
    chapters_of_long = sum(len(book.chapters) for book in long)
    assert 1 <= chapters_of_short <= 8
    assert chapters_of_short < chapters_of_long <= 60
    assert len(long) <= 12


async def test_the_same_question_gets_the_same_answer(library: Library) -> None:
    assert await found(library, "supply and demand", 12) == await found(library, "supply and demand", 12)


async def test_an_own_book_is_found_beside_the_shipped_ones(pool: Pool) -> None:
    await add_own_book(pool, OWN_BOOK)
    await load_catalogue(pool, EMBEDDER)
    library = Library(pool, EMBEDDER)
    (book,) = await found(library, "knitting patterns")
    assert book.book_id == "our-knitting-book"
    (chapter,) = await library.reading([book], await vector_of("knitting patterns"))
    assert chapter.url == "https://example.org/knitting/3"
    assert chapter.book.url == "https://example.org/knitting"
    assert [section.title for section in chapter.sections] == ["Charts", "Stitches"]


async def test_what_people_ask_finds_a_chapter_that_says_it_otherwise(pool: Pool) -> None:
    query = "why my first scarf got wider and wider"
    (chapter,) = OWN_BOOK["chapters"]
    await add_own_book(pool, OWN_BOOK | {"chapters": [chapter | {"questions": []}]})
    await load_catalogue(pool, EMBEDDER)
    with pytest.raises(NoRelevantBooks):
        await found(Library(pool, EMBEDDER), query)

    await pool.execute("DELETE FROM books WHERE own")
    await add_own_book(pool, OWN_BOOK)
    async with pool.acquire() as conn:
        await database.queries("own_books").add_lexemes(conn, book_id=OWN_BOOK["id"])
        await catalogue.fill_vectors(conn, EMBEDDER)
    (book, *_) = await found(Library(pool, EMBEDDER), query)
    assert book.book_id == "our-knitting-book"


async def test_a_section_is_as_near_as_what_people_ask_of_it(pool: Pool) -> None:
    (chapter,) = OWN_BOOK["chapters"]
    await add_own_book(pool, OWN_BOOK | {"chapters": [chapter | {"question_sections": [None, 1]}]})
    await load_catalogue(pool, EMBEDDER)
    library = Library(pool, EMBEDDER)
    (book,) = await found(library, "knitting patterns")

    for text in (
        "count the stitches of a scarf",
        "my first scarf got wider",
    ):  # the other: of the whole chapter
        (read,) = await library.reading([book], await vector_of(text))
        charts, stitches = read.sections
        placed = float(np.dot(await vector_of(chapter["questions"][1]), await vector_of(text)))
        assert (charts.answers, stitches.answers) == (None, pytest.approx(placed, abs=1e-3))
        for section in read.sections:
            own = await vector_of(f"{section.title}. {chapter['title']}")
            assert section.similarity == pytest.approx(float(np.dot(own, await vector_of(text))), abs=1e-3)


async def test_a_chapter_does_not_lose_by_having_questions(pool: Pool) -> None:
    book = json.loads(next(b.text for b in catalogue.shipped() if b.book_id == "pro-git"))
    twin = book | {"id": "twin", "chapters": [c | {"questions": []} for c in book["chapters"]]}
    await add_own_book(pool, twin)
    await load_catalogue(pool, EMBEDDER)
    library = Library(pool, EMBEDDER)
    for chapter in book["chapters"]:
        for asked in (chapter["title"], *(section["title"] for section in chapter["sections"][:3])):
            scores = {
                hit.book_id: hit.score
                for hit in await library.hits(asked, await vector_of(asked))
                if hit.number == chapter["number"]
            }
            assert scores["pro-git"] >= scores.get("twin", 0.0), asked


async def test_an_own_book_alone_is_not_taken_for_the_library(pool: Pool) -> None:
    await add_own_book(pool, OWN_BOOK)
    async with pool.acquire() as conn:
        await catalogue.fill_vectors(conn, EMBEDDER)
    with pytest.raises(LibraryUnavailable, match="not loaded yet"):
        await found(Library(pool, EMBEDDER), "knitting patterns")


FILTERED = {
    "subject": (Filters(subject="Finance"), {"principles-finance-2e"}),
    "level": (
        Filters(level="intermediate"),
        {"think-bayes", "calculus-volume-1", "python-data-science-handbook"},
    ),
    "licence": (Filters(licence="cc by"), {"principles-economics-3e", "introduction-intellectual-property"}),
    "own": (Filters(own=True), {"our-knitting-book"}),
}


async def test_a_filter_keeps_to_its_books(pool: Pool) -> None:
    await add_own_book(pool, OWN_BOOK)
    await load_catalogue(pool, EMBEDDER)
    library = Library(pool, EMBEDDER)
    questions = ("statistics and probability", "price of goods", "knitting", "how to value a company")
    for filters, some in FILTERED.values():
        books: dict[str, Book] = {}
        for question in questions:
            chapters = await library.search(question, await vector_of(question), limit=40, filters=filters)
            books |= {chapter.book.book_id: chapter.book for chapter in chapters}
        assert some <= books.keys()
        for book in books.values():
            assert filters.subject is None or filters.subject.lower() in book.subjects
            assert filters.level in (None, book.level)
            assert filters.licence is None or book.licence.startswith("CC BY ")
            assert filters.own is None or book.book_id == OWN_BOOK["id"]


async def test_a_filter_that_no_book_passes_finds_nothing(library: Library) -> None:
    assert await library.search_text("inflation", Filters(language="de")) == ()
    assert await library.search_text("inflation", Filters(language="EN", own=False)) != ()
    assert await library.search_text("inflation", Filters(own=True)) == ()


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("日本料理の作り方", "Japanese"),
        ("как починить велосипед", "a language in Cyrillic letters"),
        ("تعلم الطبخ", "a language in Arabic letters"),
        ("Wie repariere ich ein altes Fahrrad?", "German"),
        ("comment réparer un vieux vélo", "French"),
    ],
)
async def test_a_language_that_the_search_does_not_know_is_said(
    library: Library, query: str, language: str
) -> None:
    with pytest.raises(NoRelevantBooks) as refused:
        await found(library, query)
    assert f"searched in English, and this looks like {language}" in str(refused.value)
    assert str(refused.value).endswith(library.language_note(query) or "?")
    assert library.language_note("bicycle repair") is None


async def test_a_large_library_is_searched_by_an_index_as_well_as_without(pool: Pool) -> None:
    soaked = await search_soak.soak(pool, EMBEDDER, chapters=5_000, sections=1, searches=20, index_from=5_000)
    assert soaked.chapters == 5_000
    assert soaked.index_megabytes > 1
    assert soaked.recall_10 >= 0.98
    assert soaked.recall_all >= 0.98
    assert soaked.filtered_recall >= 0.98
    assert await pool.fetchval("SELECT bool_and(title LIKE '%(synthetic)') FROM book_chapters")


# --- reading -----------------------------------------------------------------------------------------------


async def test_the_reading_is_what_the_book_has(library: Library) -> None:
    query = "Learn DCF valuation"
    books = await found(library, query)
    reading = await library.reading(books, await vector_of(query))
    assert [c.score for c in reading] == sorted((c.score for b in books for c in b.chapters), reverse=True)
    for chapter in reading:
        facts = SHIPPED[chapter.book.book_id]
        (chapter_facts,) = (c for c in facts["chapters"] if c["number"] == chapter.number)
        assert chapter.url == chapter.book.url == facts["url"]
        assert list(chapter.book.authors) == facts["authors"]
        assert (chapter.title, chapter.summary) == (chapter_facts["title"], chapter_facts["summary"])
        assert list(chapter.key_concepts) == chapter_facts["key_concepts"]
        assert [(s.index, s.title, s.words) for s in chapter.sections] == [
            (index, s["title"], s["words"]) for index, s in enumerate(chapter_facts["sections"])
        ]
    (valuation,) = (c for c in reading if c.title == "Stocks and Stock Valuation")
    nearest = max(valuation.sections, key=lambda section: section.similarity)
    assert "Discounted Cash Flow" in nearest.title


async def test_a_chapter_that_has_left_the_library_is_left_out(library: Library) -> None:
    chapters = tuple(FoundChapter(chapter_number=n, chapter_title="", score=0.9) for n in (2, 999))
    books = [FoundBook(book_id="us-history", book_title="", score=0.9, chapters=chapters)]
    assert [c.number for c in await library.reading(books, await vector_of("war"))] == [2]
    assert await library.reading([], await vector_of("war")) == ()


# --- for the routes ----------------------------------------------------------------------------------------


async def test_all_books_are_listed_by_title(library: Library) -> None:
    books = await library.books()
    assert {book.book_id: book.chapters_count for book in books} == {
        book_id: len(book["chapters"]) for book_id, book in SHIPPED.items()
    }
    assert [book.title for book in books] == sorted((book.title for book in books), key=str.casefold)
    (nameless,) = (book for book in books if book.book_id == "saylor-organizational-behavior")
    assert nameless.authors == ()


async def test_a_book_is_shown_with_its_chapters_in_order(library: Library) -> None:
    book = await library.book("discrete-mathematics-open-introduction")
    assert book is not None
    facts = SHIPPED[book.book_id]
    assert [c.number for c in book.chapters] == [c["number"] for c in facts["chapters"]]
    assert book.chapters[0].number == 0
    for chapter, chapter_facts in zip(book.chapters, facts["chapters"], strict=True):
        assert chapter.url == facts["url"]
        assert chapter.minutes == reading_minutes(chapter_facts["words"])
        assert [s.title for s in chapter.sections] == [s["title"] for s in chapter_facts["sections"]]
    assert await library.book("no-such-book") is None


async def test_a_text_search_gives_chapters_best_first_and_nothing_for_nonsense(library: Library) -> None:
    results = await library.search_text("what is net present value?")
    assert results[0].book_id in ("principles-finance-2e", "principles-managerial-accounting")
    assert results[0].url == SHIPPED[results[0].book_id]["url"]
    assert [r.score for r in results] == sorted((r.score for r in results), reverse=True)
    assert await library.search_text("fhqwhgads blorp") == ()


async def test_a_search_keeps_to_its_limit(library: Library) -> None:
    chapters = await library.search("cells", await vector_of("cells"), limit=7)
    assert len(chapters) == 7
    assert all(chapter.summary for chapter in chapters)
