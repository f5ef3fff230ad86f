"""Headings with text → chapters and sections.

Tables of contents differ in what they have at the top: chapters, parts of chapters, or the book itself as a
single line; some repeat each chapter as its own first section. So the headings are made a tree, what is no
chapter is taken out of it, and its levels are set right until the top is chapters and below are sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.library.ingest.apparatus import is_apparatus, number_of, unnumbered
from pipeline.library.ingest.errors import NoChapters, NoText
from pipeline.library.ingest.reading import Heading, Reading

LEAST_WORDS = 20
"""A chapter below this only divides: “Part two”."""
LEAST_BOOK_WORDS = 30
LEAST_OPENING_WORDS = 150
"""Text below a part's or the book's own heading is a chapter from here on; less is a few words before one."""
LONG_WORDS = 20_000
"""Chapters are shorter than this on average: an hour and a half of reading."""
NUMBERED_SHARE = 0.6
"""So many of its neighbours are numbered that the number of a title is none of its words."""
MOST_CHAPTERS = 2_000
MOST_SECTIONS = 1_000
_PART = re.compile(
    r"^(?:part|book|unit|volume|section|teil|buch|partie|livre|parte|libro|unidad)\s+(?:\w+)\b|^[IVX]+\s*[.:–—-]?\s+\S",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"^[IVX]+[.:]?\s")


@dataclass(slots=True)
class Node:
    """A heading with what is below it."""

    title: str
    place: str
    text: str
    words: int
    apparatus: bool
    below: list[Node] = field(default_factory=list)

    @property
    def all_words(self) -> int:
        """Return the words of all its text."""
        return self.words + sum(node.all_words for node in self.below)

    @property
    def all_text(self) -> str:
        """Return all its prose, a paragraph a line."""
        return "\n".join(filter(None, [self.text, *(node.all_text for node in self.below)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A book's chapters as found."""

    title: str
    """The book's, where its only top heading is it; else ''."""
    chapters: tuple[Node, ...]
    numbers: tuple[int, ...]


def outline_of(reading: Reading) -> Outline:
    """Return the chapters, each with its sections below it.

    Raises:
        NoText: there is next to no text.
        NoChapters: nothing in it is a chapter.
    """
    if sum(heading.words for heading in reading.headings) < LEAST_BOOK_WORDS:
        raise NoText("There is no text in the file, or too little to learn from.")
    top = _without_apparatus(map(_unwrapped, _tree(reading.headings)), reading.title)
    title = ""
    while len(top) == 1 and len(top[0].below) > 1:
        title = title or unnumbered(top[0].title)
        top = _without_apparatus(_opened(top[0]), reading.title)
    opened = (_opened(node) if node.below else [node] for node in top)
    parts = opened if _are_parts(top) else map(_chapters_of, top)
    top = _without_apparatus((node for part in parts for node in part), reading.title)
    chapters = [node for node in top if node.all_words >= LEAST_WORDS]
    if not chapters or len(chapters) > MOST_CHAPTERS:
        raise NoChapters("Nothing in the file is a chapter: it has only covers, indexes and the like.")
    numbers = _numbers(chapters)
    _unnumber(chapters)
    for chapter in chapters:
        chapter.below = [node for node in chapter.below if node.all_words][:MOST_SECTIONS]
        _unnumber(chapter.below)
    return Outline(title=title, chapters=tuple(chapters), numbers=numbers)


def _tree(headings: Sequence[Heading]) -> list[Node]:
    top: list[Node] = []
    path: list[tuple[int, Node]] = []
    for heading in headings:
        node = Node(heading.title, heading.place, heading.text, heading.words, heading.apparatus)
        while path and path[-1][0] >= heading.level:
            path.pop()
        (path[-1][1].below if path else top).append(node)
        path.append((heading.level, node))
    return top


def _unwrapped(node: Node) -> Node:
    """Take a heading and its only, or its equally named, first child for one."""
    node.below = [_unwrapped(child) for child in node.below]
    if node.below and _same(node.title, node.below[0].title) and not node.below[0].below:
        first = node.below.pop(0)
        node.text = "\n".join(filter(None, [node.text, first.text]))
        node.words += first.words
    elif len(node.below) == 1 and node.words < LEAST_WORDS and _wraps(node.title, node.below[0].title):
        only = node.below[0]
        node.text = "\n".join(filter(None, [node.text, only.text]))
        node.words += only.words
        node.title, node.place, node.below = only.title, only.place, only.below
    return node


def _wraps(outer: str, inner: str) -> bool:
    """Tell whether a heading is only there to hold the chapter below it, which has the number."""
    return number_of(inner) is not None and unnumbered(outer) == outer


def _same(one: str, other: str) -> bool:
    return unnumbered(one).casefold() == unnumbered(other).casefold()


def _without_apparatus(nodes: Iterable[Node], book: str) -> list[Node]:
    """Leave out what is no chapter, and the book's own title page."""
    return [
        node
        for node in nodes
        if not node.apparatus
        and not is_apparatus(node.title)
        and not (not node.below and node.words < LEAST_OPENING_WORDS and book and _same(node.title, book))
    ]


def _opened(node: Node) -> list[Node]:
    """Return what is below a heading; its own text becomes the first of it, or part of the first."""
    if node.words >= LEAST_OPENING_WORDS:
        return [Node(node.title, node.place, node.text, node.words, node.apparatus), *node.below]
    if node.below:
        first = node.below[0]
        first.text = "\n".join(filter(None, [node.text, first.text]))
        first.words += node.words
    return node.below


def _are_parts(nodes: Sequence[Node]) -> bool:
    """Tell whether these are too long for chapters, and hold what has sections of its own."""
    below = [child for node in nodes for child in node.below]
    return (
        sum(node.all_words for node in nodes) > LONG_WORDS * len(nodes)
        and sum(1 for node in nodes if len(node.below) > 1) >= NUMBERED_SHARE * len(nodes)
        and sum(1 for child in below if child.below) > len(below) / 2
    )


def _chapters_of(node: Node) -> list[Node]:
    """Return a part's chapters, or the chapter itself."""
    deep = sum(1 for child in node.below if child.below)
    is_part = _PART.match(node.title) is not None and (deep or _ROMAN.match(node.title) is None)
    if is_part and len(node.below) > 1:
        return _opened(node)
    return [node]


def _numbers(chapters: Sequence[Node]) -> tuple[int, ...]:
    """Return the numbers that the book itself gives its chapters, else 1, 2, 3 …"""
    own = [number_of(chapter.title) for chapter in chapters]
    given = [number for number in own if number is not None]
    if len(given) == len(own) and all(a < b for a, b in pairwise(given)):
        return tuple(given)
    return tuple(range(1, len(chapters) + 1))


def _unnumber(nodes: Sequence[Node]) -> None:
    plain = [unnumbered(node.title) for node in nodes]
    numbered = sum(1 for node, title in zip(nodes, plain, strict=True) if node.title != title)
    if numbered >= NUMBERED_SHARE * len(nodes):
        for node, title in zip(nodes, plain, strict=True):
            node.title = title
