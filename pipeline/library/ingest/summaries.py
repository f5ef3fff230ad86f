"""A chapter in a few sentences of its own: early ones that say most of what it is about.

Nothing is written here that the book does not say; a model's summary replaces it where there is a model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.library.ingest.structure import Node

CHARACTERS = (50, 300)
SENTENCES = 2
LOOKED_AT = 80
"""Sentences from the beginning; later ones are details."""
LEAST_WORDS = 8
NAMED_SECTIONS = 4
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-zà-ÿ])")
_LEANING = re.compile(
    r"(?:this|these|that|those|it|they|he|she|such|however|but|and|so|thus|therefore|hence|also|then|here|note"
    r"|see|for example|for instance|in addition|moreover|furthermore|dies|diese[rsnm]?|es|sie|er)\b",
    re.IGNORECASE,
)
"""A sentence that begins so leans on the one before it."""
_POINTING = re.compile(
    r"https?:|www\.|\b(?:see|siehe|voir|véase)\b|[|{}\\]|\b(?:figure|table|listing|page)\s\d", re.IGNORECASE
)


def summary_of(chapter: Node, concepts: Sequence[str]) -> str:
    """Return one or two sentences of the chapter; the names of its sections where none is good enough."""
    words = [concept.casefold() for concept in concepts]
    sentences = [s for line in chapter.all_text.splitlines() for s in _SENTENCE.split(line)][:LOOKED_AT]
    scored = [
        (_score(sentence, at, words), at) for at, sentence in enumerate(sentences) if _is_good(sentence)
    ]
    best = sorted(sorted(scored, reverse=True)[:SENTENCES], key=lambda pair: pair[1])
    if best:
        return " ".join(sentences[at] for _, at in best)
    named = [section.title for section in chapter.below[:NAMED_SECTIONS]]
    return f"{'; '.join(named)}." if named else ""


def _is_good(sentence: str) -> bool:
    low, high = CHARACTERS
    letters = sum(1 for c in sentence if c.isalpha() or c == " ")
    return (
        low <= len(sentence) <= high
        and len(sentence.split()) >= LEAST_WORDS
        and sentence.endswith((".", "!"))
        and (sentence[0].isupper() or not sentence[0].isascii())
        and letters > 0.9 * len(sentence)
        and not _LEANING.match(sentence)
        and not _POINTING.search(sentence)
    )


def _score(sentence: str, at: int, concepts: Sequence[str]) -> float:
    text = sentence.casefold()
    telling = sum(1 / (1 + rank / 4) for rank, concept in enumerate(concepts) if concept in text)
    return telling + 2 / (1 + at / 4)
