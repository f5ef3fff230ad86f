"""The shipped catalogue and how it gets into Postgres.

Every worker calls :func:`load_catalogue` when it starts. Books whose content differs from what is stored
are replaced, books that are no longer shipped are removed, an operator's own books are left alone; then
every chapter and section that has no vector of this model gets one. All of it under one advisory lock, and
each step is safe to repeat: a load that was cut short is finished by the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

import asyncpg

from pipeline.database import ACQUIRE_TIMEOUT_S, STEP_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.library import Embedder

logger = logging.getLogger(__name__)

BATCH = 1_000
"""Texts embedded and stored at once: what is lost when an embedding is cut short."""
INDEXED_FROM = 20_000
"""Chapters from which on vectors get an index: below, an exact search takes less than ten milliseconds."""
INDEX_TIMEOUT_S = 3_600.0
Progress = Callable[[int, int], None]
"""Told how many texts have their vectors, of how many."""
_LOCK = 0x636F757273650002  # beside the lock of the schema's steps
_TEXTS = 3  # version of what is embedded: part of the catalogue's, so a change embeds anew


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedBook:
    """One file of the catalogue."""

    book_id: str
    text: str
    """Its JSON."""
    hash: str


@cache
def shipped() -> tuple[ShippedBook, ...]:
    """Return the shipped books, read once (1 MB)."""
    folder = files("pipeline").joinpath("library/catalogue")
    texts = sorted((f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".json"))
    return tuple(
        ShippedBook(book_id=name.removesuffix(".json"), text=text, hash=_digest(text)) for name, text in texts
    )


@cache
def version() -> str:
    """Return the version of the shipped catalogue: a hash of all it holds and of how it is embedded."""
    return _digest(f"{_TEXTS}\n" + "\n".join(f"{book.book_id} {book.hash}" for book in shipped()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def is_loaded(pool: Pool, embedder: Embedder) -> bool:
    """Tell whether the shipped catalogue is stored, with vectors of this embedder: one look-up by key."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
        found: bool = await queries("library").is_loaded(conn, model=embedder.model, catalogue=version())
    return found


async def load_catalogue(
    pool: Pool, embedder: Embedder, progress: Progress = lambda _done, _all: None
) -> bool:
    """Bring the stored library up to the shipped catalogue and this embedder; seconds, or nothing to do.

    Args:
        pool: where the library is.
        embedder: what its vectors are made with.
        progress: told after each batch of texts.

    Returns:
        Whether there was anything to do.

    Raises:
        EmbedderUnavailable: the books are stored, but not all have their vectors yet.
    """
    if await is_loaded(pool, embedder):
        return False
    began = time.monotonic()
    async with locked(pool) as conn:
        sql = queries("library")
        if await sql.is_loaded(conn, model=embedder.model, catalogue=version()):
            return False  # somebody else loaded it while we waited for the lock
        books = await _store_books(conn)
        texts = await fill_vectors(conn, embedder, progress)
        await sql.analyze(conn)
        await sql.mark_loaded(conn, model=embedder.model, catalogue=version())
    logger.info(
        "library loaded",
        extra={
            "catalogue": version(),
            "embedder": embedder.model,
            "books_stored": books,
            "texts_embedded": texts,
            "seconds": round(time.monotonic() - began, 2),
        },
    )
    return True


@asynccontextmanager
async def locked(pool: Pool) -> AsyncIterator[Any]:
    """Hold the library's lock, and the connection that holds it, so that one process embeds and not all."""
    sql = queries("library")
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=STEP_TIMEOUT_S)
        try:
            yield conn
        finally:
            await sql.unlock_library(conn, key=_LOCK)


async def _store_books(conn: Any) -> int:
    """Replace the books that changed, remove those no longer shipped; return how many were stored."""
    sql = queries("library")
    async with conn.transaction():
        stored = {row["book_id"]: row for row in await fetch_all(sql.stored_books(conn))}
        own = {book_id for book_id, row in stored.items() if row["origin"] == "own"}
        wanted = {book.book_id: book for book in shipped() if book.book_id not in own}
        if clashes := sorted({book.book_id for book in shipped()} & own):
            logger.warning("own books keep shipped ones out", extra={"books": clashes})
        changed = [
            b for b in wanted.values() if b.book_id not in stored or stored[b.book_id]["hash"] != b.hash
        ]
        gone = stored.keys() - wanted.keys() - own
        if not changed and not gone:
            return 0
        await sql.mark_stale(conn)
        await sql.remove_books(conn, book_ids=[*gone, *(book.book_id for book in changed)])
        for book in changed:
            await sql.store_book(conn, book=book.text, origin="catalogue", hash=book.hash)
        await sql.forget_lexemes(conn)
        await sql.count_lexemes(conn)
    return len(changed)


