"""``python -m tests.bench.search_ceiling PYTHON``: what hybrid search finds with full MiniLM vectors.

The same library, the same search, the same fit of the score's weights; only the vectors are those of
all-MiniLM-L6-v2, the transformer that the shipped static model imitates. PYTHON is the interpreter of an
environment that has it (``tests/bench/minilm.py`` says how). What comes out is kept in ``ceiling.json``, so
that nobody else needs it: for each judged query its best chapters with their scores, and how sure it is that
the query is covered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.library import relevance
from tests.bench.fitting import best_two, fit, fit_confidence, matrix, with_defined
from tests.bench.judged import Key
from tests.bench.search_metrics import DEPTH
from tests.bench.searching import Asked, ask_all, is_fitted_on, shipped_library

CEILING = Path(__file__).parent / "ceiling.json"
DIMENSIONS = 384


class Teacher:
    """all-MiniLM-L6-v2 in a process with an interpreter of its own."""

    model = "all-MiniLM-L6-v2"
    dimensions = DIMENSIONS
    english_only = True

    def __init__(self, python: str) -> None:
        self._python = python

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return unit vectors; a minute for a thousand chapters."""
        script = str(Path(__file__).with_name("minilm.py"))
        child = await asyncio.create_subprocess_exec(
            self._python, script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate("".join(f"{json.dumps(text)}\n" for text in texts).encode())
        assert child.returncode == 0
        rows: list[list[float]] = np.frombuffer(out, dtype=np.float32).reshape(-1, DIMENSIONS).tolist()
        return rows

    async def close(self) -> None:
        """Nothing to release."""


async def make(python: str) -> None:
    """Write ``ceiling.json``."""
    teacher = Teacher(python)
    async with shipped_library(teacher) as library:
        asked = await ask_all(library, teacher)
    fitted = [case for case in asked if is_fitted_on(case)]
    weights = fit(fitted)
    confidence = fit_confidence(fitted, weights)
    found = {case.query: [_sure(case, weights, confidence), _best(case, weights)] for case in asked}
    lines = [f"    {json.dumps(query)}: {json.dumps(one)}" for query, one in found.items()]
    head = {
        "about": "Made by tests/bench/search_ceiling.py; per query how sure it is that the library covers "
        "it, and the best chapters: book, number, score.",
        "model": teacher.model,
        "weights": [round(float(weight), 2) for weight in weights],
        "confidence": [round(float(weight), 2) for weight in confidence],
    }
    text = json.dumps(head, indent=2)[:-2] + ',\n  "found": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    CEILING.write_text(text, "utf-8")


def _sure(case: Asked, weights: np.ndarray, confidence: np.ndarray) -> float:
    """Return what :func:`relevance.confidence` would be with these weights."""
    scores = 1 / (1 + np.exp(-with_defined(case, matrix(case) @ weights)))
    hits = [replace(hit, score=float(score)) for hit, score in zip(case.hits, scores, strict=True)]
    sure = 1 / (1 + np.exp(-np.dot(confidence, (*best_two(case, weights), 1.0))))
    return round(relevance.ruled(float(sure), sorted(hits, key=lambda hit: -hit.score)), 3)


def _best(case: Asked, weights: np.ndarray) -> list[list[object]]:
    scores = with_defined(case, matrix(case) @ weights)
    order = np.argsort(-scores, kind="stable")[:DEPTH]
    return [[case.hits[i].book_id, case.hits[i].number, round(float(scores[i]), 3)] for i in order]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a search with full MiniLM vectors finds, by query."""

    rankings: Mapping[str, list[tuple[Key, float]]]
    """The ten best chapters and their scores (log odds)."""
    confidence: Mapping[str, float]
    """How sure it is that the query is covered, 0 to 1."""


@cache
def ceiling() -> Ceiling:
    """Return what was found when it was made."""
    found: dict[str, Any] = json.loads(CEILING.read_text("utf-8"))["found"]
    return Ceiling(
        rankings={
            query: [((book, number), score) for book, number, score in best]
            for query, (_, best) in found.items()
        },
        confidence={query: sure for query, (sure, _) in found.items()},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search_ceiling", description=__doc__)
    parser.add_argument("python", help="an interpreter with torch, transformers and the weights")
    asyncio.run(make(parser.parse_args().python))
