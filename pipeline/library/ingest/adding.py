"""A file becomes a book of the library, and an own book leaves it.

The steps, each of which is kept, so that a crash costs at most the one that was under way and the same file
added again goes on from there:

1. The file's hash: what was made of it before is there already.
2. Read, in a process of its own; the book is kept aside (``ingests``).
3. Embedded, some texts at a time; the vectors are kept aside too (``ingest_vectors``).
4. Published: book, chapters, sections and vectors go into the library in one transaction, and what was kept
   aside is gone. A search finds the whole book or nothing of it.

A file that cannot be read ends at step 2, with nothing stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Protocol, cast

from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.library import Embedder
from pipeline.library.catalogue import chapter_text, ensure_index, locked, section_text
from pipeline.library.ingest.errors import EmptyFile, NoSuchBook, ShippedBook
from pipeline.library.ingest.isolation import read_apart
from pipeline.library.ingest.naming import Facts, book_id, completed
from pipeline.library.ingest.reading import Extract, Kind, ReadBook
from pipeline.library.search import Library

logger = logging.getLogger(__name__)

BATCH = 128
"""Texts embedded and kept at once."""
Stage = Literal["reading", "summarising", "embedding", "publishing"]
OnStage = Callable[[Stage, int, int], None]
"""Told what is being done, how much of it is done, and of how much (0: unknown)."""


class Summariser(Protocol):
    """Writes what a book does not say itself: better summaries, and what people ask."""

    async def summarised(self, extract: Extract, progress: Callable[[int, int], None]) -> ReadBook:
        """Return the book with what is written per chapter; as it is where that failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that somebody adds."""

    file: BinaryIO
    """Open, with a descriptor of its own: a child process reads it."""
    name: str
    """As its owner calls it, without folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What came of it."""

    book_id: str
    created: bool
    """False: the book was there already."""


class OwnBooks:
    """Adds and removes an operator's books.

    Args:
        pool: where the library is.
        embedder: what vectors are made with.
        summariser: a model that writes summaries; None: they are taken from the text.
    """

    def __init__(self, pool: Pool, embedder: Embedder, summariser: Summariser | None = None) -> None:
        self._pool = pool
        self._embedder = embedder
        self._summariser = summariser
        self._sql = queries("own_books")
        self._library_sql = queries("library")

    async def add(self, upload: Upload, facts: Facts, *, caller: str, on_stage: OnStage) -> Added:
        """Add a book, or go on with adding it; the same file again is the same book.

        Raises:
            BookError: the file is none that can be read; nothing of it is kept.
            EmbedderUnavailable: read, but not embedded yet; adding it again goes on from there.
        """
        digest = await asyncio.to_thread(_hash, upload.file)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            await self._sql.forget_ingests(conn)
            if (there := await self._sql.own_book_of(conn, hash=digest)) is not None:
                return Added(book_id=there, created=False)
            kept = await self._sql.ingest(conn, hash=digest)
        if kept is not None:
            book = ReadBook.model_validate_json(kept["book"])
        else:
            book = await self._read(upload, facts, digest, on_stage)
            if (there := await self._same(book)) is not None:
                return Added(book_id=there, created=False)
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
                await self._sql.begin_ingest(conn, hash=digest, caller=caller, book=book.model_dump_json())
        await self._embed(digest, book, on_stage)
        return await self._publish(digest, book, caller, on_stage)

    async def _read(self, upload: Upload, facts: Facts, digest: str, on_stage: OnStage) -> ReadBook:
        on_stage("reading", 0, 0)
        extract = await read_apart(
            upload.file, upload.name, lambda done, whole: on_stage("reading", done, whole)
        )
        book = extract.book
        if self._summariser is not None and extract.kind is not Kind.JSON:
            book = await self._summariser.summarised(
                extract, lambda done, whole: on_stage("summarising", done, whole)
            )
        return completed(book, extract.kind, upload.name, facts, digest)

    async def _same(self, book: ReadBook) -> str | None:
        """Return the id of the book that this one was exported from, if it is there unchanged."""
        stored = await Library(self._pool, self._embedder).book(book.book_id)
        if stored is None:
            return None
        known = ReadBook.model_validate(stored.model_dump()).canonical()
        return stored.book_id if known == book.canonical() else None

    async def _embed(self, digest: str, book: ReadBook, on_stage: OnStage) -> None:
        texts = _texts(book)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(
                self._sql.embedded_positions(conn, hash=digest, model=self._embedder.model)
            )
        done = {row["position"] for row in rows}
        missing = [position for position in range(len(texts)) if position not in done]
        on_stage("embedding", len(done), len(texts))
        for start in range(0, len(missing), BATCH):
            positions = missing[start : start + BATCH]
            vectors = await self._embedder.embed([texts[position] for position in positions])
            numbers = [number for vector in vectors for number in vector]
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
                await self._sql.store_ingest_vectors(
                    conn,
                    hash=digest,
                    model=self._embedder.model,
                    positions=positions,
                    numbers=numbers,
                    dimensions=len(vectors[0]),
                )
            on_stage("embedding", len(done) + start + len(positions), len(texts))

    async def _publish(self, digest: str, book: ReadBook, caller: str, on_stage: OnStage) -> Added:
        on_stage("publishing", 0, 0)
        async with locked(self._pool) as conn:
            async with conn.transaction():
                # Somebody else may have published the same file while we waited for the lock.
                if (there := await self._sql.own_book_of(conn, hash=digest)) is not None:
                    return Added(book_id=there, created=False)
                if not await self._sql.id_is_free(conn, book_id=book.book_id):
                    book = book.model_copy(update={"book_id": book_id(book.title, digest)})
                await self._insert(conn, digest, book, caller)
            await ensure_index(conn, self._embedder.model)
        logger.info("own book added", extra={"book": book.book_id, "chapters": len(book.chapters)})
        return Added(book_id=book.book_id, created=True)

    async def _insert(self, conn: Any, digest: str, book: ReadBook, caller: str) -> None:
        stored = json.dumps({"id": book.book_id, **book.model_dump(mode="json", exclude={"book_id"})})
        await self._library_sql.store_book(conn, book=stored, origin="own", hash=digest)
        key = {"book_id": book.book_id}
        await self._sql.sign_book(conn, caller=caller, **key)
        await self._sql.publish_chapter_vectors(conn, hash=digest, **key)
        await self._sql.publish_section_vectors(conn, hash=digest, **key)
        await self._sql.publish_question_vectors(conn, hash=digest, **key)
        await self._sql.add_lexemes(conn, **key)
        await self._sql.unload_others(conn, model=self._embedder.model)
        await self._sql.finish_ingest(conn, hash=digest)

    async def remove(self, book_id: str) -> None:
        """Remove an own book. Courses that cite it stay as they are.

        Raises:
            NoSuchBook: there is none.
            ShippedBook: it belongs to the catalogue.
        """
        async with locked(self._pool) as conn, conn.transaction():
            origin = await self._sql.origin_of(conn, book_id=book_id)
            if origin is None:
                raise NoSuchBook(f"There is no book {book_id[:80]!r}.")
            if origin != "own":
                raise ShippedBook(
                    "This book is shipped with Coursecast: it can be exported, but not removed."
                )
            await self._sql.take_lexemes(conn, book_id=book_id)
            await self._sql.drop_lexemes(conn)
            await self._sql.remove_own_book(conn, book_id=book_id)
        logger.info("own book removed", extra={"book": book_id})


def _hash(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    if not file.tell():
        raise EmptyFile("The file is empty.")
    return digest


def _texts(book: ReadBook) -> list[str]:
    """Return what is embedded of a book: its chapters, then their sections, then their questions."""
    chapters = [
        chapter_text(
            {
                "book_title": book.title,
                "title": chapter.title,
                "summary": chapter.summary,
                "key_concepts": chapter.key_concepts,
                "section_titles": [section.title for section in chapter.sections],
            }
        )
        for chapter in book.chapters
    ]
    sections = [
        section_text({"title": section.title, "chapter_title": chapter.title})
        for chapter in book.chapters
        for section in chapter.sections
    ]
    questions = [question for chapter in book.chapters for question in chapter.questions]
    return chapters + sections + questions
