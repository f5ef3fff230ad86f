"""Every judged query, asked of the shipped library in a database of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline import database
from pipeline.backing import Backing
from pipeline.library import Embedder
from pipeline.library.catalogue import load_catalogue
from pipeline.library.relevance import Hit
from pipeline.library.search import Library
from pipeline.settings import Settings
from tests.bench.judged import Key, judged

QUERIES = Path(__file__).parent.parent / "integration" / "queries.json"
PARTS = ("fitted", "tuning", "held_out", "test", "names")
FITTED_ON = ("fitted", "tuning")
"""The parts that the score's weights were fitted on; the others were looked at only to report."""
NAMES = "names"
"""A part of its own: names of things, hard on purpose, looked at when the rule for defined names was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query, what it was judged to find, and what the library found."""

    query: str
    part: str
    wording: str
    books: frozenset[str]
    """The books about it; none: it is to be refused."""
    grades: Mapping[Key, int]
    """The chapters that answer it; none where only the books were judged."""
    hits: tuple[Hit, ...]


def is_fitted_on(asked: Asked) -> bool:
    """Tell whether the score's weights were fitted on a query."""
    return asked.part in FITTED_ON


@asynccontextmanager
async def shipped_library(embedder: Embedder) -> AsyncIterator[Library]:
    """Load the shipped library into a Postgres that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="coursecast-bench-") as home:
        async with Backing(Settings(home=Path(home)), durable=False) as backing:
            pool = await database.open_pool(backing.database_url)
            await database.migrate(pool)
            await load_catalogue(pool, embedder)
            yield Library(pool, embedder)
            await pool.close()


async def ask_all(library: Library, embedder: Embedder) -> list[Asked]:
    """Ask the library every judged query."""
    cases = _cases()
    vectors = await embedder.embed([case.query for case in cases])
    return [
        Asked(
            query=case.query,
            part=case.part,
            wording=case.wording,
            books=case.books,
            grades=case.grades,
            hits=tuple(await library.hits(case.query, vector)),
        )
        for case, vector in zip(cases, vectors, strict=True)
    ]


def _cases() -> Sequence[Asked]:
    whole = json.loads(QUERIES.read_text("utf-8"))
    cases = [
        Asked(
            query=case.query,
            part=case.part,
            wording=case.wording,
            books=frozenset(book for book, _ in case.grades),
            grades=case.grades,
            hits=(),
        )
        for case in judged()
    ]
    for part in ("fitted", "held_out", NAMES):
        asked = [(c["query"], frozenset(c["books"])) for c in whole[part]["covered"]]
        asked += [(query, frozenset()) for query in whole[part]["refused"]]
        cases += [
            Asked(query=query, part=part, wording="", books=books, grades={}, hits=())
            for query, books in asked
        ]
    return cases
