"""What a book is called and where it can be read: its id, its addresses, what the operator says of it."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipeline.library.ingest.reading import UNKNOWN_LICENCE, Kind, ReadBook, ReadChapter, ReadSection
from pipeline.outline import Value

SLUG_CHARACTERS = 60
HASH_CHARACTERS = 8
RESERVED_IDS = frozenset({"search"})
"""Words that a route has where a book's id would be."""


class Facts(Value):
    """What the operator knows better than the file. None: as the file says."""

    url: str | None = Field(None, max_length=2_000)
    """Where the book can be read."""
    title: str | None = Field(None, min_length=1, max_length=500)
    licence: str | None = Field(None, min_length=1, max_length=500)
    language: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=35)
    level: Literal["introductory", "intermediate", "advanced"] | None = None
    subjects: tuple[str, ...] = Field((), max_length=20)

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and (
            urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc
        ):
            raise ValueError("must be an http or https address")
        return value


def completed(book: ReadBook, kind: Kind, name: str, facts: Facts, digest: str) -> ReadBook:
    """Return the book as it is stored: with an id, its addresses, and what the operator says.

    A file's own places become addresses below the file's name (`guide.pdf#page=12`,
    `guide.epub/ch02.xhtml#scope`). Below an address of the operator's only pages do (RFC 8118), and only
    where it is the PDF's own: an anchor of an EPUB would be a link that nobody can check.
    """
    said = facts.model_dump(exclude_none=True, exclude_defaults=True)
    book = book.model_copy(update=said)
    if kind is not Kind.JSON:
        base = facts.url or name
        places = _Places(base, kind, is_file=facts.url is None)
        book = book.model_copy(
            update={"url": base, "chapters": tuple(places.chapter(chapter) for chapter in book.chapters)}
        )
    chapters = tuple(sorted(book.chapters, key=lambda chapter: chapter.number))
    wanted = book.book_id if book.book_id not in RESERVED_IDS else ""
    return book.model_copy(
        update={
            "book_id": wanted or book_id(book.title, digest),
            "licence": book.licence or UNKNOWN_LICENCE,
            "chapters": chapters,
        }
    )


def book_id(title: str, digest: str) -> str:
    """Return an id that says what the book is and is nobody else's: ``debian-policy-manual-1a2b3c4d``."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_CHARACTERS].strip("-")
    return f"{slug or 'book'}-{digest[:HASH_CHARACTERS]}"


class _Places:
    """Makes addresses of places in a file."""

    def __init__(self, base: str, kind: Kind, *, is_file: bool) -> None:
        self._base = base
        self._mark = "/" if kind is Kind.EPUB else "#"
        self._usable = is_file or (kind is Kind.PDF and urlsplit(base).path.lower().endswith(".pdf"))

    def chapter(self, chapter: ReadChapter) -> ReadChapter:
        """Return a chapter with its address and those of its sections."""
        sections = tuple(self._section(section) for section in chapter.sections)
        return chapter.model_copy(update={"url": self._address(chapter.url), "sections": sections})

    def _section(self, section: ReadSection) -> ReadSection:
        return section.model_copy(update={"url": self._address(section.url)})

    def _address(self, place: str) -> str:
        if not place or not self._usable:
            return ""
        return f"{self._base}{self._mark}{place}" if "#" not in self._base else ""
