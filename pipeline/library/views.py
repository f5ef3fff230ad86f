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
    """Where it can be read, exactly as its publisher gives it; of an own book maybe its file's name."""
    language: str
    """As BCP 47 names it; ``und`` where it is unknown."""
    subjects: tuple[str, ...]
    level: str
    own: bool
    """Whether the operator added it; else it is shipped."""
    chapters_count: int


class ShownSection(Value):
    """A section of a chapter."""

    title: str
    url: str
    """Where it can be read, with page or anchor; the chapter's address where it has none of its own."""
    minutes: int
    """Reading time."""
    words: int


class ShownChapter(Value):
    """A chapter of a book."""

    number: int
    """As the book counts; some start at 0."""
    title: str
    url: str
    """Where the chapter can be read; the book's address where it has none of its own."""
    minutes: int
    """Reading time."""
    words: int
    summary: str
    key_concepts: tuple[str, ...]
    key_concept_sections: tuple[int | None, ...]
    """For each key concept the position in `sections`, from 0, of the one that explains it, null for the
    chapter as a whole; empty where nobody said it."""
    terms: tuple[str, ...]
    """Names in the book's own glossary."""
    questions: tuple[str, ...]
    """What people ask that the chapter answers, in their own words; the search goes by them too."""
    question_sections: tuple[int | None, ...]
    """The same for each question: the section that answers it."""
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
