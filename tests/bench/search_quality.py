"""``python -m tests.bench.search_quality``: how good search is, for docs/quality.md.

Full text alone, vectors alone and both, beside what full MiniLM vectors would give, over the queries of
``judged.json`` and ``tests/integration/queries.json``.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.library import relevance
from pipeline.library.embed import StaticEmbedder
from pipeline.library.relevance import Hit
from tests.bench.judged import Key
from tests.bench.quality_page import write_half
from tests.bench.report import Table
from tests.bench.search_ceiling import ceiling
from tests.bench.search_metrics import accepted_outside, ndcg, recall
from tests.bench.searching import NAMES, Asked, ask_all, is_fitted_on, shipped_library

REFUSED = 0.05
Ranking = list[tuple[Key, float]]
"""Chapters and their scores, best first."""


@dataclass(frozen=True, slots=True)
class System:
    """One way to search."""

    name: str
    rank: Callable[[Asked], Ranking]
    confidence: Callable[[Asked], float] | None = None
    """How sure it is that a query is covered, 0 to 1. None: the best score says it."""

    def sure(self, asked: Asked) -> float:
        """Return how sure it is of a query: the higher the surer."""
        return self.rank(asked)[0][1] if self.confidence is None else self.confidence(asked)


def _by(measure: Callable[[Hit], float]) -> Callable[[Asked], Ranking]:
    def rank(asked: Asked) -> Ranking:
        hits = sorted(asked.hits, key=lambda hit: (-measure(hit), hit.book_id, hit.number))
        return [((hit.book_id, hit.number), measure(hit)) for hit in hits]

    return rank


HYBRID = System(
    "hybrid",
    _by(lambda hit: relevance.log_odds(hit.evidence)),
    lambda asked: relevance.confidence(asked.hits),
)
CEILING = System(
    "hybrid with full MiniLM vectors",
    lambda asked: ceiling().rankings[asked.query],
    lambda asked: ceiling().confidence[asked.query],
)
SYSTEMS = (
    System("full text alone", _by(lambda hit: hit.evidence.coverage)),
    System("vectors alone", _by(lambda hit: hit.evidence.cosine)),
    HYBRID,
    CEILING,
)


def tables(asked: Sequence[Asked]) -> list[Table]:
    """Return the tables of the Search half."""
    return [_rankings([case for case in asked if case.part != NAMES]), _errors(asked)]


def scores(asked: Sequence[Asked], system: System) -> tuple[float, float]:
    """Return nDCG@10 and recall@10 over the queries whose chapters were judged."""
    ranked = [([key for key, _ in system.rank(case)], case.grades) for case in asked if case.grades]
    return (
        statistics.mean(ndcg(ranking, grades) for ranking, grades in ranked),
        statistics.mean(recall(ranking, grades) for ranking, grades in ranked),
    )


def _rankings(asked: Sequence[Asked]) -> Table:
    judged = [case for case in asked if case.grades]
    parts = {
        "all": judged,
        "held out": [case for case in judged if case.part == "test"],
        "in the books' words": [case for case in judged if case.wording == "books"],
        "in other words": [case for case in judged if case.wording == "own"],
        "one word": [case for case in judged if case.wording == "word"],
    }
    counts = ", ".join(f"{len(cases)} {name}" for name, cases in parts.items())
    table = Table(
        "What is found",
        f"nDCG@10 and recall@10 over queries whose chapters were judged from titles, sections and terms "
        f"({counts}), and the share of the {sum(not case.books for case in asked)} queries about things the "
        f"library does not have that would be accepted at the threshold that refuses {REFUSED:.0%} of the "
        f"{sum(bool(case.books) for case in asked)} it covers: the same operating point for all. Of the nDCG "
        f"that full MiniLM vectors would give, hybrid search reaches {_of_ceiling(judged):.0%} over all "
        f"queries and {_of_ceiling(parts['held out']):.0%} over those held out.",
        ("", *(f"{name}: nDCG, recall" for name in parts), "falsely accepted"),
    )
    for system in SYSTEMS:
        cells = []
        for cases in parts.values():
            gain, found = scores(cases, system)
            cells.append(f"{gain:.3f}, {found:.3f}")
        best = [(bool(case.books), system.sure(case)) for case in asked]
        false = accepted_outside([s for c, s in best if c], [s for c, s in best if not c], REFUSED)
        table.add(system.name, *cells, f"{false:.1%}")
    return table


def _of_ceiling(cases: Sequence[Asked]) -> float:
    return scores(cases, HYBRID)[0] / scores(cases, CEILING)[0]


def _errors(asked: Sequence[Asked]) -> Table:
    table = Table(
        "What is refused",
        f"The shipped threshold, a confidence of {relevance.ACCEPTED:g}. All weights were fitted on part of "
        "the queries; the others were looked at only to report. Half of the judged queries are worded as "
        "nobody words a book (“someone is stealing from the till”). The questions that people ask, which the "
        "catalogue has of each chapter, were written from titles, sections and terms by who had not seen "
        "these queries; but they are of a kind with them, and learners may ask in yet other words. The names "
        "were written last, to be hard: what a chapter treats without a heading of that name "
        "(“gerrymandering”), and what it only touches (“grizzly bears”, as an example); they were looked at "
        "when two rules on names were made, so they are in no sum.",
        ("queries", "covered, falsely refused", "not covered, falsely accepted", "with full MiniLM vectors"),
    )
    for name, cases in _error_parts(asked).items():
        refused, accepted = false_answers(cases, HYBRID)
        theirs = false_answers(cases, CEILING)
        covered, outside = (sum(bool(c.books) is is_in for c in cases) for is_in in (True, False))
        table.add(
            name,
            f"{refused} of {covered}{_share(refused, covered)}",
            f"{accepted} of {outside}{_share(accepted, outside)}",
            f"{theirs[0]} and {theirs[1]}",
        )
    return table


def _error_parts(asked: Sequence[Asked]) -> Mapping[str, list[Asked]]:
    held_out = [case for case in asked if not is_fitted_on(case) and case.part != NAMES]
    return {
        "fitted on": [case for case in asked if is_fitted_on(case)],
        "held out, all": held_out,
        "held out, as people ask for courses": [case for case in held_out if case.part == "held_out"],
        "held out, in the books' words or one word": [c for c in held_out if c.wording in ("books", "word")],
        "held out, in other words": [case for case in held_out if case.wording == "own"],
        "names of things, hard on purpose": [case for case in asked if case.part == NAMES],
    }


def false_answers(cases: Sequence[Asked], system: System) -> tuple[int, int]:
    """Return how many covered queries are refused, and how many others accepted."""
    refused = sum(system.sure(case) < relevance.ACCEPTED for case in cases if case.books)
    return refused, sum(system.sure(case) >= relevance.ACCEPTED for case in cases if not case.books)


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""


async def measure() -> list[Table]:
    """Ask the shipped library everything; write the Search half of docs/quality.md and return its tables."""
    embedder = StaticEmbedder()
    async with shipped_library(embedder) as library:
        found = tables(await ask_all(library, embedder))
    write(found)
    return found


def write(found: Sequence[Table]) -> None:
    """Write the Search half of docs/quality.md."""
    intro = (
        "Written by `python -m tests.bench.search_quality`, which `make bench` runs too. The queries and the "
        "chapters judged to answer them: `tests/bench/judged.json`, `tests/integration/queries.json`. The "
        "rankings with full MiniLM vectors were computed once by `tests/bench/search_ceiling.py`."
    )
    write_half("Search", "\n\n".join((intro, *(f"#{table.markdown()}" for table in found))))


if __name__ == "__main__":
    asyncio.run(measure())
