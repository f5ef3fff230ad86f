"""Clients that know nothing of us follow a course event by event, also behind an nginx as it comes.

The course stands still at each step until the client has told of the one before: whatever buffers would
wait for ever.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from statistics import median
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests import node
from tests.acceptance import ordinary_clients as clients
from tests.acceptance.ordinary_clients import Client, Course
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.gated import GatedCourse, Stage
from tests.journeys import log_now
from tests.nginx import NGINX, run_nginx
from tests.processes import Web

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.nginx,
    pytest.mark.skipif(NGINX is None, reason="needs nginx"),
]

COURSE_S = 30.0
AT_ONCE_S = 1.0
"""From a step's release to the client's report, usually; what nobody rang for would take the hub 2 s."""

needs_node = [pytest.mark.node, pytest.mark.skipif(node.IS_MISSING, reason=node.REASON)]
needs_chromium = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")

STREAMS = [
    pytest.param(clients.curl, ["end"], marks=needs_curl, id="curl -N"),
    pytest.param(clients.httpx_sse, ["end"], id="httpx-sse"),
    pytest.param(clients.python_websockets, ["end"], id="websockets"),
    pytest.param(clients.node("eventsource"), ["end", "closed 204"], marks=needs_node, id="eventsource"),
    pytest.param(clients.node("fetch"), ["end"], marks=needs_node, id="Node fetch"),
    pytest.param(clients.node("websocket"), ["end", "closed 1000"], marks=needs_node, id="Node WebSocket"),
    pytest.param(clients.event_source, ["end", "closed"], marks=needs_chromium, id="EventSource"),
    pytest.param(clients.web_socket, ["end", "closed 1000"], marks=needs_chromium, id="browser WebSocket"),
]


@pytest.fixture(scope="module")
def nginx(web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_nginx(web.base_url, tmp_path_factory.mktemp("nginx")) as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser | None]:
    if CHROMIUM is None:
        yield None
        return
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        await started.close()


class Watching:
    """What one client told of one gated course, and the hand at its gate."""

    def __init__(self, course: GatedCourse, *, has_drafts: bool) -> None:
        self.messages: list[dict[str, Any]] = []
        self.last_words: list[str] = []
        self.waits_s: list[float] = []
        self.drafted: set[str] = set()
        self._course = course
        self._has_drafts = has_drafts
        self._opened_at: float | None = None
        self._stepped_after = 0
        self._clock = asyncio.get_running_loop().time

    async def all_of(self, client: Client, where: Course) -> None:
        """Follow the course until the client ends by itself."""
        async with asyncio.timeout(COURSE_S), aclosing(client(where)) as events:
            async for event, data in events:
                if event == "update":
                    self._update(data)
                elif event == "draft":
                    self.drafted.add(data["task"])
                elif event in ("end", "closed"):
                    self.last_words.append(f"{event} {data['code']}" if "code" in data else event)
                self._step_where_due()

    def _update(self, message: dict[str, Any]) -> None:
        if self._opened_at is not None:
            self.waits_s.append(self._clock() - self._opened_at)
            self._opened_at = None
        if not self.messages:
            self._course.begin()
        self.messages.append(message)

    def _step_where_due(self) -> None:
        """Open the gate once for the newest message, and not before its task's draft was told of."""
        message = self.messages[-1]
        seq, progress = message["seq"], message["progress"]
        if seq == self._stepped_after or message["status"] != "processing":
            return
        wanted: set[str] = set()
        match message["type"]:
            case "parts_generated" | "part_sections_generated":
                parts = progress["parts_count"]
                if progress["parts_done"] == parts:  # all_parts_complete comes with it
                    return
                wanted = {f"sections:{i}" for i in range(parts)}
            case "book_summaries_found":
                wanted = {"parts"}
            case "all_parts_complete":
                wanted = {"review"}
            case "outline_reviewed":  # nothing is gated after it
                return
        if self._has_drafts and not wanted <= self.drafted:
            return
        self._stepped_after = seq
        self._opened_at = self._clock()
        self._course.step()


async def follow(stage: Stage, client: Client, origin: str, browser: Browser | None) -> Watching:
    course = await stage.course(origin)
    watching = Watching(course, has_drafts=client is not clients.long_poll)
    await watching.all_of(client, Course(origin=origin, course_id=course.course_id, browser=browser))
    async with httpx.AsyncClient(base_url=origin) as http:
        assert watching.messages == await log_now(http, course.course_id)
    assert watching.messages[-1]["type"] == "course_stored"
    return watching


@pytest.mark.parametrize(("client", "last_words"), STREAMS)
async def test_each_event_arrives_before_the_next_is_made(
    stage: Stage, web: Web, nginx: str, browser: Browser | None, client: Client, last_words: list[str]
) -> None:
    direct, proxied = await asyncio.gather(
        follow(stage, client, web.base_url, browser), follow(stage, client, nginx, browser)
    )
    for watching in (direct, proxied):
        assert watching.last_words == last_words
        assert watching.drafted == {"parts", "sections:0", "sections:1", "sections:2", "review"}
        assert len(watching.waits_s) == 7
        assert median(watching.waits_s) < AT_ONCE_S


async def test_each_answer_of_a_long_poll_arrives_before_the_next_event_is_made(
    stage: Stage, web: Web, nginx: str
) -> None:
    for watching in await asyncio.gather(
        follow(stage, clients.long_poll, web.base_url, None), follow(stage, clients.long_poll, nginx, None)
    ):
        assert median(watching.waits_s) < AT_ONCE_S


class Survivor:
    """What a client told of a course whose server dies after the first event."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.began = asyncio.Event()

    async def all_of(self, client: Client, where: Course) -> None:
        async with asyncio.timeout(COURSE_S), aclosing(client(where)) as events:
            async for event, data in events:
                if event == "update":
                    self.messages.append(data)
                    self.began.set()


@pytest.mark.chromium
@pytest.mark.node
@pytest.mark.skipif(CHROMIUM is None or node.IS_MISSING, reason=f"needs Debian's chromium; {node.REASON}")
async def test_who_comes_back_by_itself_misses_nothing(
    stage: Stage, web: Web, browser: Browser | None
) -> None:
    course = await stage.course(web.base_url)
    where = Course(origin=web.base_url, course_id=course.course_id, browser=browser)
    on_node, in_chromium = Survivor(), Survivor()
    async with asyncio.TaskGroup() as watching:
        watching.create_task(on_node.all_of(clients.node("eventsource"), where))
        watching.create_task(in_chromium.all_of(clients.event_source, where))
        await asyncio.gather(on_node.began.wait(), in_chromium.began.wait())
        web.kill()
        course.begin()
        course.run_free()
        web.restart()
        await asyncio.to_thread(web.wait_ready)
    async with httpx.AsyncClient(base_url=web.base_url) as http:
        log = await log_now(http, course.course_id)
    assert log[-1]["type"] == "course_stored"
    assert on_node.messages == in_chromium.messages == log
