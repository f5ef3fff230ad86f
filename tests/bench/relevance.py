"""``python -m tests.bench.relevance``: how often the library is wrong about what it covers.

The queries of ``tests/integration/queries.json`` and ``tests/bench/judged.json`` were judged by hand. Reports
false refusals, false acceptances and how often the best book is one of those named, for the parts that the
score was fitted on and for those held out. With ``--fit`` it also fits the score's weights anew and prints
them, with the errors of a ten-fold cross-validation.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

import numpy as np

from pipeline.library import relevance
from pipeline.library.embed import StaticEmbedder
from tests.bench.fitting import best_two, cross_validated, fit, fit_confidence
from tests.bench.searching import PARTS, Asked, ask_all, is_fitted_on, shipped_library


def report(name: str, asked: Sequence[Asked]) -> None:
    """Print how often the library errs on one part, and where."""
    covered = [a for a in asked if a.books]
    outside = [a for a in asked if not a.books]
    refused = [a for a in covered if relevance.confidence(a.hits) < relevance.ACCEPTED]
    accepted = [a for a in outside if relevance.confidence(a.hits) >= relevance.ACCEPTED]
    best = [a for a in covered if a.hits[0].book_id in a.books]
    print(f"{name}: {len(covered)} covered, {len(outside)} not")
    print(f"  false refusals  {len(refused):3} ({len(refused) / len(covered):.1%})")
    print(f"  false accepts   {len(accepted):3} ({len(accepted) / len(outside):.1%})")
    print(f"  best book named {len(best):3} ({len(best) / len(covered):.1%})")
    for wrong in (*refused, *accepted):
        hit = wrong.hits[0]
        print(
            f"    {relevance.confidence(wrong.hits):.2f} {wrong.query[:50]!r}: {hit.title}, {hit.book_title}"
        )


def cross_validate(asked: Sequence[Asked]) -> None:
    """Print the errors on queries that the weights were not fitted on."""
    wrong = {True: 0, False: 0}
    for case, weights, confidence in cross_validated(asked):
        accepted = np.dot(confidence, (*best_two(case, weights), 1.0)) > 0
        wrong[bool(case.books)] += accepted != bool(case.books)
    print(f"cross-validation: {wrong[True]} false refusals, {wrong[False]} false accepts of {len(asked)}")


async def measure(*, refit: bool) -> None:
    """Load the library into a database of its own and ask it everything."""
    embedder = StaticEmbedder()
    async with shipped_library(embedder) as library:
        asked = await ask_all(library, embedder)
    for part in PARTS:
        report(part, [a for a in asked if a.part == part])
    if refit:
        fitted = [a for a in asked if is_fitted_on(a)]
        weights = fit(fitted)
        print("weights", weights.round(2), "confidence", fit_confidence(fitted, weights).round(2))
        cross_validate(fitted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relevance", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights anew and print them")
    asyncio.run(measure(refit=parser.parse_args().fit))
