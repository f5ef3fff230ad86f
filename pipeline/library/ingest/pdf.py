"""PDF → headings with text: by the file's outline (bookmarks), else by what its type sizes say.

PDFium reads it: the engine of Chromium, fast and used to hostile files. Places are pages, counted from 1 as
a viewer counts them (`page=12`, RFC 8118).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pypdfium2
from pypdfium2 import PdfiumError

from pipeline.library.ingest.errors import BrokenFile, EncryptedFile, NoText, UnsafeFile
from pipeline.library.ingest.pdf_headings import Line, found_headings, largest_line, lines_of
from pipeline.library.ingest.reading import Heading, Progress, Reading

MAX_PAGES = 20_000
MAX_OUTLINE = 20_000
MAX_DEPTH = 12
LEAST_WORDS_A_PAGE = 5
"""Fewer on average, and the pages are pictures."""
LEAST_BOOKMARKS = 2
"""A single bookmark is a cover's."""
LEAST_RUNNING = 3
RUNNING_SHARE = 0.02
"""A line at the edge of so many pages is a running head."""
NEAR_POINTS = 150
"""How far from where its bookmark points a title may stand: chapters begin with ornaments."""
XYZ_WITH_TOP, FIT_WIDTH = 1, 3
"""Views of PDF 1.7 §12.3.2.2 whose destination has a height."""


_NO_TITLE = re.compile(r"microsoft \w+ - |untitled|.*\.(?:docx?|indd|tex|dvi|odt|pdf|qxd)$", re.IGNORECASE)
"""What programs write where nobody gave a title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """An entry of the outline."""

    level: int
    title: str
    page: int
    top: float | None
    """Height on the page, in points from its bottom; None: its top."""


def read_pdf(file: BinaryIO, progress: Progress) -> Reading:
    """Read a PDF.

    Raises:
        BookError: it cannot be read, or there is no text in it.
    """
    document = _opened(file)
    try:
        outline = _outline(document)
        facts = document.get_metadata_dict(skip_empty=True)
        whole = _pages(document, progress)
        pages = _without_running_heads(whole)
        headings = _by_outline(outline, pages) if len(outline) >= LEAST_BOOKMARKS else found_headings(pages)
    except PdfiumError as error:
        raise BrokenFile("The PDF is damaged: not all of its pages can be read.") from error
    finally:
        document.close()
    author, title = (facts.get(name, "").strip() for name in ("Author", "Title"))
    return Reading(
        title=title if title and not _NO_TITLE.match(title) else largest_line(whole[0]),
        authors=tuple(name.strip() for name in author.split(";") if name.strip())[:100],
        headings=headings,
    )


def _opened(file: BinaryIO) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(file)
        count = len(document)
    except PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedFile("The PDF is encrypted: it needs a password.") from error
        if "security" in str(error).lower():
            raise EncryptedFile("The PDF is encrypted in a way that cannot be opened.") from error
        raise BrokenFile("The PDF is damaged or incomplete.") from error
    if not count:
        raise BrokenFile("The PDF has no pages.")
    if count > MAX_PAGES:
        raise UnsafeFile(f"The PDF has more than {MAX_PAGES:,} pages.")
    return document


def _outline(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    found: list[Bookmark] = []
    for mark in document.get_toc(max_depth=MAX_DEPTH):
        if len(found) >= MAX_OUTLINE:
            raise UnsafeFile("The PDF's outline has no end.")
        target = mark.get_dest()
        page = target.get_index() if target else None
        title = " ".join(mark.get_title().replace("\x00", "").split())
        if target is None or page is None or page < 0 or not title:
            continue
        view, numbers = target.get_view()
        top = None
        if view == XYZ_WITH_TOP and len(numbers) > 1 and numbers[1]:
            top = numbers[1]
        elif view == FIT_WIDTH and numbers:
            top = numbers[0]
        found.append(Bookmark(level=mark.level, title=title[:500], page=page, top=top))
    return found


def _pages(document: pypdfium2.PdfDocument, progress: Progress) -> list[list[Line]]:
    """Return the lines of each page."""
    pages: list[list[Line]] = []
    for index in range(len(document)):
        progress(index, len(document))
        page = document[index]
        text = page.get_textpage()
        pages.append(lines_of(text))
        text.close()
        page.close()
    if sum(line.words for page in pages for line in page) < LEAST_WORDS_A_PAGE * len(pages):
        raise NoText(
            "The PDF has no text, only pictures of pages: run it through text recognition (OCR) first."
        )
    return pages


def _without_running_heads(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Return the pages without the lines at their edges that many pages share, page numbers among them."""

    def key(line: Line) -> str:
        return re.sub(r"[\dIVXLCivxlc]+", "#", line.text)

    edges: Counter[str] = Counter()
    for page in pages:
        edges.update({key(line) for line in (*page[:2], *page[-2:])})
    often = max(LEAST_RUNNING, RUNNING_SHARE * len(pages))
    running = {text for text, count in edges.items() if count >= often}
    kept = []
    for page in pages:
        last = len(page) - 2
        kept.append([ln for at, ln in enumerate(page) if key(ln) not in running or 2 <= at < last])
    return kept


def _by_outline(outline: Sequence[Bookmark], pages: Sequence[Sequence[Line]]) -> tuple[Heading, ...]:
    marks = [mark for mark in outline if mark.page < len(pages)]
    starts = [_start(mark, pages[mark.page]) for mark in marks]
    order = sorted(range(len(marks)), key=lambda i: starts[i])
    ends = [starts[i] for i in order[1:]] + [(len(pages), 0)]
    return tuple(
        _heading(marks[i], _between(pages, starts[i], end)) for i, end in zip(order, ends, strict=True)
    )


def _start(mark: Bookmark, page: Sequence[Line]) -> tuple[int, int]:
    """Return page and line at which a bookmark's text begins: below its height, or at its own title."""
    wanted = _letters(mark.title)
    for at, line in enumerate(page):
        near = mark.top is None or abs(line.top - mark.top) < NEAR_POINTS
        if near and wanted and _letters(line.text).endswith(wanted):
            return mark.page, at
    if mark.top is None:
        return mark.page, 0
    return mark.page, next((at for at, line in enumerate(page) if line.bottom < mark.top), len(page))


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def _between(pages: Sequence[Sequence[Line]], start: tuple[int, int], end: tuple[int, int]) -> list[Line]:
    if end <= start:
        return []
    lines: list[Line] = []
    for number in range(start[0], min(end[0] + 1, len(pages))):
        first = start[1] if number == start[0] else 0
        last = end[1] if number == end[0] else None
        lines += pages[number][first:last]
    return lines


def _heading(mark: Bookmark, lines: Sequence[Line]) -> Heading:
    body = [ln for ln in lines if not _letters(ln.text).endswith(_letters(mark.title)) or ln is not lines[0]]
    return Heading(
        level=mark.level,
        title=mark.title,
        place=f"page={mark.page + 1}",
        text=" ".join(line.text for line in body),
        words=sum(line.words for line in body),
    )
