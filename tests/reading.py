"""Reading for authors, straight from the shipped catalogue: real chapters without a database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pipeline.library.catalogue import shipped
from pipeline.outline import Book, BookSection, Chapter


def reading(book_id: str, numbers: Iterable[int]) -> tuple[Chapter, ...]:
    """Return chapters of a book as a search would, the first the best."""
    (text,) = (book.text for book in shipped() if book.book_id == book_id)
    shelved: dict[str, Any] = json.loads(text)
    about = {name: shelved[name] for name in ("title", "authors", "licence", "url", "language", "level")}
    book = Book(book_id=book_id, subjects=tuple(shelved["subjects"]), **about)
    chapters = {chapter["number"]: chapter for chapter in shelved["chapters"]}
    return tuple(
        _chapter(book, chapters[number], score=round(0.9 - 0.05 * rank, 2))
        for rank, number in enumerate(numbers)
    )


def _chapter(book: Book, chapter: dict[str, Any], *, score: float) -> Chapter:
    return Chapter(
        book=book,
        number=chapter["number"],
        title=chapter["title"],
        summary=chapter.get("summary", ""),
        key_concepts=tuple(chapter.get("key_concepts", ())),
        words=chapter["words"],
        url=book.url,
        sections=tuple(
            BookSection(index=index, title=section["title"], words=section["words"], similarity=score)
            for index, section in enumerate(chapter["sections"])
        ),
        score=score,
    )


def valuation_reading() -> tuple[Chapter, ...]:
    """Return what there is about discounted cash flow valuation."""
    return reading("principles-finance-2e", (11, 16, 9, 17, 8, 7, 10, 5))
