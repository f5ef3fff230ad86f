"""One file → one book: kind, parser, chapters, what they are about. Runs in the child process."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import BinaryIO

from pipeline.authors.words import vocabulary
from pipeline.library.ingest.apparatus import is_apparatus
from pipeline.library.ingest.book_json import read_json
from pipeline.library.ingest.concepts import concepts_of
from pipeline.library.ingest.kinds import kind_of
from pipeline.library.ingest.reading import (
    UNKNOWN_LANGUAGE,
    UNKNOWN_LICENCE,
    Extract,
    Kind,
    Progress,
    ReadBook,
    ReadChapter,
    Reading,
    ReadSection,
)
from pipeline.library.ingest.structure import Node, Outline, outline_of
from pipeline.library.ingest.summaries import summary_of

OPENING_CHARACTERS = 6_000
"""Of each chapter, for a model's summary."""
_ENGLISH = vocabulary("the of and to in a is that for it as are with be on by this")
ENGLISH_SHARE = 0.18
_SHORT_NAME = re.compile(r"[a-z0-9._-]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def extract(file: BinaryIO, name: str, progress: Progress) -> Extract:
    """Return the book in a file.

    Args:
        file: its bytes.
        name: its name, for plain text and where it has no title.
        progress: told how many pages or documents are read.

    Raises:
        BookError: there is none, or it cannot be read.
    """
    kind = kind_of(file, name)
    if kind is Kind.JSON:
        return Extract(kind=kind, book=read_json(file))
    reading = _read(kind, file, name, progress)
    outline = outline_of(reading)
    language = _language(reading)
    concepts = concepts_of(outline.chapters, language)
    book = ReadBook(
        title=_title(reading, outline, name),
        authors=tuple(map(_clean, reading.authors)),
        licence=_clean(reading.licence)[:500] or UNKNOWN_LICENCE,
        language=language,
        subjects=tuple(map(_clean, reading.subjects)),
        chapters=_chapters(outline, concepts),
    )
    openings = tuple(_clean(chapter.all_text[:OPENING_CHARACTERS]) for chapter in outline.chapters)
    return Extract(kind=kind, book=book, openings=openings)


def _read(kind: Kind, file: BinaryIO, name: str, progress: Progress) -> Reading:
    # Each parser is imported where it is needed: a Markdown file should not wait for PDFium.
    if kind is Kind.EPUB:
        from pipeline.library.ingest.epub import read_epub

        return read_epub(file, progress)
    if kind is Kind.PDF:
        from pipeline.library.ingest.pdf import read_pdf

        return read_pdf(file, progress)
    from pipeline.library.ingest.markdown import read_markdown

    return read_markdown(file, name)


def _title(reading: Reading, outline: Outline, name: str) -> str:
    """Return the book's title; that of its title page where the file only has a short name of it."""
    said = _clean(reading.title or outline.title)
    first = _clean(reading.headings[0].title) if reading.headings and reading.headings[0].apparatus else ""
    if _SHORT_NAME.fullmatch(said) and " " in first and not is_apparatus(first):
        said = first
    return (said or PurePath(name).stem or "Untitled")[:500]


def _chapters(outline: Outline, concepts: list[tuple[str, ...]]) -> tuple[ReadChapter, ...]:
    return tuple(
        ReadChapter(
            number=number,
            title=_clean(node.title)[:500] or f"Chapter {number}",
            words=node.all_words,
            url=_clean(node.place)[:500],
            summary=_clean(summary_of(node, found))[:4_000],
            key_concepts=tuple(_clean(concept)[:200] for concept in found),
            sections=tuple(_section(child) for child in node.below),
        )
        for number, node, found in zip(outline.numbers, outline.chapters, concepts, strict=True)
    )


def _section(node: Node) -> ReadSection:
    title = _clean(node.title)[:500] or "Untitled"
    return ReadSection(title=title, words=node.all_words, url=_clean(node.place)[:500])


def _language(reading: Reading) -> str:
    """Return what the file says; else English where its most common words are, else unknown."""
    said = _LANGUAGE.match(reading.language.strip().replace("_", "-"))
    if said and said[0].lower() != UNKNOWN_LANGUAGE:
        return said[0][:35]
    words = Counter(
        word for heading in reading.headings[:200] for word in heading.text.lower().split()[:2_000]
    )
    share = sum(words[word] for word in _ENGLISH) / max(1, words.total())
    return "en" if share >= ENGLISH_SHARE else UNKNOWN_LANGUAGE


def _clean(text: str) -> str:
    """Return text that a database and a terminal can take: no control characters, no lone surrogates."""
    printable = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return " ".join(printable.encode("utf-8", "ignore").decode().split())
