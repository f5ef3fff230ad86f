"""``python -m tests.bench.relevance``: how often the library is wrong about what it covers.

The queries of ``tests/integration/queries.json`` were judged by hand. Reports false refusals, false
acceptances and how often the best book is one of those named, for the set that the score was fitted on and
for the set that was held out. With ``--fit`` it also fits the score's weights anew (logistic regression on
each query's best chapter, classes weighted equally) and prints them, with the errors of a ten-fold
cross-validation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import database
from pipeline.backing import Backing
from pipeline.library import relevance
from pipeline.library.catalogue import load_catalogue
from pipeline.library.embed import StaticEmbedder
from pipeline.library.relevance import Evidence, Hit
from pipeline.library.search import Library
from pipeline.settings import Settings

QUERIES = Path(__file__).parent.parent / "integration" / "queries.json"
FOLDS = 10
ROUNDS = 8
"""Of choosing each query's best chapter by the weights so far and fitting the weights to those chapters."""
RIDGE = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A query, the books about it (none: to be refused), and what the library found."""

    query: str
    books: frozenset[str]
    hits: tuple[Hit, ...]


async def search_all(library: Library, embedder: StaticEmbedder, queries: dict[str, Any]) -> list[Judged]:
    """Ask the library every query of one set."""
    asked = [(c["query"], frozenset(c["books"])) for c in queries["covered"]]
    asked += [(query, frozenset()) for query in queries["refused"]]
    judged = []
    for query, books in asked:
        (vector,) = await embedder.embed([query])
        judged.append(Judged(query=query, books=books, hits=tuple(await library.hits(query, vector))))
    return judged


def report(name: str, judged: list[Judged]) -> None:
    """Print how often the library errs on one set, and where."""
    covered = [j for j in judged if j.books]
    outside = [j for j in judged if not j.books]
    refused = [j for j in covered if j.hits[0].score < relevance.ACCEPTED]
    accepted = [j for j in outside if j.hits[0].score >= relevance.ACCEPTED]
    best = [j for j in covered if j.hits[0].book_id in j.books]
    print(f"{name}: {len(covered)} covered, {len(outside)} not")
    print(f"  false refusals  {len(refused):3} ({len(refused) / len(covered):.1%})")
    print(f"  false accepts   {len(accepted):3} ({len(accepted) / len(outside):.1%})")
    print(f"  best book named {len(best):3} ({len(best) / len(covered):.1%})")
    for judged_wrong in (*refused, *accepted):
        hit = judged_wrong.hits[0]
        print(f"    {hit.score:.2f} {judged_wrong.query[:50]!r}: {hit.title}, {hit.book_title}")


def features(evidence: Evidence) -> tuple[float, ...]:
    """Return what the weights multiply, the bias last."""
    return evidence.cosine, evidence.section_cosine, evidence.coverage, 1.0


def fit(judged: list[Judged]) -> np.ndarray:
    """Return weights and bias."""
    rows = [np.array([features(hit.evidence) for hit in j.hits]) for j in judged]
    wanted = np.array([float(bool(j.books)) for j in judged])
    share = np.where(wanted == 1, 0.5 / wanted.mean(), 0.5 / (1 - wanted.mean()))
    weights = np.array([4.0, 2.0, 2.0, -4.0])
    for _ in range(ROUNDS):
        best = np.array([row[np.argmax(row @ weights)] for row in rows])
        weights = logistic(best, wanted, share)
    return weights


def logistic(x: np.ndarray, wanted: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return maximum-likelihood weights with a ridge penalty (not on the bias), by Newton's method."""
    weights = np.zeros(x.shape[1])
    penalty = RIDGE * np.diag([1.0] * (x.shape[1] - 1) + [0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ weights)))
        gradient = x.T @ (share * (p - wanted)) + penalty @ weights
        hessian = (x * (share * p * (1 - p))[:, None]).T @ x + penalty
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def cross_validate(judged: list[Judged]) -> None:
    """Print the errors on queries that the weights were not fitted on."""
    fold = np.random.default_rng(0).permutation(len(judged)) % FOLDS
    wrong = {True: 0, False: 0}
    for held_out in range(FOLDS):
        weights = fit([j for j, f in zip(judged, fold, strict=True) if f != held_out])
        for j in (j for j, f in zip(judged, fold, strict=True) if f == held_out):
            accepted = max(np.array([features(hit.evidence) for hit in j.hits]) @ weights) > 0
            wrong[bool(j.books)] += accepted != bool(j.books)
    print(f"{FOLDS}-fold cross-validation: {wrong[True]} false refusals, {wrong[False]} false accepts")


async def measure(*, refit: bool) -> None:
    """Load the library into a database of its own and ask it everything."""
    queries = json.loads(QUERIES.read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home)), durable=False) as backing:
            pool = await database.open_pool(backing.database_url)
            await database.migrate(pool)
            embedder = StaticEmbedder()
            await load_catalogue(pool, embedder)
            library = Library(pool, embedder)
            fitted = await search_all(library, embedder, queries["fitted"])
            held_out = await search_all(library, embedder, queries["held_out"])
            await pool.close()
    report("fitted", fitted)
    report("held out", held_out)
    if refit:
        print("weights", fit(fitted).round(2))
        cross_validate(fitted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relevance", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights anew and print them")
    asyncio.run(measure(refit=parser.parse_args().fit))
