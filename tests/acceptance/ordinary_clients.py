"""Clients that know nothing of us, each as its own manual has it: what comes, as (event, data) pairs.

Each ends when that client would: the server closed the stream, or told it to stop. Nothing here comes back
from an interruption or skips a repetition unless the client does so by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import websockets
from httpx_sse import aconnect_sse
from playwright.async_api import Browser

from tests.node import NODE, PACKAGES

Events = AsyncGenerator[tuple[str, dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where a client finds a course."""

    origin: str
    course_id: str
    browser: Browser | None = None

    @property
    def events_url(self) -> str:
        return f"{self.origin}/courses/{self.course_id}/events"

    @property
    def websocket_url(self) -> str:
        return f"{self.origin.replace('http', 'ws', 1)}/courses/{self.course_id}/ws"

    @property
    def status_url(self) -> str:
        return f"{self.origin}/courses/{self.course_id}/status"


Client = Callable[[Course], Events]


# --- programs -----------------------------------------------------------------------------------------


async def curl(course: Course) -> Events:
    """``curl -N``: what it prints, cut at the empty lines."""
    fields: dict[str, str] = {}
    async for line in _printed("curl", "--silent", "--fail", "-N", course.events_url):
        if not line:
            if "data" in fields:
                yield fields["event"], json.loads(fields["data"])
            fields = {}
        name, _, value = line.partition(": ")
        fields[name] = value


def node(how: str) -> Client:
    """``tests/npm/watch.mjs`` in one of its ways."""

    async def watch(course: Course) -> Events:
        url = course.websocket_url if how == "websocket" else course.events_url
        async for line in _printed(NODE, str(PACKAGES / "watch.mjs"), how, url):
            event, data = json.loads(line)
            yield event, _message(data)

    return watch


async def _printed(*command: str) -> AsyncGenerator[str, None]:
    """Yield the lines a program prints, as it prints them; it has to end well by itself."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=2**24)
    assert process.stdout
    try:
        async for line in process.stdout:
            yield line.decode().rstrip("\n")
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# --- Python -------------------------------------------------------------------------------------------


async def httpx_sse(course: Course) -> Events:
    async with (
        httpx.AsyncClient(timeout=30) as http,
        aconnect_sse(http, "GET", course.events_url) as source,
    ):
        async for event in source.aiter_sse():
            yield event.event, event.json()


async def python_websockets(course: Course) -> Events:
    async with websockets.connect(course.websocket_url) as socket:
        async for text in socket:
            message = json.loads(text)
            yield message.pop("event"), message


async def long_poll(course: Course) -> Events:
    after = 0
    async with httpx.AsyncClient(timeout=30) as http:
        while True:
            answer = await http.get(course.status_url, params={"after": after, "wait_s": 25})
            view = answer.raise_for_status().json()
            for message in view["events"]:
                after = message["seq"]
                yield "update", message
            if view["status"] != "processing" and not view["more"]:
                return


# --- a browser ----------------------------------------------------------------------------------------

EVENT_SOURCE = """url => {
  const source = new EventSource(url);
  for (const name of ["update", "draft", "reset", "ping", "end"]) {
    source.addEventListener(name, ({ data }) => tell(name, data));
  }
  source.onerror = () => source.readyState === EventSource.CLOSED && tell("closed", "");
}"""
WEB_SOCKET = """url => {
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => tell(JSON.parse(data).event, data);
  socket.onclose = ({ code }) => tell("closed", String(code));
}"""


async def event_source(course: Course) -> Events:
    async for event in _in_a_page(course, EVENT_SOURCE, course.events_url):
        yield event


async def web_socket(course: Course) -> Events:
    async for event in _in_a_page(course, WEB_SOCKET, course.websocket_url):
        yield event


async def _in_a_page(course: Course, script: str, url: str) -> Events:
    """Run a script in a bare page of the course's origin; yield what it tells until it tells ``closed``."""
    assert course.browser
    told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    page = await course.browser.new_page()
    try:
        await page.expose_function("tell", lambda event, data: told.put_nowait((event, data)))
        await page.goto(f"{course.origin}/healthz")
        await page.evaluate(script, url)
        event = ""
        while event != "closed":
            event, data = await told.get()
            yield event, _message(data)
    finally:
        await page.close()


def _message(data: str) -> dict[str, Any]:
    """Return an event's data; a close code is no object."""
    message = json.loads(data or "{}")
    if not isinstance(message, dict):
        return {"code": message}
    message.pop("event", None)
    return message
