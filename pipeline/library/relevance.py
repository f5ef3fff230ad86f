"""How relevant a chapter is, and which of them a course may be written from. Pure functions.

The score is a logistic regression on four measures of closeness between question and chapter, on how much
of the question the library has no word for, and on how long it is. Its weights are fitted on judged queries,
so that chapters that answer come first. A chapter that has what is asked among its key concepts or terms is
relevant by that alone. Whether the library covers a query at all is told by the best two of
them, with 0.5 where that is as likely as not.
``tests/bench/fitting.py`` says how, ``tests/bench/relevance.py`` fits it again and reports its errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import NoRelevantBooks
from pipeline.outline import FoundBook, FoundChapter, reading_minutes

WEIGHT_COSINE = 7.41
WEIGHT_SECTION_COSINE = 2.34
WEIGHT_QUESTION_COSINE = 5.38
WEIGHT_COVERAGE = 3.17
WEIGHT_UNKNOWN = -2.65
WEIGHT_LENGTH = 2.31
BIAS = -9.91
NAMESAKE = 0.15
"""Cosine to a chapter below which its key concept or term of the question's name is another thing: *boxing*
in a book on programming."""
LONG = 8
"""Words from which on a question is as long as can be: one word is easily near something, a whole sentence is
near nothing in particular."""
ENOUGH_WEIGHT = 20.0
"""Weight of words that covers a question in full (some three rare words and their pairs): a long question
names more than one chapter can hold."""

ACCEPTED = 0.5
"""The least confidence: below, the library is not about the question."""
CONFIDENCE_BEST = 1.10
CONFIDENCE_SECOND = 0.81
CONFIDENCE_BIAS = 1.29
DEFINED = 0.9
"""Confidence where a chapter defines what is asked: all such judged queries were about it."""
NAME_WORDS = 2
NEAR = 0.4
"""Cosine that a short name has to have to the best chapter or one of its headings if no other is related."""
TOUCHED = 0.1
"""Confidence where a name is only touched: of the judged queries of which that is true, none was covered."""
SECOND_AT_LEAST = -3.0
"""Log odds that the second best chapter is taken to have at least: a library may have one on a subject."""
RELEVANT = 0.6
"""The least score of chapters beside the best: a bad chapter spoils a course more than a missing one, and of
the judged ones above it half answer."""
RELATED = 0.45
"""The least score of chapters that fill long courses, only in the best chapter's book and those at home."""
AT_HOME = 0.5
"""The score of a chapter from which on its book is at home in the subject."""

READING_FACTOR = 2.0
"""Reading offered to the author, as a multiple of the time asked for: it chooses sections from it."""
LEAST_CHAPTERS = 8
MOST_CHAPTERS = 60
MOST_BOOKS = 12
NEAREST_BOOKS = 3
NEAREST_SHARE = 0.3
"""Of the best chapter's score: what is named beside its book is not much further from the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How close a chapter is to a question, in four ways."""

    cosine: float
    """Of the question's vector and the chapter's, -1 to 1."""
    section_cosine: float
    """Of the question's vector and that of the chapter's nearest section, -1 to 1."""
    question_cosine: float
    """Of the question's vector and that of the nearest that people ask of the chapter, or of its nearest
    section where that is nearer: no chapter loses by having questions. -1 to 1."""
    coverage: float
    """Weighted share of the question's words that the chapter has, 0 to 1."""
    unknown: float = 0.0
    """Weighted share of the question's words that no chapter has, 0 to 1: the same for all its chapters."""
    length: float = 0.0
    """Words of the question that can name a topic, 1 for :data:`LONG` or more: the same for all chapters."""
    defined: bool = False
    """Whether the question is one of the chapter's key concepts or terms."""

    @property
    def defines(self) -> bool:
        """Return whether the chapter defines what is asked, and not another thing of this name."""
        return self.defined and self.cosine >= NAMESAKE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chapter that the search found."""

    book_id: str
    book_title: str
    number: int
    title: str
    words: int
    evidence: Evidence
    score: float
    """Relevance, 0 to 1."""


def length(words: str) -> float:
    """Return :attr:`Evidence.length` of a question's topic words."""
    return min(len(words.split()), LONG) / LONG


def score(evidence: Evidence) -> float:
    """Return the relevance of a chapter, 0 to 1."""
    return 1.0 / (1.0 + math.exp(-log_odds(evidence)))


def log_odds(evidence: Evidence) -> float:
    """Return the relevance of a chapter as it is ordered by: 0 where the score is one half.

    What a chapter defines it is about, though all else that it says may be far from that one word.
    """
    odds = (
        WEIGHT_COSINE * evidence.cosine
        + WEIGHT_SECTION_COSINE * evidence.section_cosine
        + WEIGHT_QUESTION_COSINE * evidence.question_cosine
        + WEIGHT_COVERAGE * evidence.coverage
        + WEIGHT_UNKNOWN * evidence.unknown
        + WEIGHT_LENGTH * evidence.length
        + BIAS
    )
    return max(odds, log_odds_of(RELEVANT)) if evidence.defines else odds


