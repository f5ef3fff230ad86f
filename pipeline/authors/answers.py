"""How well each chapter of the reading answers the query.

Four things speak for a chapter: what the search found, the words of the query in its titles and concepts,
what it shares with the chapters that answer best, and whether its book is called after what is asked. Its
book carries it or lets it fall. Word vectors alone would take "Rust ownership" to be about firms and "A/B
tests" about unit tests; together these do not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.authors.words import Rarity, stems
from pipeline.outline import Book, Chapter

FOUND = 0.65  # what the search found
SAID = 0.2  # whether the chapter has the words of the query
KIN = 0.15  # what it shares with the best chapters
HOME = 0.3  # whether the title or a subject of its book names what is asked
CORE_CHAPTERS = 3
CORE_SHARE = 0.6  # of the best chapter's answer so far
CLOSE_KIN = 0.2  # words shared with a core chapter (weighted Dice) that count in full
BOOK_COUNTS = 0.35  # how much a chapter is carried by the rest of its book
OTHER_SUBJECT = 0.75  # for a book that shares no subject with the leading one
BOOK_SAYS = 0.75  # what the words of the whole book count for one of its chapters
_SHORT_FOR = re.compile(r"((?:[A-Za-z][\w’'-]* ){1,5})\(([A-Z][A-Za-z]{1,5})\)")


def chapter_stems(chapter: Chapter) -> frozenset[str]:
    """Return the stems of what a chapter says about itself."""
    texts = (chapter.title, chapter.summary, *chapter.key_concepts, *(s.title for s in chapter.sections))
    return frozenset().union(*(stems(text) for text in texts))


def book_stems(chapter: Chapter) -> frozenset[str]:
    """Return the stems of what the chapter's book is about."""
    return frozenset().union(*(stems(text) for text in (chapter.book.title, *chapter.book.subjects)))


def rarity_in(reading: Sequence[Chapter]) -> Rarity:
    """Return how much each word says in this reading."""
    return Rarity(chapter_stems(chapter) | book_stems(chapter) for chapter in reading)


def ways_of_asking(asked: frozenset[str], reading: Sequence[Chapter]) -> list[frozenset[str]]:
    """Return the query's stems that the reading knows, and once more with abbreviations written out as the
    reading writes them out. Words that are nowhere in it say nothing about any part of it.
    """
    known = frozenset().union(*(chapter_stems(chapter) | book_stems(chapter) for chapter in reading))
    spelled: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()
    for chapter in reading:
        for text in (*chapter.key_concepts, *(section.title for section in chapter.sections)):
            for before, abbreviation in _SHORT_FOR.findall(text):
                if stems(abbreviation) & asked:
                    spelled |= stems(" ".join(before.split()[-len(abbreviation) :]))
                    short |= stems(abbreviation)
    ways = [asked, (asked - short) | spelled] if short else [asked]
    return [way & known or way for way in ways]


def covered(asked: Iterable[frozenset[str]], text: frozenset[str], rarity: Rarity) -> float:
    """Return the share of the query that `text` has, in the way of asking that fits it best, 0 to 1."""
    return max(rarity.covered(way, text) for way in asked)


@dataclass(frozen=True, slots=True)
class Answers:
    """How well each chapter answers, 0 to a little above 1, what the best of them speak of, and the book that
    has most to say.
    """

    of_chapter: tuple[float, ...]
    core: frozenset[str]
    leading: Book


def answer(reading: Sequence[Chapter], asked: Sequence[frozenset[str]], rarity: Rarity) -> Answers:
    """Return how the chapters answer: found by the search, confirmed by the query's words and by the company
    they keep (what they share with the best chapters), carried by their book.
    """
    top_score = max(chapter.score for chapter in reading)
    found = [max(0.0, chapter.score) / top_score if top_score > 0 else 1.0 for chapter in reading]
    says = _says(reading, asked, rarity)
    first = [FOUND * one + SAID * other for one, other in zip(found, says, strict=True)]
    kin, core = _kinship(reading, first, rarity)
    home = [covered(asked, book_stems(chapter), rarity) for chapter in reading]
    answers = [one + KIN * near + HOME * own for one, near, own in zip(first, kin, home, strict=True)]
    by_book: dict[str, list[float]] = defaultdict(list)
    for chapter, answer in zip(reading, answers, strict=True):
        by_book[chapter.book.book_id].append(answer)
    standing = {book_id: _standing(of_book) for book_id, of_book in by_book.items()}
    leading = max(reading, key=lambda chapter: standing[chapter.book.book_id]).book
    top = standing[leading.book_id] or 1.0
    for i, chapter in enumerate(reading):
        answers[i] *= 1 - BOOK_COUNTS + BOOK_COUNTS * standing[chapter.book.book_id] / top
        akin = set(leading.subjects) & set(chapter.book.subjects)
        answers[i] *= 1.0 if akin else OTHER_SUBJECT
    return Answers(tuple(answers), core, leading)


def _kinship(
    reading: Sequence[Chapter], first: Sequence[float], rarity: Rarity
) -> tuple[list[float], frozenset[str]]:
    """Return how much each chapter shares with the best ones, 0 to 1, and what those speak of."""
    ranked = sorted(range(len(reading)), key=lambda i: (-first[i], i))[:CORE_CHAPTERS]
    core = [i for i in ranked if first[i] >= CORE_SHARE * first[ranked[0]]]
    said = [chapter_stems(chapter) for chapter in reading]
    kin = [
        1.0 if i in core else min(1.0, max(rarity.overlap(own, said[j]) for j in core) / CLOSE_KIN)
        for i, own in enumerate(said)
    ]
    return kin, frozenset().union(*(said[i] for i in core))


def _says(reading: Sequence[Chapter], asked: Sequence[frozenset[str]], rarity: Rarity) -> list[float]:
    """Return the share of the query's words that each chapter has, or, for a little less, its book has."""
    own = [chapter_stems(chapter) | book_stems(chapter) for chapter in reading]
    of_book: dict[str, frozenset[str]] = defaultdict(frozenset)
    for chapter, said in zip(reading, own, strict=True):
        of_book[chapter.book.book_id] |= said
    whole = {book_id: covered(asked, said, rarity) for book_id, said in of_book.items()}
    return [
        max(covered(asked, said, rarity), BOOK_SAYS * whole[chapter.book.book_id])
        for chapter, said in zip(reading, own, strict=True)
    ]


def _standing(answers: Sequence[float]) -> float:
    """Return how much a book has to say: its best chapter counts most, its next three less and less."""
    best = sorted(answers, reverse=True)[:4]
    return sum(weight * answer for weight, answer in zip((1.0, 0.4, 0.3, 0.2), best, strict=False))
