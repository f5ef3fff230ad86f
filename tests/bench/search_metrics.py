"""How good a ranking is, by graded judgments. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tests.bench.judged import Key

DEPTH = 10


def ndcg(ranking: Sequence[Key], grades: Mapping[Key, int], depth: int = DEPTH) -> float:
    """Return the normalised discounted cumulative gain, 0 to 1.

    Järvelin and Kekäläinen 2002, with a gain of 2^grade - 1.
    """
    best = sorted(grades.values(), reverse=True)
    return _gain([grades.get(key, 0) for key in ranking[:depth]]) / _gain(best[:depth])


def recall(ranking: Sequence[Key], grades: Mapping[Key, int], depth: int = DEPTH) -> float:
    """Return the share of the judged chapters that are among the first `depth`, of those that can be."""
    return len(grades.keys() & set(ranking[:depth])) / min(depth, len(grades))


def _gain(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades))


def accepted_outside(covered: Sequence[float], outside: Sequence[float], refused: float) -> float:
    """Return the false-accept rate at the threshold that falsely refuses a share of `refused`.

    Args:
        covered: best scores of queries that the library covers.
        outside: best scores of those it does not.
        refused: 0 to 1.
    """
    threshold = sorted(covered)[math.floor(refused * len(covered))]
    return sum(score >= threshold for score in outside) / len(outside)
