"""``python -m tests.bench.search_ceiling PYTHON``: what hybrid search finds with full MiniLM vectors.

The same library, the same search, the same fit of the score's weights; only the vectors are those of
all-MiniLM-L6-v2, the transformer that the shipped static model imitates. PYTHON is the interpreter of an
environment that has it (``tests/bench/minilm.py`` says how). What comes out is kept in ``ceiling.json``, so
that nobody else needs it: for each judged query its best chapters with their scores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.library.relevance import SECOND_AT_LEAST
from tests.bench.fitting import fit, fit_confidence, matrix, with_defined
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
    lines = [f"    {json.dumps(case.query)}: {json.dumps(_best(case, weights))}" for case in asked]
    head = {
        "about": "Made by tests/bench/search_ceiling.py; per query the best chapters: book, number, score.",
        "model": teacher.model,
        "weights": [round(float(weight), 2) for weight in weights],
        "confidence": [round(float(weight), 2) for weight in fit_confidence(fitted, weights)],
    }
    text = json.dumps(head, indent=2)[:-2] + ',\n  "rankings": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    CEILING.write_text(text, "utf-8")


def _best(case: Asked, weights: np.ndarray) -> list[list[object]]:
    scores = with_defined(case, matrix(case) @ weights)
    order = np.argsort(-scores, kind="stable")[:DEPTH]
    return [[case.hits[i].book_id, case.hits[i].number, round(float(scores[i]), 3)] for i in order]


@cache
def ceiling() -> Mapping[str, list[tuple[Key, float]]]:
    """Return for each query the ten best chapters with full MiniLM vectors, and their scores (log odds)."""
    rankings = _kept()["rankings"]
    return {
        query: [((book, number), score) for book, number, score in found] for query, found in rankings.items()
    }


def ceiling_confidence(best: float, second: float) -> float:
    """Return the log odds that a query is covered, from its best two scores with full MiniLM vectors."""
    return float(np.dot(_kept()["confidence"], (best, max(second, SECOND_AT_LEAST), 1.0)))


@cache
def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(CEILING.read_text("utf-8"))
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search_ceiling", description=__doc__)
    parser.add_argument("python", help="an interpreter with torch, transformers and the weights")
    asyncio.run(make(parser.parse_args().python))
