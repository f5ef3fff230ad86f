"""Many courses before an endpoint that takes only so many calls: they wait together instead of stampeding."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from pipeline.authors.openai import OpenAIAuthor
from pipeline.errors import AuthorUnavailable
from pipeline.retry import Again, decide
from tests.integration.test_openai_author import assignment
from tests.openai_server import OpenAIServer

COURSES = 80
PER_S = 20


@pytest.fixture
async def author(openai_server: OpenAIServer) -> AsyncIterator[OpenAIAuthor]:
    author = OpenAIAuthor(
        base_url=openai_server.base_url, key="none", model="test-model", max_calls=COURSES, probe_after_s=0.0
    )
    yield author
    await author.close()


async def as_a_run_would(author: OpenAIAuthor) -> int:
    """Write the parts of a course, tried again as the runner does; return how often it was turned away."""
    work = assignment()
    attempt = 1
    while True:
        try:
            await author.parts(work)
        except AuthorUnavailable as error:
            decision = decide("parts", error, attempt, jitter=random.random())
            assert isinstance(decision, Again), f"given up after {attempt} attempts"
            await asyncio.sleep(decision.wait_s)
            attempt += 1
        else:
            return attempt - 1


async def test_a_stampede_is_turned_away_once_and_then_keeps_to_the_pace_of_the_endpoint(
    author: OpenAIAuthor, openai_server: OpenAIServer
) -> None:
    await openai_server.configure(limit_per_s=PER_S)
    turned_away = await asyncio.gather(*(as_a_run_would(author) for _ in range(COURSES)))
    calls = Counter(call.status for call in await openai_server.calls("parts"))
    assert calls["completed"] == COURSES
    assert calls["failed"] == sum(turned_away)
    assert (
        calls["failed"] <= COURSES
    )  # most of them in the first instant; without the gate, several times that
    assert max(turned_away) <= 3


async def test_nobody_calls_before_the_wait_is_over(
    author: OpenAIAuthor, openai_server: OpenAIServer
) -> None:
    await openai_server.configure(fail_next=[{"status": 429, "retry_after": 1}])
    with pytest.raises(AuthorUnavailable):
        await author.parts(assignment())
    await asyncio.gather(*(author.parts(assignment()) for _ in range(4)))
    first, *others = await openai_server.calls("parts")
    starts = [call.started - first.started for call in others]
    assert min(starts) >= 0.99
    assert starts[2] - starts[0] >= 0.3  # few at first


async def test_a_busy_endpoint_that_names_no_wait_is_not_one_that_limits(
    author: OpenAIAuthor, openai_server: OpenAIServer
) -> None:
    await openai_server.configure(fail_next=[{"status": 503}])
    with pytest.raises(AuthorUnavailable):
        await author.parts(assignment())
    async with asyncio.timeout(0.8):
        await author.parts(assignment())


async def test_less_is_not_believed_to_be_all_for_ever(
    author: OpenAIAuthor, openai_server: OpenAIServer
) -> None:
    """The endpoint refused for another reason, or was replaced by a better one."""
    await openai_server.configure(refuse_json_schema=True)
    await author.parts(assignment())
    await openai_server.configure(refuse_json_schema=False)
    await author.parts(assignment())  # probe_after_s is 0 here
    await author.parts(assignment())
    calls = [c.response_format for c in await openai_server.calls("parts")]
    assert calls == ["json_schema", "json_object", "json_schema", "json_schema"]
