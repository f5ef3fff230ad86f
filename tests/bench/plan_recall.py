"""Heading soft recall: does a plan speak of what a book on the subject speaks of?

A book is left out of the library, a course is asked for under the book's own title, and the headings of the
plan are held against the book's table of contents, chapter by chapter. Sentence vectors are the shipped
static embedder's, where STORM used a transformer's: figures compare columns here, not with the paper's.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.authors import Author
from pipeline.authors.titles import clean
from pipeline.outline import Brief, WrittenPart
from tests.bench.plan_courses import Shelves, assignment, parts_and_sections, write
from tests.bench.plan_metrics import heading_soft_recall
from tests.bench.report import Table

HOURS = 12.0
LEFT_OUT: Mapping[str, str] = {
    "think-python": "Python programming",
    "introductory-statistics-2e": "statistics and probability",
    "principles-managerial-accounting": "managerial accounting",
    "saylor-principles-of-management": "principles of management",
    "saylor-organizational-behavior": "organizational behavior",
    "entrepreneurship": "entrepreneurship",
    "university-physics-volume-1": "university physics: mechanics, sound, oscillations and waves",
    "college-algebra-2e": "college algebra",
    "introduction-political-science": "political science",
    "american-government-4e": "American government",
}
"""Books whose subject others of the library have, too, and what is asked for without them."""


async def recall_table(shelf: Shelves, authors: Mapping[str, Author]) -> Table:
    """Return the recall of every author's headings, beside that of the chapter titles found."""
    table = Table(
        "A book's table of contents, without the book",
        f"Heading soft recall of {HOURS:g}-hour plans (titles of parts and sections) against the chapter "
        "titles of a book that was left out of the library. Beside them: as many chapter titles as the plan "
        "has headings, best first, as the search found them; and the library's plan for the next row, which "
        "is about something else: what the metric gives for nothing. Vectors are the shipped static "
        "embedder's. With these the metric is blunt: it rewards many different words, so that the scripted "
        "model's random titles do well, and only the last column shows what is a difference. Figures can "
        "exceed 1.",
        ("left out", "query", *authors, "chapters as found", "another plan", "headings"),
    )
    rows: list[_Row] = [await _row(shelf, authors, book_id, query) for book_id, query in LEFT_OUT.items()]
    columns: list[list[float]] = []
    for row, following in zip(rows, [*rows[1:], rows[0]], strict=True):
        outlines = [*row.outlines, row.found, following.outlines[0]]
        recalls = [await recall(shelf, outline, row.contents) for outline in outlines]
        columns.append(recalls)
        lengths = f"{len(row.outlines[0])} : {len(row.contents)}"
        table.add(row.title, row.query, *(f"{value:.2f}" for value in recalls), lengths)
    means = (statistics.fmean(column) for column in zip(*columns, strict=True))
    table.add("**mean**", "", *(f"**{mean:.2f}**" for mean in means), "")
    return table


@dataclass(frozen=True, slots=True)
class _Row:
    title: str
    query: str
    contents: list[str]
    outlines: list[list[str]]
    found: list[str]


async def _row(shelf: Shelves, authors: Mapping[str, Author], book_id: str, query: str) -> _Row:
    brief = Brief(query=query, hours=HOURS)
    book = await shelf.library.book(book_id)
    assert book is not None
    work = assignment(brief, await shelf.reading(brief, without=book_id))
    outlines = [headings((await write(author, work)).review.parts) for author in authors.values()]
    found = [clean(chapter.title) for chapter in work.reading][: len(outlines[0])]
    return _Row(book.title, query, [clean(chapter.title) for chapter in book.chapters], outlines, found)


def headings(parts: Sequence[WrittenPart]) -> list[str]:
    """Return the titles of parts and sections, in order."""
    return [title for part in parts for title in parts_and_sections(part)]


async def recall(shelf: Shelves, outline: Sequence[str], contents: Sequence[str]) -> float:
    """Return the heading soft recall of an outline."""
    vectors = np.array(await shelf.embedder.embed([*outline, *contents]))
    return heading_soft_recall(vectors[: len(outline)], vectors[len(outline) :])
