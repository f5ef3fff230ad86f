"""Finding the right chapters: the library as the pipeline and the HTTP routes use it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import asyncpg

from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.errors import LibraryUnavailable
from pipeline.library import Embedder, relevance
from pipeline.library.filters import ALL_BOOKS, Filters
from pipeline.library.languages import foreign_language
from pipeline.library.relevance import Evidence, Hit
from pipeline.library.views import ListedBook, SearchResult, ShownBook, ShownChapter, ShownSection
from pipeline.library.wording import topic_words
from pipeline.outline import Book, BookSection, Brief, Chapter, FoundBook, reading_minutes

CANDIDATES = 100
"""Chapters that each ranking, by meaning and by words, puts forward to be scored."""
MOST_ROWS = 5_000
"""Chapters looked at for the words of a question, all words together: its rarest words come first."""
MOST_WORDS = 64
"""Words of a question that full text looks for: its first."""
SHOWN_SCORE = 0.15
"""The least score of what a text search shows."""
SHOWN_RESULTS = 20


class Library:
    """Books, chapters and sections in Postgres, searched by meaning and by words.

    Every method may raise what an absent database raises (``database.UNAVAILABLE``).
    """

    def __init__(self, pool: Pool, embedder: Embedder) -> None:
        self._pool = pool
        self._embedder = embedder
        self._sql = queries("library")

    # --- for a course ------------------------------------------------------------------------------------

    async def relevant(self, brief: Brief, vector: Sequence[float]) -> tuple[FoundBook, ...]:
        """Return the books and chapters about the brief, best first, as many as its hours can use.

        Raises:
            NoRelevantBooks: the library is not about the query; the message names the nearest books.
            LibraryUnavailable: the library is not embedded with this embedder yet.
        """
        hits = await self.hits(brief.query, vector)
        return relevance.choose(brief.query, hits, brief.budget_minutes, foreign=self._foreign(brief.query))

    async def reading(self, found: Sequence[FoundBook], vector: Sequence[float]) -> tuple[Chapter, ...]:
        """Return the chapters of `found`, best first, with sections and how close these are to `vector`.

        A chapter that has left the library since is left out.
        """
        scores = {(b.book_id, c.chapter_number): c.score for b in found for c in b.chapters}
        chapters = await self._chapters(list(scores), vector)
        placed = [c.model_copy(update={"score": scores[c.book.book_id, c.number]}) for c in chapters]
        return tuple(sorted(placed, key=lambda c: (-c.score, c.book.book_id, c.number)))

    async def search(
        self, text: str, vector: Sequence[float], *, limit: int = 20, filters: Filters = ALL_BOOKS
    ) -> tuple[Chapter, ...]:
        """Return the `limit` chapters nearest to a question, best first, whatever their score.

        Args:
            text: the question; its words are looked for.
            vector: the question's unit vector, of this library's embedder.
            limit: chapters returned, at most 100.
            filters: the books to keep to.

        Raises:
            LibraryUnavailable: the library is not embedded with this embedder yet.
        """
        hits = (await self.hits(text, vector, filters))[:limit]
        scores = {(hit.book_id, hit.number): hit.score for hit in hits}
        chapters = {(c.book.book_id, c.number): c for c in await self._chapters(list(scores), vector)}
        return tuple(
            chapters[key].model_copy(update={"score": scores[key]}) for key in scores if key in chapters
        )

    async def hits(self, text: str, vector: Sequence[float], filters: Filters = ALL_BOOKS) -> list[Hit]:
        """Return what :meth:`search` goes by: some 150 candidates, best first, with the evidence of each."""
        words = topic_words(text)
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            try:
                rows = await fetch_all(
                    self._sql.search(
                        conn,
                        model=self._embedder.model,
                        vector=vector,
                        words=words,
                        most=CANDIDATES,
                        most_words=MOST_WORDS,
                        most_rows=MOST_ROWS,
                        **filters.model_dump(),
                        enough_weight=relevance.ENOUGH_WEIGHT,
                    )
                )
            except asyncpg.DataError as error:  # vectors of two lengths cannot be compared
                raise LibraryUnavailable(
                    f"The library was embedded with another {self._embedder.model} than the one that answers "
                    f"now, which gives {len(vector)} dimensions; whoever runs this server has to look at it."
                ) from error
            few = len(rows) < CANDIDATES  # so few are all there are, or all that is embedded yet
            if few and not await self._sql.has_load(conn, model=self._embedder.model):
                raise LibraryUnavailable(await self._not_embedded(conn))
        length = relevance.length(words)
        hits = [_hit(row, length) for row in rows]
        return sorted(hits, key=_best_first)

    async def _not_embedded(self, conn: Any) -> str:
        others = [row["model"] for row in await fetch_all(self._sql.embedded_with(conn))]
        if not others:
            return "The library is not loaded yet."
        return (
            f"The library is embedded with {others[0]}, not with {self._embedder.model}: "
            "whoever runs this server has to run “coursecast books embed”."
        )

    async def _chapters(self, keys: Sequence[tuple[str, int]], vector: Sequence[float]) -> list[Chapter]:
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(
                self._sql.chapters(conn, book_ids=[b for b, _ in keys], numbers=[n for _, n in keys])
            )
            sections = await fetch_all(
                self._sql.sections(
                    conn,
                    model=self._embedder.model,
                    vector=vector,
                    chapter_ids=[row["chapter_id"] for row in rows],
                )
            )
        by_chapter: dict[int, list[BookSection]] = defaultdict(list)
        for row in sections:
            by_chapter[row["chapter_id"]].append(_section(row))
        return [_chapter(row, by_chapter[row["chapter_id"]]) for row in rows]

    # --- for the HTTP routes -----------------------------------------------------------------------------

    async def books(self) -> tuple[ListedBook, ...]:
        """Return all books, by title."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            rows = await fetch_all(self._sql.books(conn))
        return tuple(ListedBook(**row) for row in rows)

    async def book(self, book_id: str) -> ShownBook | None:
        """Return one book with its chapters, or None."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            row = await self._sql.book(conn, book_id=book_id)
            if row is None:
                return None
            chapters = await fetch_all(self._sql.chapters_of(conn, book_id=book_id))
        return ShownBook(**row, chapters_count=len(chapters), chapters=tuple(map(_shown_chapter, chapters)))

    async def search_text(self, question: str, filters: Filters = ALL_BOOKS) -> tuple[SearchResult, ...]:
        """Return the chapters about a question, best first; none where nothing is about it.

        Args:
            question: in plain words.
            filters: the books to keep to.

        Raises:
            EmbedderUnavailable: the question could not be turned into a vector.
            LibraryUnavailable: the library is not embedded with this embedder yet.
        """
        (vector,) = await self._embedder.embed([question])
        chapters = await self.search(question, vector, limit=SHOWN_RESULTS, filters=filters)
        return tuple(
            SearchResult(
                book_id=chapter.book.book_id,
                book_title=chapter.book.title,
                chapter_number=chapter.number,
                chapter_title=chapter.title,
                score=chapter.score,
                url=chapter.url,
            )
            for chapter in chapters
            if chapter.score >= SHOWN_SCORE
        )

    def language_note(self, question: str) -> str | None:
        """Return a sentence for who asked in a language that the search does not know, else None."""
        foreign = self._foreign(question)
        return relevance.not_understood(foreign) if foreign else None

    def _foreign(self, question: str) -> str | None:
        return foreign_language(question) if self._embedder.english_only else None


def _best_first(hit: Hit) -> tuple[float, float, str, int]:
    """Return what hits are ordered by; of chapters that define what is asked the nearer comes first."""
    return -relevance.log_odds(hit.evidence), -hit.evidence.cosine, hit.book_id, hit.number


def _hit(row: Any, length: float) -> Hit:
    section_cosine = row["cosine"] if row["section_cosine"] is None else row["section_cosine"]
    evidence = Evidence(
        cosine=row["cosine"],
        section_cosine=section_cosine,
        question_cosine=max(section_cosine, row["question_cosine"] or -1.0),  # not all have questions
        coverage=min(1.0, row["coverage"] or 0.0),  # a question may have no words
        unknown=row["unknown"] or 0.0,
        length=length,
        defined=row["defined"],
    )
    return Hit(
        book_id=row["book_id"],
        book_title=row["book_title"],
        number=row["number"],
        title=row["title"],
        words=row["words"],
        evidence=evidence,
        score=round(relevance.score(evidence), 4),
    )


def _chapter(row: Any, sections: Sequence[BookSection]) -> Chapter:
    book = Book(
        book_id=row["book_id"],
        title=row["book_title"],
        authors=tuple(row["authors"]),
        licence=row["licence"],
        url=row["book_url"],
        language=row["language"],
        subjects=tuple(row["subjects"]),
        level=row["level"],
    )
    return Chapter(
        book=book,
        number=row["number"],
        title=row["title"],
        summary=row["summary"],
        key_concepts=tuple(row["key_concepts"]),
        key_concept_sections=tuple(row["key_concept_sections"]),
        questions=tuple(row["questions"]),
        question_sections=tuple(row["question_sections"]),
        words=row["words"],
        url=row["url"],
        sections=tuple(sections),
    )


def _section(row: Any) -> BookSection:
    return BookSection(
        index=row["index"],
        title=row["title"],
        words=row["words"],
        similarity=round(row["similarity"], 4),
        answers=None if row["answers"] is None else round(row["answers"], 4),
        url=row["url"],
    )


def _shown_chapter(row: Any) -> ShownChapter:
    sections = zip(row["section_titles"], row["section_urls"], row["section_words"], strict=True)
    return ShownChapter(
        number=row["number"],
        title=row["title"],
        url=row["url"],
        minutes=reading_minutes(row["words"]),
        words=row["words"],
        summary=row["summary"],
        key_concepts=tuple(row["key_concepts"]),
        key_concept_sections=tuple(row["key_concept_sections"]),
        terms=tuple(row["terms"]),
        questions=tuple(row["questions"]),
        question_sections=tuple(row["question_sections"]),
        sections=tuple(
            ShownSection(title=title, url=url, minutes=reading_minutes(words), words=words)
            for title, url, words in sections
        ),
    )
