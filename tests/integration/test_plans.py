"""Plans from the real search: what a handful of queries get, held to the figures of docs/quality.md."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipeline import database
from pipeline.authors.library import LibraryAuthor
from pipeline.authors.quality import all_sections
from pipeline.errors import NoRelevantBooks
from pipeline.library.embed import StaticEmbedder
from pipeline.library.search import Library
from pipeline.outline import Brief
from tests.bench import plan_metrics as metrics
from tests.bench.plan_courses import Course, Shelves, assignment, judged_queries, write

EMBEDDER = StaticEmbedder()
HANDFUL = (
    "Learn DCF valuation",
    "statistics for A/B tests",
    "learn Rust ownership",
    "how the Roman republic fell",
    "why do we sleep",
    "supply and demand",
)


@pytest.fixture
async def shelf(loaded_url: str) -> AsyncIterator[Shelves]:
    pool = await database.open_pool(loaded_url)
    yield Shelves(Library(pool, EMBEDDER), EMBEDDER)
    await pool.close()


async def planned(shelf: Shelves, query: str) -> Course:
    brief = Brief(query=query, hours=2.0)
    return await write(LibraryAuthor(), assignment(brief, await shelf.reading(brief)))


@pytest.mark.parametrize("query", HANDFUL)
async def test_a_plan_is_sound_and_about_the_query(shelf: Shelves, query: str) -> None:
    course = await planned(shelf, query)
    quality, parts = course.review.quality, course.review.parts
    assert (quality["budget_exact"], quality["within_bounds"], quality["sources_valid"]) == (True, True, 1.0)
    assert quality["order_agreement"] == 1.0
    assert quality["titles_repeated"] == 0
    assert metrics.judged_share(parts, judged_queries()[query]) >= 0.5
    assert metrics.title_faults(parts, course.work.reading) == []
    assert metrics.measurable_share(parts) >= 0.9


async def test_the_republic_is_told_without_ancient_greece(shelf: Shelves) -> None:
    course = await planned(shelf, "how the Roman republic fell")
    read = {source.section_title for s in all_sections(course.review.parts) for source in s.sources}
    assert "The Roman Republic" in read
    assert "Ancient Greece" not in read


async def test_what_the_library_lacks_is_refused(shelf: Shelves) -> None:
    with pytest.raises(NoRelevantBooks, match="sourdough"):
        await planned(shelf, "how to bake sourdough bread")


async def test_a_book_left_out_is_not_read(shelf: Shelves) -> None:
    brief = Brief(query="Python programming", hours=2.0)
    reading = await shelf.reading(brief, without="think-python")
    assert reading
    assert "think-python" not in {chapter.book.book_id for chapter in reading}
