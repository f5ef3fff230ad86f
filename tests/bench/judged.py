"""The judged search queries of ``judged.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Key = tuple[str, int]
"""A chapter: book and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A query and the chapters that answer it; none: it is to be refused."""

    query: str
    wording: str
    """``books``, ``own`` (unlike the books), ``word`` (a single one); empty where there is no book."""
    part: str
    """``tuning`` or ``test``: the score's weights were fitted on the first."""
    grades: dict[Key, int]
    """2: answers it, 1: helps."""


@cache
def judged() -> tuple[Judged, ...]:
    """Return all of them, covered ones first."""
    whole = json.loads((Path(__file__).parent / "judged.json").read_text("utf-8"))
    covered = (
        Judged(
            query=case["query"],
            wording=case["wording"],
            part=case["set"],
            grades={
                (book, int(number)): grade
                for book, chapters in case["chapters"].items()
                for number, grade in chapters.items()
            },
        )
        for case in whole["covered"]
    )
    outside = (
        Judged(query=case["query"], wording="", part=case["set"], grades={}) for case in whole["outside"]
    )
    return *covered, *outside


def judged_queries() -> list[str]:
    """Return the queries' texts."""
    return [case.query for case in judged()]
