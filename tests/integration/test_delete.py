"""Deleting a course, and keeping it as Markdown, over HTTP."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import websockets

from server import markdown
from server.wire import FinishedCourse
from tests.journeys import log_until_over, start
from tests.running import RunningHouse

TIMEOUT_S = 20


@pytest.fixture
async def http(running_house: RunningHouse) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=running_house.base_url, timeout=30) as client:
        yield client


async def streamed(http: httpx2.AsyncClient, course_id: str, opened: asyncio.Event) -> list[tuple[str, Any]]:
    """Return (event, data) of a course's stream until it closes; `opened` is set by its first event."""
    found: list[tuple[str, Any]] = []
    async with http.stream("GET", f"/courses/{course_id}/events") as response:
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                found.append((line.removeprefix("event: "), None))
            elif line.startswith("data: "):
                found[-1] = (found[-1][0], json.loads(line.removeprefix("data: ")))
                opened.set()
    return found


async def test_a_course_in_the_making_is_cancelled_and_gone(
    http: httpx2.AsyncClient, running_house: RunningHouse
) -> None:
    running_house.worker.send(signal.SIGSTOP)
    try:
        course_id = await start(http)
        opened = asyncio.Event()
        stream = asyncio.create_task(streamed(http, course_id, opened))
        url = f"{running_house.base_url.replace('http', 'ws')}/courses/{course_id}/ws"
        async with websockets.connect(url) as socket, asyncio.timeout(TIMEOUT_S):
            assert json.loads(await socket.recv())["seq"] == 1  # it was accepted, and found the course
            await opened.wait()
            waiting = asyncio.create_task(http.get(f"/courses/{course_id}/status?after=1&wait_s=20"))
            response = await http.delete(f"/courses/{course_id}")
            assert (response.status_code, response.content) == (204, b"")
            told = await stream
            socket_told = [json.loads(message) async for message in socket]
            assert socket.close_code == 1000
            assert (await waiting).status_code in (200, 404)
    finally:
        running_house.worker.send(signal.SIGCONT)
    assert [event for event, _ in told] == ["update", "update", "end"]
    assert (told[1][1]["type"], told[1][1]["error_code"]) == ("course_failed", "cancelled")
    assert [message["event"] for message in socket_told] == ["update", "end"]
    for path in ("", ".md", "/status", "/events"):
        assert (await http.get(f"/courses/{course_id}{path}")).status_code == 404
    assert (await http.delete(f"/courses/{course_id}")).json()["error"]["code"] == "course_not_found"


async def test_a_finished_course_is_a_markdown_document_until_it_is_deleted(
    http: httpx2.AsyncClient,
) -> None:
    course_id = await start(http)
    unfinished = await http.get(f"/courses/{course_id}.md")
    await log_until_over(http, course_id)
    course = FinishedCourse.model_validate((await http.get(f"/courses/{course_id}")).json())
    found = await http.get(f"/courses/{course_id}.md")
    assert found.text == markdown.document(course)
    assert found.headers["content-type"] == "text/markdown; charset=utf-8"
    assert found.headers["content-disposition"].startswith('inline; filename="course.md"; filename*=UTF-8')
    assert found.headers["x-content-type-options"] == "nosniff"
    if unfinished.status_code != 200:  # the library may have been quicker than we
        assert (unfinished.status_code, unfinished.json()["error_code"]) == (409, "processing")
    await http.get(f"/courses/{course_id}/status")  # a poller's row is kept
    assert (await http.delete(f"/courses/{course_id}")).status_code == 204
    assert (await http.get(f"/courses/{course_id}/status")).status_code == 404
    listed = (await http.get("/courses")).json()["courses"]
    assert course_id not in [line["course_id"] for line in listed]


async def test_the_key_of_a_deleted_course_asks_for_a_new_one(http: httpx2.AsyncClient) -> None:
    async def ask() -> str:
        body = {"query": "supply and demand"}
        response = await http.post("/courses", json=body, headers={"Idempotency-Key": "again"})
        return str(response.json()["course_id"])

    first = await ask()
    assert await ask() == first
    await http.delete(f"/courses/{first}")
    assert await ask() != first


async def test_pages_of_other_sites_may_not_delete(http: httpx2.AsyncClient) -> None:
    course_id = await start(http)
    refused = await http.delete(f"/courses/{course_id}", headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403
    assert (await http.get(f"/courses/{course_id}/status")).status_code == 200
