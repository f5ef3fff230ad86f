"""What speaks for a book section, and how likely it is that a teacher would put it into the course.

A logistic regression on signs that a heading, its chapter and the questions that people ask of it give. Its
weights are fitted on sections of what the search finds for judged queries, graded from titles as a teacher
would (core, worth reading, to be struck out); ``tests/bench/section_relevance.py`` fits it again and reports
how well it does on queries that were held out.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

WEIGHTS = (2.92, 1.56, 3.29, 0.82, 1.03, 0.98, 1.30, -0.74, -0.66)
BIAS = -9.51


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What speaks for a section or against it, each 0 to 1 or a little more."""

    heading: float
    """How near its heading is to the query, as a share of the nearest in the reading."""
    asked: float
    """The same of the questions it answers: 0 where nobody asks any, its heading's where that is unknown."""
    is_asked: float
    """1 if people ask what it answers, or if nothing is known of that: few ask anything of exercises."""
    says: float
    """Share of the query's words in its heading, its key concepts and the questions that it answers."""
    core: float
    """Share of its heading's words that the chapters which answer best have in common."""
    chapter: float
    """How well its chapter answers (:mod:`pipeline.authors.answers`)."""
    found: float
    """What the search says of its chapter."""
    aside: float
    """1 if it surrounds the teaching text: a portrait, a lab, a sample essay, careers."""
    along: float
    """Its place in its chapter."""


def chance(signs: Signs) -> float:
    """Return how likely a teacher is to put a section into the course, 0 to 1."""
    odds = BIAS + sum(weight * sign for weight, sign in zip(WEIGHTS, astuple(signs), strict=True))
    return 1.0 / (1.0 + math.exp(-odds))
