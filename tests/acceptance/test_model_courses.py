"""Courses by a model over the whole library: every source exists, minutes add up, the report is true.

TEST_MODEL_COURSES says how many; 20 by default. The model is careless in all the ways that a real one is.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from pipeline.backing import Backing
from pipeline.settings import AuthorName, Settings
from tests import quality_check
from tests.journeys import log_until_over
from tests.openai_server import OpenAIServer
from tests.openai_server.client import ModelProcess
from tests.processes import run_web, run_worker

COURSES = int(os.environ.get("TEST_MODEL_COURSES", "20"))
AT_ONCE = 10
HOURS = (2, 0.5, 6.5, 1.75, 12, 3, 1, 4)
DEPTHS = (None, "overview", "technical", "expert")
CARELESS: tuple[dict[str, bool], ...] = (
    {},
    {"repeat_choices": True},
    {"surplus_items": True, "long_strings": True},
    {"odd_numbers": True, "extra_text": True},
)
QUERIES: list[str] = [
    case["query"]
    for case in json.loads((Path(__file__).parent.parent / "integration/queries.json").read_text("utf-8"))[
        "held_out"
    ]["covered"]
]


@pytest.fixture(scope="module")
def base_url(
    backing: Backing,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    model_process: ModelProcess,
) -> Iterator[str]:
    settings = Settings(
        database_url=module_database_url,
        redis_url=backing.redis_url,
        home=tmp_path_factory.mktemp("home"),
        author_choice=AuthorName.OPENAI,
        openai_api_key=SecretStr("test-key"),
        openai_base_url=f"{model_process.address}/v1",
    )
    with run_web(settings) as web, run_worker(settings):
        yield web.base_url


@pytest.fixture
async def http(base_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=base_url, timeout=60) as client:
        yield client


async def whole_library(http: httpx2.AsyncClient) -> dict[str, Any]:
    listed = (await http.get("/books")).json()["books"]
    shown = await asyncio.gather(*(http.get(f"/books/{book['book_id']}") for book in listed))
    return {book["book_id"]: book for book in (response.json() for response in shown)}


async def written(http: httpx2.AsyncClient, number: int) -> tuple[float, list[Any], dict[str, Any]]:
    """Return hours, log and finished course; an empty one where the library does not cover the query."""
    hours, depth = HOURS[number % len(HOURS)], DEPTHS[number % len(DEPTHS)]
    body: dict[str, Any] = {"query": QUERIES[number % len(QUERIES)], "hours": hours}
    if depth:
        body["preferences"] = {"depth": depth}
    course_id = (await http.post("/courses", json=body)).json()["course_id"]
    log = await log_until_over(http, course_id)
    if log[-1].get("error_code") == "no_relevant_books":
        return hours, log, {}
    assert log[-1]["type"] == "course_stored", log[-1]
    return hours, log, (await http.get(f"/courses/{course_id}")).json()


@pytest.mark.timeout(60 + 10 * COURSES)
@pytest.mark.parametrize("careless", CARELESS, ids=lambda quirks: "+".join(quirks) or "careful")
async def test_every_source_exists_minutes_add_up_and_the_report_is_true(
    http: httpx2.AsyncClient, openai_server: OpenAIServer, careless: dict[str, bool]
) -> None:
    await openai_server.configure(**careless)
    books = await whole_library(http)
    first = CARELESS.index(careless)
    numbers = range(first, COURSES, len(CARELESS))
    refused = 0
    for start in range(0, len(numbers), AT_ONCE):
        batch = await asyncio.gather(*(written(http, number) for number in numbers[start : start + AT_ONCE]))
        for hours, log, course in batch:
            if not course:
                refused += 1
                continue
            quality = course["course"]["quality"]
            found = next(m["books"] for m in log if m["type"] == "book_summaries_found")
            expected = quality_check.figures(course, books, found, hours)
            assert {name: quality[name] for name in expected} == expected
            assert expected["sources_valid"] == 1.0
            assert expected["budget_exact"]
            assert expected["within_bounds"]
            assert quality["tokens"]["calls"] >= 2
            reviewed = next(m for m in log if m["type"] == "outline_reviewed")
            assert reviewed["quality"] == quality
    assert refused <= max(1, len(numbers) // 10)
