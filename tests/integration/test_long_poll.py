"""The long-poll while Postgres is slow: it waits as long as it was asked to; slowness alone is no error."""

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.database import Pool, migrate, open_pool
from pipeline.log import Log
from pipeline.requests import Requests
from server import status
from server.hub import Hub
from server.statuses import Statuses
from tests.integration.test_log import create


@pytest.fixture
async def narrow_pool(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """A pool of one connection, for which nobody waits longer than a moment."""
    for module in ("entries", "requests", "intake"):
        monkeypatch.setattr(f"pipeline.{module}.ACQUIRE_TIMEOUT_S", 0.05)
    monkeypatch.setattr("server.status.AGAIN_S", 0.1)
    pool = await open_pool(database_url, max_size=1)
    await migrate(pool)
    yield pool
    await pool.close()


@pytest.fixture
async def tools(narrow_pool: Pool, redis_url: str) -> AsyncIterator[Any]:
    log, requests = Log(narrow_pool), Requests(narrow_pool)
    hub = Hub(log, redis_url, max_viewers=50)
    running = asyncio.create_task(hub.run())
    yield SimpleNamespace(log=log, requests=requests, hub=hub, statuses=Statuses(hub, requests))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def poll(tools: Any, course_id: str, after: int, wait_s: float) -> dict[str, Any]:
    code, _, body = await status._long_poll(tools, course_id, after, wait_s)
    assert code == 200
    return dict(json.loads(body))


async def test_what_is_there_is_told_as_soon_as_the_database_answers(tools: Any, narrow_pool: Pool) -> None:
    course_id = await create(tools.requests)
    async with narrow_pool.acquire():
        asked = asyncio.create_task(poll(tools, course_id, 0, 10))
        await asyncio.sleep(0.3)
        assert not asked.done()
    view = await asked
    assert [event["seq"] for event in view["events"]] == [1]
    assert (view["seq"], view["more"]) == (1, False)


async def test_one_that_stays_slow_costs_the_wait_where_the_view_is_known(
    tools: Any, narrow_pool: Pool
) -> None:
    course_id = await create(tools.requests)
    async with asyncio.timeout(5):
        while tools.statuses.kept(course_id) is None:
            await tools.statuses.get(course_id)
            await asyncio.sleep(0.02)  # a row is kept once the course's channel is confirmed
    async with narrow_pool.acquire():
        view = await poll(tools, course_id, 0, 0.3)
        assert (view["events"], view["seq"], view["more"]) == ([], 1, True)


@pytest.mark.parametrize("wait_s", [0, 0.2])
async def test_a_cursor_newer_than_the_kept_view_is_no_strange_one(tools: Any, wait_s: float) -> None:
    course_id = await create(tools.requests)
    async with asyncio.timeout(5):
        while (kept := tools.statuses.kept(course_id)) is None:
            await tools.statuses.get(course_id)
            await asyncio.sleep(0.02)
    await tools.requests.cancel(course_id)  # by another process; Redis says nothing
    tools.hub.watched(course_id).status = kept.row
    view = await poll(tools, course_id, 2, wait_s)
    assert view["events"] == []
    assert "reset" not in view
    assert (view["seq"], view["status"]) == (2, "error")


async def test_where_nothing_is_known_it_is_said_that_the_database_is_away(
    tools: Any, narrow_pool: Pool
) -> None:
    course_id = await create(tools.requests)
    async with narrow_pool.acquire():
        with pytest.raises(TimeoutError):
            await status._long_poll(tools, course_id, 0, 0.3)
