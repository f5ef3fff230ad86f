"""What a chapter is about, in the words and phrases that it uses and the book's other chapters do not.

Runs of up to three words without a function word between them are counted; what is frequent here and rare
elsewhere in the book comes first (tf · idf, over chapters), longer phrases and those in headings before
others.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.authors.words import BOOK_WORDS, FUNCTION_WORDS
from pipeline.library.ingest.structure import Node

MOST_CONCEPTS = 8
LONGEST = 3
LEAST_USES = {1: 3, 2: 2, 3: 2}
HEADING_BONUS = 2.5
LENGTH_BONUS = 0.8
MOST_COMMON = 50
"""So many of the short words that a text in another language uses most are taken for its function words."""
_WORD = re.compile(r"[^\W\d_][\w’'+#]*(?:[-/][^\W_][\w’'+#]*)*")
_BREAK = re.compile(r"[.,;:!?()\[\]{}\"“”„«»|=<>*\n•–—]+")


def concepts_of(chapters: Sequence[Node], language: str) -> list[tuple[str, ...]]:
    """Return the key concepts of each chapter, most telling first."""
    texts = [chapter.all_text for chapter in chapters]
    ignored = FUNCTION_WORDS | BOOK_WORDS if language.startswith("en") else _common(texts)
    counts = [Counter(_phrases(text, ignored)) for text in texts]
    spread: Counter[str] = Counter()
    for found in counts:
        spread.update({phrase.casefold() for phrase in found})
    return [
        _best(chapter, found, spread, len(chapters), ignored)
        for chapter, found in zip(chapters, counts, strict=True)
    ]


def _common(texts: Sequence[str]) -> frozenset[str]:
    uses = Counter(word.casefold() for text in texts for word in _WORD.findall(text) if len(word) <= 5)
    return FUNCTION_WORDS | {word for word, _ in uses.most_common(MOST_COMMON)}


def _phrases(text: str, ignored: frozenset[str]) -> Iterator[str]:
    for piece in _BREAK.split(text):
        run: list[str] = []
        for word in [*_WORD.findall(piece), ""]:
            if word and len(word) > 1 and word.casefold() not in ignored:
                run.append(word)
                continue
            for size in range(1, LONGEST + 1):
                for at in range(len(run) - size + 1):
                    yield " ".join(run[at : at + size])
            run.clear()


def _best(
    chapter: Node, found: Counter[str], spread: Counter[str], chapters: int, ignored: frozenset[str]
) -> tuple[str, ...]:
    uses: Counter[str] = Counter()
    written: dict[str, tuple[int, str]] = {}
    for phrase, count in found.items():
        key = phrase.casefold()
        uses[key] += count
        written[key] = max(written.get(key, (0, "")), (count, phrase))
    titles = [chapter.title, *(section.title for section in chapter.below)]
    headed = {phrase.casefold() for title in titles for phrase in _phrases(title, ignored)}

    def score(key: str) -> float:
        rare = math.log(1 + chapters / spread[key])
        weight = HEADING_BONUS if key in headed else 1.0
        return uses[key] * rare * weight * (1 + LENGTH_BONUS * key.count(" "))

    enough = [k for k, n in uses.items() if n >= LEAST_USES[k.count(" ") + 1] and len(k) > 3]
    chosen: list[str] = []
    for key in sorted(enough, key=lambda key: (-score(key), key)):
        if not any(_overlap(key, other) for other in chosen):
            chosen.append(key)
        if len(chosen) == MOST_CONCEPTS:
            break
    return tuple(written[key][1] for key in chosen)


def _overlap(one: str, other: str) -> bool:
    """Tell whether a phrase is a part of another, or differs from it only by an ending."""
    words, others = one.split(), other.split()
    return set(words) <= set(others) or set(others) <= set(words) or one.rstrip("s") == other.rstrip("s")
