"""The library as the HTTP routes show it. The fields are the wire's fields."""

from __future__ import annotations

from pipeline.outline import Value


class ListedBook(Value):
    """A book in the list of books."""

    book_id: str
    title: str
    authors: tuple[str, ...]
    licence: str
    url: str
    """Where the book can be read, exactly as its publisher gives it."""
    subjects: tuple[str, ...]
    level: str
    chapters_count: int


class ShownSection(Value):
    """A section of a chapter."""

    title: str
    minutes: int
    """Reading time."""


class ShownChapter(Value):
    """A chapter of a book."""

    number: int
    """As the book counts; some start at 0."""
    title: str
    url: str
    """Where the chapter can be read; the book's address where it has none of its own."""
    minutes: int
    """Reading time."""
    summary: str
    key_concepts: tuple[str, ...]
    sections: tuple[ShownSection, ...]


class ShownBook(ListedBook):
    """One book with its chapters, in the book's order."""

    chapters: tuple[ShownChapter, ...]


class SearchResult(Value):
    """A chapter that a search found."""

    book_id: str
    book_title: str
    chapter_number: int
    chapter_title: str
    score: float
    """Relevance, 0 to 1."""
    url: str
