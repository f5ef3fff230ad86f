"""What people ask that the cited sections answer, in their own words.

The catalogue has such questions of each chapter and says which section answers them. Only those that stand as
questions are told to a learner: others are phrases to be found by, or somebody's own story.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.authors.relevance import Unit

_ASKING = "how|why|what|when|where|who|whose|which"
_AUXILIARY = "is|are|was|were|do|does|did|can|could|should|would|will|must|may|has|have|had"
_ASKS = re.compile(rf"^(?:{_ASKING}|{_AUXILIARY})\b", re.IGNORECASE)
_DIRECT = re.compile(
    rf"^(?:(?:{_ASKING}) |(?:how|what|which) (?!to )[\w-]+ |which [\w-]+ [\w-]+ )?(?:{_AUXILIARY})\b",
    re.IGNORECASE,
)
"""*how does a fridge work*, but not *how a fridge works*."""
_ORDER = re.compile(r"^(?:do|have)\b", re.IGNORECASE)
"""*do it on weekends*: with a question mark only it is none."""
_OWN_STORY = re.compile(r"\b(?:i|i'm|i've|me|my|mine|myself)\b|[,:;(]|\?.", re.IGNORECASE)
"""Who speaks of themselves asks what no book answers; what has commas is rarely one question."""
_OPENS = re.compile(rf"^(?:{_ASKING})\b", re.IGNORECASE)
LEAST_WORDS = 4
MOST_CHARACTERS = 120


def questions_in(units: Sequence[Unit]) -> list[str]:
    """Return the questions that the cited sections answer, as people put them and without question marks.

    The first of each section comes before the second of any, in reading order.
    """
    turns: list[tuple[int, int, str]] = []
    for at, unit in enumerate(units):
        asking = [question.rstrip("?") for question in _of(unit) if _is_question(question)]
        turns += [(turn, at, question) for turn, question in enumerate(asking)]
    return list(dict.fromkeys(question for _, _, question in sorted(turns)))


def own_question(query: str) -> str:
    """Return a query that is a question itself, as it stands in a sentence; empty: it is none."""
    asked = " ".join(query.split())
    first, _, rest = asked.rstrip("?").partition(" ")
    asks = _OPENS.match(asked) or (asked.endswith("?") and _ASKS.match(asked))
    told = asks and not _OWN_STORY.search(asked) and " " in rest and len(asked) <= MOST_CHARACTERS
    return f"{first.casefold()} {rest}" if told else ""


def is_direct(question: str) -> bool:
    """Return whether a question stands by itself, *how does it work*, and is no clause, *how it works*."""
    return bool(_DIRECT.match(question))


def _of(unit: Unit) -> tuple[str, ...]:
    chapter = unit.chapter
    if unit.section is None:
        return chapter.questions
    if len(chapter.question_sections) != len(chapter.questions):
        return ()
    placed = zip(chapter.questions, chapter.question_sections, strict=True)
    return tuple(question for question, index in placed if index == unit.index)


def _is_question(text: str) -> bool:
    asks = _ASKS.match(text) and (text.endswith("?") or not _ORDER.match(text))
    return bool(asks) and not _OWN_STORY.search(text) and len(text.split()) >= LEAST_WORDS
