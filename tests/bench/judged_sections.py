"""The book sections that were graded for judged queries, in ``judged_sections.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Key = tuple[str, int, int]
"""A section: book, number of its chapter, position there; a chapter without sections has position 0."""

STRUCK_OUT, WORTH_READING, CORE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSections:
    """A query and what a teacher would say of the sections that the search found for it."""

    query: str
    part: str
    """``tuning`` (weights were fitted on these), ``test`` or ``outlines``."""
    grades: Mapping[Key, int]


@cache
def judged_sections() -> Mapping[str, JudgedSections]:
    """Return them by query."""
    whole = json.loads((Path(__file__).parent / "judged_sections.json").read_text("utf-8"))
    return {
        case["query"]: JudgedSections(
            query=case["query"],
            part=case["set"],
            grades={
                (book, int(number), index): int(grade)
                for book, chapters in case["sections"].items()
                for number, of_chapter in chapters.items()
                for index, grade in enumerate(of_chapter)
            },
        )
        for case in whole["queries"]
    }