async def fill_vectors(conn: Any, embedder: Embedder, progress: Progress = lambda _done, _all: None) -> int:
    """Embed every chapter, section and question that has no vector of `embedder`; return how many.

    The chapters' vectors get their index as soon as they are there, if that pays.

    Raises:
        EmbedderUnavailable: part of them have their vectors; a call later does the rest.
    """
    sql = queries("library")
    count = await sql.count_vectors(conn, model=embedder.model)
    new = 0
    progress(count["done"], count["texts"])
    for kind in _kinds():
        async for stored in _embed(conn, embedder, kind):
            new += stored
            progress(count["done"] + new, count["texts"])
            logger.info("embedded", extra={"embedder": embedder.model, "kind": kind.name, "texts": new})
        if kind.name == "chapters":
            await ensure_index(conn, embedder.model)
    return new


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of text that has vectors: where those without are found, and where the vectors go."""

    name: str
    missing: Callable[..., AsyncIterator[Any]]
    text: Callable[[Any], str]
    store: Callable[..., Awaitable[Any]]


def _kinds() -> tuple[_Kind, ...]:
    sql = queries("library")
    return (
        _Kind("chapters", sql.chapters_without_vector, chapter_text, sql.store_chapter_vectors),
        _Kind("sections", sql.sections_without_vector, section_text, sql.store_section_vectors),
        _Kind(
            "questions", sql.questions_without_vector, lambda row: row["question"], sql.store_question_vectors
        ),
    )


async def _embed(conn: Any, embedder: Embedder, kind: _Kind) -> AsyncIterator[int]:
    """Yield how many texts got their vectors, batch by batch."""
    after = (0, -1)
    while rows := await fetch_all(
        kind.missing(conn, model=embedder.model, after=after[0], after_index=after[1], most=BATCH)
    ):
        vectors = await embedder.embed([kind.text(row) for row in rows])
        await kind.store(
            conn,
            model=embedder.model,
            chapter_ids=[row["chapter_id"] for row in rows],
            indexes=[row["index"] for row in rows],
            **await asyncio.to_thread(_numbers, vectors),
        )
        after = (rows[-1]["chapter_id"], rows[-1]["index"])
        yield len(rows)


async def ensure_index(conn: Any, model: str, *, from_chapters: int = INDEXED_FROM) -> bool:
    """Make the index of a model's chapter vectors if there are `from_chapters` and it has none; tell if so.

    Seconds for 100,000 chapters, in which nobody can add books and all can search. Where it cannot be made
    (too little memory, most likely), searches go on without.
    """
    sql = queries("library")
    if not await sql.needs_index(conn, model=model, from_chapters=from_chapters):
        return False
    dimensions = await sql.dimensions(conn, model=model)
    try:
        await conn.execute("SELECT library_make_index($1, $2)", model, dimensions, timeout=INDEX_TIMEOUT_S)
    except asyncpg.InsufficientResourcesError as error:
        logger.warning("vectors not indexed", extra={"embedder": model, "error": str(error)})
        return False
    logger.info("vectors indexed", extra={"embedder": model, "dimensions": dimensions})
    return True


def _numbers(vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return the vectors as one array: one parameter of a megabyte instead of a thousand."""
    return {"numbers": list(chain.from_iterable(vectors)), "dimensions": len(vectors[0])}


def chapter_text(row: Any) -> str:
    """Return what a chapter's vector is made of."""
    concepts = ", ".join(row["key_concepts"])
    sections = ". ".join(row["section_titles"])
    return f"{row['book_title']}: {row['title']}. {row['summary']} {concepts}. {sections}"


def section_text(row: Any) -> str:
    """Return what a section's vector is made of: many titles say nothing without their chapter's."""
    return f"{row['title']}. {row['chapter_title']}"
