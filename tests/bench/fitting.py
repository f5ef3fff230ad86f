"""Fits the weights of the library's score to judged queries.

Two losses, added up. That judged chapters come first: cross-entropy between the grades (2^grade - 1, as
shares) and the softmax of the scores of all hits, ListNet (Cao et al. 2007). That the best hit of a query is
accepted where the library covers it and refused where it does not: logistic loss, both classes weighted
equally. How sure it is that a query is covered at all is then fitted to its best two hits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.library import relevance
from pipeline.library.relevance import SECOND_AT_LEAST, Evidence
from tests.bench.searching import Asked

START = np.array([8.0, 4.0, 4.0, 5.0, -2.0, 1.0, -8.0])
PENALISED = np.array([1, 1, 1, 1, 1, 1, 0])
"""Not the bias."""
STEPS = 400
RIDGE = 0.002
CONFIDENCE_RIDGE = 0.01
NEWTON_STEPS = 30
FOLDS = 10


def features(evidence: Evidence) -> tuple[float, ...]:
    """Return what the weights multiply, the bias last."""
    return (
        evidence.cosine,
        evidence.section_cosine,
        evidence.question_cosine,
        evidence.coverage,
        evidence.unknown,
        evidence.length,
        1.0,
    )


def matrix(asked: Asked) -> np.ndarray:
    """Return the features of a query's hits, one row each."""
    return np.array([features(hit.evidence) for hit in asked.hits])


def with_defined(asked: Asked, scores: np.ndarray) -> np.ndarray:
    """Return scores (log odds) of a query's hits, those at least relevant that define what is asked."""
    defines = np.array([hit.evidence.defines for hit in asked.hits])
    return np.where(defines, np.maximum(scores, relevance.log_odds_of(relevance.RELEVANT)), scores)


def fit(cases: Sequence[Asked]) -> np.ndarray:
    """Return weights and bias."""
    rows = [matrix(case) for case in cases]
    wanted = [_shares(case) for case in cases]
    covered = np.array([bool(case.books) for case in cases])
    balance = np.where(covered, 1 / covered.sum(), 1 / (~covered).sum())
    ranked = max(1, sum(share is not None for share in wanted))
    weights, mean, square = START.copy(), np.zeros_like(START), np.zeros_like(START)
    for step in range(1, STEPS + 1):  # Adam (Kingma and Ba 2015)
        gradient = RIDGE * weights * PENALISED
        for x, share, is_covered, weight in zip(rows, wanted, covered, balance, strict=True):
            z = x @ weights
            best = int(z.argmax())
            gradient += weight * (1 / (1 + np.exp(-z[best])) - is_covered) * x[best]
            if share is not None:
                p = np.exp(z - z.max())
                gradient += x.T @ (p / p.sum() - share) / ranked
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        rate = 0.1 if step < STEPS * 0.6 else 0.03
        weights -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return weights


def fit_confidence(cases: Sequence[Asked], weights: np.ndarray) -> np.ndarray:
    """Return what the best and the second best chapter of a query count for its acceptance, and a bias.

    Logistic regression by Newton's method, both classes weighted equally.
    """
    x = np.array([[*best_two(case, weights), 1.0] for case in cases])
    covered = np.array([bool(case.books) for case in cases])
    balance = np.where(covered, 1 / covered.sum(), 1 / (~covered).sum())
    found = np.zeros(3)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-x @ found))
        curvature = (x.T * (balance * p * (1 - p))) @ x
        ridge = CONFIDENCE_RIDGE * np.diag([1, 1, 0])
        found -= np.linalg.solve(curvature + ridge, x.T @ (balance * (p - covered)) + ridge @ found)
    return found


def best_two(case: Asked, weights: np.ndarray) -> tuple[float, float]:
    """Return the log odds of a query's best two chapters, as they count for its acceptance."""
    best, second = np.sort(matrix(case) @ weights)[-1:-3:-1]
    return float(best), max(float(second), SECOND_AT_LEAST)


def _shares(case: Asked) -> np.ndarray | None:
    gains = np.array([2.0 ** case.grades.get((hit.book_id, hit.number), 0) - 1 for hit in case.hits])
    return gains / gains.sum() if gains.sum() else None


def cross_validated(cases: Sequence[Asked]) -> list[tuple[Asked, np.ndarray, np.ndarray]]:
    """Return each query with weights and confidence that were fitted without its tenth of the queries."""
    fold = np.random.default_rng(0).permutation(len(cases)) % FOLDS
    found = []
    for held_out in range(FOLDS):
        others = [case for case, f in zip(cases, fold, strict=True) if f != held_out]
        weights = fit(others)
        confidence = fit_confidence(others, weights)
        found += [(case, weights, confidence) for case, f in zip(cases, fold, strict=True) if f == held_out]
    return found
