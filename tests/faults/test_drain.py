"""A server that goes away says so: streams are told to come back, long-polls are answered, nobody hangs."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import httpx2
import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from pipeline.settings import Settings
from tests.journeys import start
from tests.processes import Web, run_web

EXIT_S = 10.0


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """A server without a worker: its courses stay as they are."""
    with run_web(settings) as process:
        yield process


@pytest.fixture
async def http(web: Web) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=web.base_url, timeout=30) as client:
        yield client


async def viewers(http: httpx2.AsyncClient) -> int:
    lines = (await http.get("/metrics")).text.splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith("coursecast_viewers "))
    return int(float(value))


async def until_viewers(http: httpx2.AsyncClient, count: int) -> None:
    async with asyncio.timeout(10):
        while await viewers(http) != count:
            await asyncio.sleep(0.02)  # another process: its gauge is all there is to see


async def test_a_drain_tells_every_transport_to_come_back(web: Web, http: httpx2.AsyncClient) -> None:
    course_id = await start(http)
    seen: dict[str, object] = {}

    async def watch_events() -> None:
        async with http.stream("GET", f"/courses/{course_id}/events") as response:
            seen["events"] = [line async for line in response.aiter_lines()]

    async def watch_socket() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{web.port}/courses/{course_id}/ws") as peer:
            await peer.recv()
            with pytest.raises(ConnectionClosed) as closed:
                await peer.recv()
            assert closed.value.rcvd is not None
            seen["code"] = closed.value.rcvd.code

    async def long_poll() -> None:
        response = await http.get(f"/courses/{course_id}/status?after=1&wait_s=25")
        seen["poll"] = (response.status_code, response.json()["events"])

    async with asyncio.TaskGroup() as watching:
        for watch in (watch_events, watch_socket, long_poll):
            watching.create_task(watch())
        await until_viewers(http, 3)
        took_s = await asyncio.to_thread(web.stop)
    assert took_s < EXIT_S
    lines = seen["events"]
    assert isinstance(lines, list)
    assert lines[0].startswith("retry: ")
    assert "event: update" in lines
    assert "event: end" not in lines
    assert [line for line in lines if line][-1].startswith("retry: ")
    assert seen["code"] == 1012
    assert seen["poll"] == (200, [])


async def test_peers_that_never_read_do_not_hold_up_the_exit(web: Web, http: httpx2.AsyncClient) -> None:
    course_id = await start(http)
    peers = []
    for _ in range(20):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.connect(("127.0.0.1", web.port))
        peer.sendall(f"GET /courses/{course_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        peers.append(peer)
    await until_viewers(http, 20)
    assert await asyncio.to_thread(web.stop) < EXIT_S
    for peer in peers:
        peer.close()


async def test_viewers_that_vanish_are_forgotten(web: Web, http: httpx2.AsyncClient) -> None:
    course_id = await start(http)
    peers = []
    for _ in range(50):
        peer = socket.create_connection(("127.0.0.1", web.port))
        peer.sendall(f"GET /courses/{course_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        peers.append(peer)
    await until_viewers(http, 50)
    for peer in peers:
        peer.close()
    await until_viewers(http, 0)


async def test_a_killed_server_is_resumed_from_the_cursor_at_another(
    web: Web, http: httpx2.AsyncClient, settings: Settings
) -> None:
    course_id = await start(http)
    with run_web(settings) as other:
        async with httpx2.AsyncClient(base_url=other.base_url, timeout=30) as elsewhere:
            async with http.stream("GET", f"/courses/{course_id}/events") as response:
                lines = response.aiter_lines()
                async for line in lines:
                    if line == "id: 1":
                        break
                threading.Thread(target=web.kill).start()
                with pytest.raises(httpx2.TransportError):
                    async for _ in lines:
                        pass
            await elsewhere.post(f"/courses/{course_id}/cancel")
            headers = {"Last-Event-ID": "1"}
            async with elsewhere.stream("GET", f"/courses/{course_id}/events", headers=headers) as response:
                ids = [line async for line in response.aiter_lines() if line.startswith("id: ")]
            assert ids == ["id: 2"]