def confidence(hits: Sequence[Hit]) -> float:
    """Return how sure it is that the library is about the question, 0 to 1; 0 where nothing was found.

    The best chapter says most, the second best something: a chapter alone can be near by chance, and what a
    library is about is rarely in one place only. What a chapter defines the library covers; what one chapter
    touches in passing, *the French Revolution* where Americans quarrel about it, it does not.
    """
    if not hits:
        return 0.0
    best, *others = (log_odds_of(hit.score) for hit in hits[:2])
    second = others[0] if others else SECOND_AT_LEAST
    return ruled(1.0 / (1.0 + math.exp(-confidence_log_odds(best, second))), hits)


def ruled(sure: float, hits: Sequence[Hit]) -> float:
    """Return how sure it is, where the names in the library have a say: `sure` is what the scores say."""
    if any(hit.evidence.defines for hit in hits):
        return max(sure, DEFINED)
    return min(sure, TOUCHED) if _only_touched(hits) else sure


def _only_touched(hits: Sequence[Hit]) -> bool:
    """Return whether a short name is near nothing but what people ask of one chapter."""
    evidence = hits[0].evidence
    is_name = evidence.length <= NAME_WORDS / LONG
    alone = len(hits) < 2 or hits[1].score < RELATED
    return is_name and alone and max(evidence.cosine, evidence.section_cosine) < NEAR


def log_odds_of(points: float) -> float:
    """Return the log odds of a score."""
    inside = min(max(points, 1e-4), 1 - 1e-4)  # scores are rounded
    return math.log(inside / (1 - inside))


def confidence_log_odds(best: float, second: float) -> float:
    """Return the log odds of :func:`confidence`, from those of the best two chapters."""
    return CONFIDENCE_BEST * best + CONFIDENCE_SECOND * max(second, SECOND_AT_LEAST) + CONFIDENCE_BIAS


def choose(
    query: str, hits: Sequence[Hit], budget_minutes: int, *, foreign: str | None = None
) -> tuple[FoundBook, ...]:
    """Return what a course of `budget_minutes` may be written from: books, best first, each with chapters.

    Args:
        query: for the message of the refusal.
        hits: best first.
        budget_minutes: more minutes, more chapters.
        foreign: the language of the query, where the search does not know it.

    Raises:
        NoRelevantBooks: it is not sure enough that they are about it; the message names the nearest books.
    """
    if confidence(hits) < ACCEPTED:
        raise NoRelevantBooks(refusal(query, hits, foreign))
    return _by_book(_enough(hits, budget_minutes * READING_FACTOR))


def _enough(hits: Sequence[Hit], wanted_minutes: float) -> list[Hit]:
    home = {hits[0].book_id, *(hit.book_id for hit in hits if hit.score >= AT_HOME)}
    chosen: list[Hit] = []
    books: set[str] = set()
    minutes = 0
    for hit in hits:
        if len(chosen) == MOST_CHAPTERS or (len(chosen) >= LEAST_CHAPTERS and minutes >= wanted_minutes):
            break
        is_filler = hit.score >= RELATED and hit.book_id in home and minutes < wanted_minutes
        is_wanted = hit is hits[0] or hit.score >= RELEVANT or is_filler
        if not is_wanted or (hit.book_id not in books and len(books) == MOST_BOOKS):
            continue
        chosen.append(hit)
        books.add(hit.book_id)
        minutes += reading_minutes(hit.words)
    return chosen


def _by_book(hits: Sequence[Hit]) -> tuple[FoundBook, ...]:
    shelves: dict[str, list[Hit]] = {}  # hits come best first, so books do too
    for hit in hits:
        shelves.setdefault(hit.book_id, []).append(hit)
    return tuple(
        FoundBook(
            book_id=book_id,
            book_title=shelf[0].book_title,
            score=shelf[0].score,
            chapters=tuple(
                FoundChapter(chapter_number=hit.number, chapter_title=hit.title, score=hit.score)
                for hit in shelf
            ),
        )
        for book_id, shelf in shelves.items()
    )


def refusal(query: str, hits: Sequence[Hit], foreign: str | None = None) -> str:
    """Return why there is no course, for the learner, with the books that come nearest.

    To a search that does not know the query's language no book is near, so none is named.
    """
    asked = " ".join(query.split())
    shown = asked if len(asked) <= 80 else f"{asked[:79].rstrip()}…"
    answer = f"The library has no book about “{shown}”."
    if foreign:
        return f"{answer} {not_understood(foreign)}"
    near = [hit for hit in hits if 0 < hit.score >= NEAREST_SHARE * hits[0].score]
    nearest_titles = dict.fromkeys(hit.book_title for hit in near)
    titles = [f"“{title}”" for title in nearest_titles][:NEAREST_BOOKS]
    if not titles:
        return answer
    nearest = " and ".join([", ".join(titles[:-1]), titles[-1]]) if len(titles) > 1 else titles[0]
    return f"{answer} The nearest it has: {nearest}."


def not_understood(foreign: str) -> str:
    """Return what a search that knows English only says of a question in another language."""
    return f"It is searched in English, and this looks like {foreign}: try it in English."
