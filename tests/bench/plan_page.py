"""The plans' half of docs/quality.md: ``python -m tests.bench --only plans``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from pipeline.authors import Assignment, Author
from pipeline.authors.library import LibraryAuthor
from pipeline.authors.openai import OpenAIAuthor
from tests.bench import plan_outlines, quality_page
from tests.bench.plan_courses import Course, judged_queries, readings, shelves, write
from tests.bench.plan_figures import GOAL, figures_table, sections_table, worst
from tests.bench.plan_metrics import Judged
from tests.bench.plan_recall import recall_table
from tests.bench.report import Table
from tests.openai_server import OpenAIServer

HOURS = 2.0
AT_ONCE = 16
COMMAND = "python -m tests.bench --only plans"
LIBRARY, SCRIPTED = "library", "scripted model"


async def measure() -> list[Table]:
    """Measure both authors, write the half of the page and return its tables."""
    queries = judged_queries()
    async with shelves() as shelf:
        works = await readings(shelf, queries, HOURS)
        model = await OpenAIServer.start()
        author = OpenAIAuthor(base_url=model.base_url, key="none", model="scripted", max_calls=2 * AT_ONCE)
        try:
            authors: dict[str, Author] = {LIBRARY: LibraryAuthor(), SCRIPTED: author}
            covered = [work for query, work in works.items() if queries[query]]
            by_author = {name: await _written(author, covered) for name, author in authors.items()}
            tables = [
                _figures(by_author, works, queries),
                _sections(by_author),
                await recall_table(shelf, authors),
            ]
        finally:
            await author.close()
            await model.stop()
        read = await plan_outlines.outlines(shelf)
    quality_page.write_half("Plans", _page(tables, read))
    return tables


def _figures(
    by_author: Mapping[str, Sequence[Course]],
    works: Mapping[str, Assignment],
    queries: Mapping[str, Judged],
) -> Table:
    covered = len(by_author[LIBRARY])
    beyond = len(works) - covered
    weakest = "; ".join(f"“{query}” {share:.2f}" for share, query in worst(by_author[LIBRARY], queries))
    return figures_table(
        "Both authors over the judged queries",
        f"Plans of {HOURS:g} hours for the {covered} judged queries that the library covers and the "
        f"search accepts, of {len(queries)} in all; {beyond} more are accepted though the library has no "
        f"book about them (see Search). “{SCRIPTED.capitalize()}” is the openai author with the tests' "
        "server as its model, which chooses sources at random and fills titles with words of the prompt: its "
        "column shows what code guarantees whatever a model writes, and says nothing about a real one. "
        f"Least of the judged chapters is cited by the library author for: {weakest}.",
        by_author,
        queries,
    )


def _sections(by_author: Mapping[str, Sequence[Course]]) -> Table:
    return sections_table(
        "Sections, as a teacher would choose them",
        f"Of the plans of {HOURS:g} hours those whose query has its sections graded: for each, those of the "
        "chapters that the search found, from titles, by helpers who knew neither search nor author "
        "(`tests/bench/judged_sections.json`): the core of a course on it, worth reading where time is left, "
        "to be struck out. Shares are of the minutes cited, each section once; “core found” is of what there "
        f"is, or of {GOAL:.0%} of the hours where there is more. The author's weights "
        "(`pipeline/authors/signs.py`) were fitted on the first set; how well it orders sections says "
        "`python -m tests.bench.section_relevance`. A teacher is strict: much of what is struck out stands "
        "beside the topic, in the right chapter.",
        by_author,
    )


async def _written(author: Author, works: Iterable[Assignment]) -> list[Course]:
    gate = asyncio.Semaphore(AT_ONCE if not isinstance(author, LibraryAuthor) else 1)

    async def one(work: Assignment) -> Course:
        async with gate:
            return await write(author, work)

    return list(await asyncio.gather(*map(one, works)))


def _page(tables: Iterable[Table], outlines: str) -> str:
    shown = "\n\n".join(table.markdown().replace("## ", "### ", 1) for table in tables)
    return f"""Written by `{COMMAND}`; figures are defined in `tests/bench/plan_metrics.py` and
`pipeline/authors/quality.py`.

{shown}

### Twenty outlines, read as a teacher would

The library author's plans as they are, with sources (book, chapter). In italics: what is good about them and
what is still weak.

{outlines}"""
