"""What a parser makes of a file, and what becomes of it: headings with text, then a book with chapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AliasChoices, ConfigDict, Field, StringConstraints, model_validator

from pipeline.outline import Value

Progress = Callable[[int, int], None]
"""Told how many pages or documents are read, of how many."""

UNKNOWN_LICENCE = "unknown"
UNKNOWN_LANGUAGE = "und"
"""As BCP 47 says it."""


class Kind(StrEnum):
    """What a file is."""

    EPUB = "epub"
    PDF = "pdf"
    MARKDOWN = "markdown"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading of a file and the text from it to the next one."""

    level: int
    """Depth, from 0; only the order of depths counts, there may be gaps."""
    title: str
    place: str = ""
    """Where in the file it is: ``page=12``, ``ch02.xhtml#scope``, ``scope``."""
    text: str = ""
    """Its prose, a paragraph a line, without code."""
    words: int = 0
    """Of all its text, code included."""
    apparatus: bool = False
    """The file itself says that this is no text of the book: its cover, its table of contents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file as its parser read it."""

    title: str
    headings: tuple[Heading, ...]
    authors: tuple[str, ...] = ()
    language: str = ""
    licence: str = ""
    subjects: tuple[str, ...] = ()


# --- the book that comes of it ------------------------------------------------------------------------------


class Lenient(Value):
    """A value that ignores members it does not know: a newer version may have written more."""

    model_config = ConfigDict(extra="ignore")


Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class ReadSection(Lenient):
    """A section of a chapter."""

    title: str = Field(min_length=1, max_length=500)
    words: int = Field(default=0, ge=0, le=10_000_000)
    url: str = Field(default="", max_length=2_000)
    """Where it can be read; while the book is being read, its place in the file."""


class ReadChapter(Lenient):
    """A chapter."""

    number: int = Field(ge=-1_000_000, le=1_000_000)
    title: str = Field(min_length=1, max_length=500)
    words: int = Field(default=0, ge=0, le=100_000_000)
    url: str = Field(default="", max_length=2_000)
    summary: str = Field(default="", max_length=4_000)
    key_concepts: tuple[str, ...] = Field(default=(), max_length=50)
    key_concept_sections: tuple[int | None, ...] = Field(default=(), max_length=50)
    """For each key concept the position of the section that explains it, None for the chapter as a whole;
    empty: nobody said it."""
    terms: tuple[str, ...] = Field(default=(), max_length=2_000)
    questions: tuple[Question, ...] = Field(default=(), max_length=50)
    """What people ask that the chapter answers, in their own words."""
    question_sections: tuple[int | None, ...] = Field(default=(), max_length=50)
    """The same for each question: the section that answers it."""
    sections: tuple[ReadSection, ...] = Field(default=(), max_length=2_000)

    @model_validator(mode="after")
    def _placed(self) -> Self:
        for name, placed in (("key_concept", self.key_concepts), ("question", self.questions)):
            places: tuple[int | None, ...] = getattr(self, f"{name}_sections")
            if places and len(places) != len(placed):
                counted = f"{len(places)} positions for {len(placed)} {name}s"
                raise ValueError(f"{name}_sections has {counted}: there is one for each, or none at all")
            if any(place is not None and not 0 <= place < len(self.sections) for place in places):
                raise ValueError(f"{name}_sections names a section that the chapter does not have")
        return self


class ReadBook(Lenient):
    """A book as it is stored; ``coursecast books export`` prints this."""

    book_id: str = Field(
        default="", max_length=200, validation_alias=AliasChoices("book_id", "id"), pattern=r"^[\w.\-]*$"
    )
    title: str = Field(min_length=1, max_length=500)
    authors: tuple[str, ...] = Field(default=(), max_length=100)
    licence: str = Field(default=UNKNOWN_LICENCE, max_length=500)
    url: str = Field(default="", max_length=2_000)
    language: str = Field(default=UNKNOWN_LANGUAGE, max_length=35)
    subjects: tuple[str, ...] = Field(default=(), max_length=100)
    level: str = Field(default="", max_length=50)
    chapters: tuple[ReadChapter, ...] = Field(min_length=1, max_length=5_000)

    def canonical(self) -> ReadBook:
        """Return the book so that two are equal if they are the same; addresses told twice are told once."""
        chapters = []
        for chapter in self.chapters:
            url = "" if chapter.url == self.url else chapter.url
            own = (url or self.url, "")
            sections = tuple(
                section.model_copy(update={"url": ""}) if section.url in own else section
                for section in chapter.sections
            )
            chapters.append(chapter.model_copy(update={"url": url, "sections": sections}))
        return self.model_copy(update={"chapters": tuple(chapters)})


class Extract(Value):
    """What the child process hands back: the book, and the beginning of each chapter's text."""

    kind: Kind
    book: ReadBook
    openings: tuple[str, ...] = ()
    """One per chapter, for a model that writes its summary; empty for our JSON, which has them."""
