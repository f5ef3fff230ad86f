"""The lines of a PDF's pages with their type sizes, and the headings that these give away.

A PDF without an outline has no structure at all, only letters at places. What is set larger than the text is
a heading; the sizes, from the largest down, are its levels.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from pipeline.library.ingest.reading import Heading

MAX_CHARACTERS_A_PAGE = 200_000
HEADING_RATIO = 1.12
"""How much larger than the text a heading is set, at least."""
MAX_HEADING_WORDS = 25
LEAST_USES = 2
"""A size that occurs once is a title page's, not a level of headings."""
PAGES_A_SECTION = 10
_HYPHEN = "\ufffe"  # what PDFium gives for a hyphen at the end of a line
_LEADERS = re.compile(r"\.{4,}|(?:\. ){4,}|…{2,}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page."""

    text: str
    size: float
    """Of its first letter, in points."""
    top: float
    bottom: float
    """Heights on the page, in points from its bottom."""

    @property
    def words(self) -> int:
        """Return how many words it has; a line of a table of contents, with its dots, has none."""
        return 0 if _LEADERS.search(self.text) else len(self.text.split())


def lines_of(text: Any) -> list[Line]:
    """Return the lines of a page's text, top to bottom as the file has them."""
    count = min(text.count_chars(), MAX_CHARACTERS_A_PAGE)
    lines: list[Line] = []
    letters: list[str] = []
    first = -1
    for at in range(count):
        code = pdfium.FPDFText_GetUnicode(text, at)
        if code in (10, 13):
            _finish(text, lines, letters, first)
            first = -1
        elif code:
            if first < 0 and code not in (32, 160):
                first = at
            letters.append(chr(code) if code not in range(0xD800, 0xE000) else "")
    _finish(text, lines, letters, first)
    return lines


def _finish(text: Any, lines: list[Line], letters: list[str], first: int) -> None:
    tidy = " ".join("".join(letters).split())
    letters.clear()
    if not tidy or first < 0:
        return
    _left, bottom, _right, top = text.get_charbox(first)
    if lines and lines[-1].text.endswith(_HYPHEN):
        before = lines.pop()
        tidy = before.text[:-1] + tidy
        lines.append(Line(tidy, before.size, before.top, bottom))
        return
    lines.append(Line(tidy.replace("\x02", ""), _size(text, first), top, bottom))


def _size(text: Any, at: int) -> float:
    """Return a letter's size on the page: the font's size times what its matrix stretches it by."""
    size = pdfium.FPDFText_GetFontSize(text, at)
    matrix = pdfium.FS_MATRIX()
    if pdfium.FPDFText_GetMatrix(text, at, ctypes.byref(matrix)):
        size *= math.hypot(matrix.c, matrix.d) or 1.0
    return float(round(size * 2) / 2)


def found_headings(pages: Sequence[Sequence[Line]]) -> tuple[Heading, ...]:
    """Return the headings that are set larger than the text; without any, ten pages at a time."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[line.size] += len(line.text)
    ordinary = sizes.most_common(1)[0][0]
    runs = _runs(pages, ordinary)
    uses = Counter(size for size, *_ in runs)
    levels = {
        size: level
        for level, size in enumerate(sorted((s for s, n in uses.items() if n >= LEAST_USES), reverse=True))
    }
    used = [run for run in runs if run[0] in levels]
    first = next((at for at, run in enumerate(used) if not levels[run[0]]), 0)  # before it: a title page
    return _assembled(pages, used[first:], levels) or _by_pages(pages)


def largest_line(page: Sequence[Line]) -> str:
    """Return what is set largest on a page: on the first one, the title."""
    if not page:
        return ""
    size = max(line.size for line in page)
    return " ".join(line.text for line in page if line.size == size)[:500]


Run = tuple[float, str, int, int, int]
"""A heading: size, title, page, its first line and the line after its last."""


def _runs(pages: Sequence[Sequence[Line]], ordinary: float) -> list[Run]:
    """Return lines set larger than the text; lines of one size below each other are one heading."""
    runs: list[Run] = []
    for number, page in enumerate(pages):
        for at, line in enumerate(page):
            if line.size < HEADING_RATIO * ordinary or not re.search(r"[^\W\d_]{2}", line.text):
                continue
            if _LEADERS.search(line.text) or len(line.text.split()) > MAX_HEADING_WORDS:
                continue
            if runs and runs[-1][0] == line.size and runs[-1][2] == number and runs[-1][4] == at:
                size, title, _, first, _ = runs[-1]
                above = page[at - 1]
                if above.bottom - line.top < line.size and not _begins(line.text):
                    runs[-1] = (size, f"{title} {line.text}", number, first, at + 1)
                    continue
            runs.append((line.size, line.text, number, at, at + 1))
    return runs


def _begins(text: str) -> bool:
    return re.match(r"(?:chapter|appendix|part)?\s*[A-Z\d]+(?:\.\d+)*[.:]\s", text, re.IGNORECASE) is not None


def _assembled(
    pages: Sequence[Sequence[Line]], runs: Sequence[Run], levels: dict[float, int]
) -> tuple[Heading, ...]:
    found = []
    for index, (size, title, number, _first, after) in enumerate(runs):
        stop = runs[index + 1] if index + 1 < len(runs) else None
        lines: list[Line] = []
        for at in range(number, (stop[2] if stop else len(pages) - 1) + 1):
            begin = after if at == number else 0
            end = stop[3] if stop and at == stop[2] else None
            lines += pages[at][begin:end]
        found.append(_heading(levels[size], title[:500], number, lines))
    return tuple(found)


def _by_pages(pages: Sequence[Sequence[Line]]) -> tuple[Heading, ...]:
    found = []
    for start in range(0, len(pages), PAGES_A_SECTION):
        part = pages[start : start + PAGES_A_SECTION]
        title = f"Pages {start + 1} to {start + len(part)}" if len(part) > 1 else f"Page {start + 1}"
        found.append(_heading(0, title, start, [line for page in part for line in page]))
    return tuple(found)


def _heading(level: int, title: str, page: int, lines: Sequence[Line]) -> Heading:
    return Heading(
        level=level,
        title=title,
        place=f"page={page + 1}",
        text=" ".join(line.text for line in lines if line.words),
        words=sum(line.words for line in lines),
    )
