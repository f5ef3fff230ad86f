"""``/ws``: many courses on one socket, each with its own cursor, errors and end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import websockets

from tests.journeys import log_until_over, start
from tests.running import RunningHouse

NOBODY = "00000000-0000-4000-8000-000000000000"


class Peer:
    """A client of ``/ws``."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket

    async def send(self, **message: Any) -> None:
        await self.send_raw(json.dumps(message))

    async def send_raw(self, text: str | bytes) -> None:
        await self._socket.send(text)

    async def receive(self) -> dict[str, Any]:
        """Return the next message that is not the heartbeat."""
        while True:
            message = json.loads(await asyncio.wait_for(self._socket.recv(), 20))
            if message["event"] != "ping":
                return dict(message)

    async def until_ended(self, count: int) -> dict[str, list[dict[str, Any]]]:
        """Collect messages by course until `count` subscriptions have ended."""
        received: dict[str, list[dict[str, Any]]] = {}
        ended = 0
        while ended < count:
            message = await self.receive()
            received.setdefault(message["course_id"], []).append(message)
            ended += message["event"] == "end"
        return received


@pytest.fixture
async def peer(running_house: RunningHouse) -> AsyncIterator[Peer]:
    async with websockets.connect(f"{running_house.base_url.replace('http', 'ws')}/ws") as socket:
        yield Peer(socket)


@pytest.fixture
async def http(running_house: RunningHouse) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=running_house.base_url, timeout=30) as client:
        yield client


def updates(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The updates as the log has them: without the ``event`` beside them."""
    return [{k: v for k, v in m.items() if k != "event"} for m in messages if m["event"] == "update"]


async def test_many_courses_come_over_one_socket_each_whole_and_in_order(
    peer: Peer, http: httpx2.AsyncClient
) -> None:
    ids = [await start(http, hours=1) for _ in range(20)]
    for course_id in ids:
        await peer.send(type="subscribe", course_id=course_id, after=0)
    received = await peer.until_ended(len(ids))
    assert set(received) == set(ids)
    for course_id, messages in received.items():
        assert messages[0]["event"] == "subscribed"
        assert messages[-1]["event"] == "end"
        assert updates(messages) == await log_until_over(http, course_id)


async def test_a_subscription_has_a_cursor_that_can_be_moved(peer: Peer, http: httpx2.AsyncClient) -> None:
    course_id = await start(http, hours=1)
    log = await log_until_over(http, course_id)
    await peer.send(type="subscribe", course_id=course_id, after=4)
    assert updates((await peer.until_ended(1))[course_id]) == log[4:]
    await peer.send(type="subscribe", course_id=course_id)
    assert updates((await peer.until_ended(1))[course_id]) == log
    await peer.send(type="subscribe", course_id=course_id, after=len(log))
    messages = (await peer.until_ended(1))[course_id]
    assert [m["event"] for m in messages] == ["subscribed", "end"]
    await peer.send(type="subscribe", course_id=course_id, after=99)
    messages = (await peer.until_ended(1))[course_id]
    assert [m["event"] for m in messages[:2]] == ["subscribed", "reset"]
    assert updates(messages) == log


async def test_a_subscription_is_not_lost_to_a_bad_cursor(peer: Peer, http: httpx2.AsyncClient) -> None:
    course_id = await start(http, hours=1)
    await peer.send(type="subscribe", course_id=course_id)
    assert (await peer.receive())["event"] == "subscribed"
    await peer.send(type="subscribe", course_id=course_id, after=-1)
    messages = [await peer.receive()]
    while messages[-1]["event"] != "end":
        messages.append(await peer.receive())
    assert "error" in [m["event"] for m in messages]
    assert updates(messages) == await log_until_over(http, course_id)


@pytest.mark.parametrize(
    ("message", "course_id"),
    [
        ({"type": "subscribe", "course_id": NOBODY}, NOBODY),
        ({"type": "subscribe", "course_id": "nonsense"}, "nonsense"),
        ({"type": "subscribe"}, "None"),
        ({"type": "subscribe", "course_id": NOBODY, "after": -1}, NOBODY),
        ({"type": "subscribe", "course_id": NOBODY, "after": True}, NOBODY),
        ({"type": "subscribe", "course_id": NOBODY, "after": "1"}, NOBODY),
        ({"type": "dance"}, None),
        ({}, None),
        ([1], None),
        ("text", None),
    ],
)
async def test_what_cannot_be_done_is_an_error_and_the_socket_goes_on(
    peer: Peer, message: Any, course_id: str | None
) -> None:
    await peer.send_raw(json.dumps(message))
    answer = await peer.receive()
    assert (answer["event"], answer["course_id"]) == ("error", course_id)
    assert answer["error"][-1] == "."
    await peer.send(type="ping")
    assert await peer.receive() == {"event": "pong"}


async def test_what_is_no_json_is_an_error_and_the_socket_goes_on(peer: Peer) -> None:
    for text in ("", "{", "[" * 30_000, b"bytes"):
        await peer.send_raw(text)
        assert (await peer.receive())["event"] == "error"
    await peer.send(type="unsubscribe", course_id=NOBODY)
    await peer.send(type="ping")
    assert await peer.receive() == {"event": "pong"}


async def test_polls_agree_with_what_was_just_said(http: httpx2.AsyncClient) -> None:
    """The kept status is never behind an answer that the same caller already got."""
    for _ in range(10):
        course_id = await start(http, hours=1)
        view = (await http.get(f"/courses/{course_id}/status")).json()
        while view["status"] == "processing":
            long = (await http.get(f"/courses/{course_id}/status?after={view['seq']}&wait_s=5")).json()
            view = (await http.get(f"/courses/{course_id}/status")).json()
            assert view["seq"] >= long["seq"]
        again = await http.get(f"/courses/{course_id}/status")
        tag = {"If-None-Match": again.headers["etag"]}
        unchanged = await http.get(f"/courses/{course_id}/status", headers=tag)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
