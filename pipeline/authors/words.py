"""Words as the planner counts them: stems, what carries no topic, and how rare a word is in the reading."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:[’'][^\W_]+)*\+*")
_SHORTEST_STEM = 3


def vocabulary(text: str) -> frozenset[str]:
    """Return the words of a list written as text."""
    return frozenset(text.split())


FUNCTION_WORDS = vocabulary(
    """
    a about above after again against all also although am an and another any are as at be because
    been before being below between beyond both but by can could did do does doing done down during
    each either else etc every few for from further had has have having he her here hers him his i
    if in inside into is it its itself just like made make many may me might more most much must my
    near neither no nor not of off often on once one only onto or other our ours out outside over
    own per rather same several shall she should since so some such than that the their them then
    there these they this those through to together too toward towards two under until up upon us
    use used using very via versus vs was way ways we were what when where whether which while who
    whom whose why will with within without would yet you your
    """
)

ASKING_WORDS = vocabulary(
    """
    advanced basic basics beginner beginners better class course crash deep depth explain explained
    focus fundamental fundamentals get getting give good guide help how improve interested
    intermediate introduction introductory know learn learned learning lesson lessons master need
    overview please prefer practice practical quick quickly really study studying teach things topic
    topics tutorial understand understanding want work works working
    """
)
"""What people write around a topic when they ask for a course."""

BOOK_WORDS = vocabulary(
    """
    case chapter concept concepts example examples exploring idea ideas important introducing key
    let look new part section summary term terms theory type types world
    """
)
"""What titles of chapters and sections are full of whatever their topic."""


ONE_LETTER_TOPICS = frozenset("BCDEFGHJKLMNOPQRSTUVWXYZ")  # R, T cells, vitamin D; no article, no pronoun


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Return `word` without its English endings: *valuation*, *values* and *valuing* are one word here.

    Lighter than Porter's: it only has to match titles with queries, and a wrong match costs more than a
    missed one.
    """
    word = word.casefold().replace("’", "'").removesuffix("'s").replace("'", "")
    if len(word) <= _SHORTEST_STEM or not word.isalpha():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ations", "ation", "ating", "ing", "ed", "ly"):
        root = word.removesuffix(ending)
        enough = _SHORTEST_STEM + 2 if ending == "ly" else _SHORTEST_STEM
        if root != word and len(root) >= enough and re.search("[aeiouy]", root):
            doubled = len(root) > _SHORTEST_STEM and root[-1] == root[-2] and root[-1] not in "lsz"
            word = root[:-1] if doubled else root
            break
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word


def words(text: str) -> list[str]:
    """Return the words of `text` as they stand there, in order."""
    return _WORD.findall(text)


@lru_cache(maxsize=16_384)
def stems(text: str) -> frozenset[str]:
    """Return the stems of the words of `text` that carry a topic; function words are left out."""
    return frozenset(
        stem(word)
        for word in words(text)
        if word.casefold() not in FUNCTION_WORDS and (len(word) > 1 or word in ONE_LETTER_TOPICS)
    )


def topic_stems(text: str) -> frozenset[str]:
    """Return the stems of a learner's own words, without what people write around a topic."""
    said = " ".join(word for word in words(text) if word.casefold() not in ASKING_WORDS)
    return stems(said)


LEAST_WEIGHT = 0.4
"""Of a stem that every text has: the reading was found by the query, so that what it is about is in all of
it, and the odd word out must not be all that counts."""


class Rarity:
    """How much a stem says: the fewer texts of the reading it is in, the more (inverse document frequency).

    Args:
        texts: the stems of each text.
    """

    def __init__(self, texts: Iterable[frozenset[str]]) -> None:
        counted: Counter[str] = Counter()
        total = 0
        for text in texts:
            counted.update(text)
            total += 1
        self._weights: Mapping[str, float] = {
            word: math.log((total + 1) / (count + 0.5)) for word, count in counted.items()
        }
        self._unseen = math.log(total + 2)
        self._weighed: dict[frozenset[str], float] = {}

    def __getitem__(self, word: str) -> float:
        return max(LEAST_WEIGHT, self._weights.get(word, self._unseen))

    def weight(self, text: frozenset[str]) -> float:
        """Return the summed weight of stems."""
        weight = self._weighed.get(text)
        if weight is None:
            weight = self._weighed[text] = sum(self[word] for word in sorted(text))
        return weight

    def overlap(self, one: frozenset[str], other: frozenset[str]) -> float:
        """Return how much two texts share, 0 to 1 (weighted Dice coefficient)."""
        shared = one & other
        if not shared:
            return 0.0
        return 2 * self.weight(shared) / (self.weight(one) + self.weight(other))

    def covered(self, wanted: frozenset[str], text: frozenset[str]) -> float:
        """Return the weighted share of `wanted` that is in `text`, 0 to 1."""
        shared = wanted & text
        if not shared:
            return 0.0
        return self.weight(shared) / self.weight(wanted)
