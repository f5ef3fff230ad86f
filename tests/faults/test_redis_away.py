"""Redis is the doorbell: stopped, flushed or killed, nothing is lost and everything goes on."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from pipeline.settings import Settings
from tests.journeys import log_until_over, start
from tests.openai_server import OpenAIServer
from tests.own_servers import OwnRedis
from tests.processes import run_web, run_worker

SEEN_WITHIN_S = 2.5
"""The reconcile's two seconds, and the query."""


@pytest.fixture
def redis_settings(model_settings: Settings, own_redis: OwnRedis) -> Settings:
    return model_settings.model_copy(update={"redis_url": own_redis.url})


class Watcher:
    """Reads a course's SSE stream and notes how late each event came."""

    def __init__(self, http: httpx2.AsyncClient, course_id: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self.late_s: list[float] = []
        self._task = asyncio.create_task(self._read(http, course_id))

    async def _read(self, http: httpx2.AsyncClient, course_id: str) -> None:
        event = ""
        async with http.stream("GET", f"/courses/{course_id}/events", timeout=60) as response:
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                if line.startswith("data: ") and event == "update":
                    message = json.loads(line.removeprefix("data: "))
                    self.messages.append(message)
                    late = datetime.now(UTC) - datetime.fromisoformat(message["at"])
                    self.late_s.append(late.total_seconds())

    async def until_end(self) -> None:
        await asyncio.wait_for(self._task, 60)


async def test_a_request_is_durable_and_completes_while_redis_is_down(
    redis_settings: Settings, own_redis: OwnRedis, slow_model: OpenAIServer
) -> None:
    await slow_model.configure(delay_s=0.2)
    with run_web(redis_settings) as web, run_worker(redis_settings):
        async with httpx2.AsyncClient(base_url=web.base_url, timeout=30) as http:
            own_redis.stop()
            course_id = await start(http)
            assert (await http.get("/readyz")).json() == {"status": "ready", "degraded": ["redis"]}
            watcher = Watcher(http, course_id)
            log = await log_until_over(http, course_id)
            assert log[-1]["type"] == "course_stored"
            await watcher.until_end()
            assert watcher.messages == log
            assert max(watcher.late_s) < SEEN_WITHIN_S
            await own_redis.start()
            assert (await log_until_over(http, await start(http)))[-1]["type"] == "course_stored"


async def test_redis_lost_in_the_middle_stops_neither_the_run_nor_its_viewers(
    redis_settings: Settings, own_redis: OwnRedis, slow_model: OpenAIServer
) -> None:
    with run_web(redis_settings) as web, run_worker(redis_settings):
        async with httpx2.AsyncClient(base_url=web.base_url, timeout=30) as http:
            flushed, stopped = await start(http), await start(http)
            watchers = [Watcher(http, flushed), Watcher(http, stopped)]
            await slow_model.wait_for_call(lambda call: call.course_id == stopped and call.task == "parts")
            await own_redis.flush()
            await slow_model.wait_for_call(
                lambda call: call.course_id == stopped and call.task == "sections:0"
            )
            own_redis.stop()
            for course_id, watcher in zip((flushed, stopped), watchers, strict=True):
                log = await log_until_over(http, course_id)
                assert log[-1]["type"] == "course_stored"
                await watcher.until_end()
                assert watcher.messages == log
                assert max(watcher.late_s) < SEEN_WITHIN_S
            calls = await slow_model.calls("parts")
            assert len(calls) == 2, "no run was begun anew"
