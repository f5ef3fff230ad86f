"""``python -m tests.bench.section_relevance``: how well the library author tells which sections to read.

The sections of what the search finds for the queries of ``judged_sections.json`` were graded as a teacher
would. Reports how well the author's order agrees with the grades, for the queries that its weights
(``pipeline/authors/signs.py``) were fitted on and for those held out. With ``--fit`` it fits them anew and
prints them.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from pipeline.authors.answers import rarity_in
from pipeline.authors.relevance import Unit, weighed
from pipeline.authors.wishes import read_wishes
from pipeline.errors import NoRelevantBooks
from pipeline.outline import Brief
from tests.bench.judged_sections import CORE, STRUCK_OUT, judged_sections
from tests.bench.plan_courses import shelves

HOURS = 2.0
RIDGE = 3.0
NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class Graded:
    """What the author could cite for a query, with a teacher's grades."""

    query: str
    part: str
    units: tuple[Unit, ...]
    grades: np.ndarray


async def graded() -> list[Graded]:
    """Return the queries that are accepted with all that the author weighs for them, if it was graded."""
    found = []
    async with shelves() as shelf:
        for case in judged_sections().values():
            brief = Brief(query=case.query, hours=HOURS)
            try:
                reading = await shelf.reading(brief)
            except NoRelevantBooks:
                continue
            _, units = weighed(reading, read_wishes(brief), rarity_in(reading))
            known = [u for u in units if (*u.place[:2], u.index) in case.grades]
            grades = np.array([case.grades[(*u.place[:2], u.index)] for u in known])
            found.append(Graded(case.query, case.part, tuple(known), grades))
    return found


def fit(cases: Sequence[Graded]) -> tuple[np.ndarray, float]:
    """Return weights and bias of a logistic regression on grade ÷ 2 (by Newton's method, scaled ridge)."""
    x = np.array([astuple(unit.signs) for case in cases for unit in case.units])
    y = np.concatenate([case.grades for case in cases]) / CORE
    scale = x.std(axis=0)
    z = np.column_stack([x / scale, np.ones(len(x))])
    ridge = RIDGE * np.diag([*[1.0] * x.shape[1], 0.0])
    found = np.zeros(z.shape[1])
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-z @ found))
        found -= np.linalg.solve((z.T * (p * (1 - p))) @ z + ridge, z.T @ (p - y) + ridge @ found)
    return found[:-1] / scale, float(found[-1])


def report(name: str, cases: Sequence[Graded]) -> None:
    """Print how well the chances agree with the grades."""
    chances = np.concatenate([[unit.chance for unit in case.units] for case in cases])
    grades = np.concatenate([case.grades for case in cases])
    gains = [gain for case in cases if (gain := _gain(case)) is not None]
    print(
        f"{name}: {len(cases)} queries, {len(grades)} sections; nDCG {np.mean(gains):.3f}, "
        f"AUC {_auc(chances, grades > STRUCK_OUT):.3f} of what is to be kept, "
        f"{_auc(chances, grades == CORE):.3f} of the core"
    )


def _gain(case: Graded) -> float | None:
    gains = 2.0**case.grades - 1
    if not gains.any():
        return None
    discounts = 1 / np.log2(np.arange(2, len(gains) + 2))
    order = np.argsort([-unit.chance for unit in case.units], kind="stable")
    return float((gains[order] * discounts).sum() / (np.sort(gains)[::-1] * discounts).sum())


def _auc(scores: np.ndarray, wanted: np.ndarray) -> float:
    ranks = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    inside, outside = wanted.sum(), (~wanted).sum()
    return float((ranks[wanted].sum() - inside * (inside - 1) / 2) / (inside * outside))


async def measure(*, refit: bool) -> None:
    """Weigh all graded sections, report, and fit anew where asked to."""
    cases = await graded()
    for part in ("tuning", "test", "outlines"):
        report(part, [case for case in cases if case.part == part])
    if refit:
        weights, bias = fit([case for case in cases if case.part == "tuning"])
        print("weights", *weights.round(2), "bias", round(bias, 2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.section_relevance", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights anew and print them")
    asyncio.run(measure(refit=parser.parse_args().fit))
