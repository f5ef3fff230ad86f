"""Peers that ask and never read, with a receive buffer that is soon full."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from tests.bench.live import machine
from tests.bench.live.soaks import SPARE_SOCKETS, asking, size_of, viewers_of
from tests.bench.live.world import World, serving
from tests.bench.live.writing import Writer
from tests.processes import Web


@dataclass(frozen=True, kw_only=True)
class SilentOutcome:
    """Memory in bytes, times in seconds."""

    peers: int
    served: int
    """How many of them became viewers."""
    served_s: float
    """After how long all of those had."""
    log_bytes: int
    before_bytes: int
    peak_bytes: int
    after_bytes: int
    again_bytes: int
    """With as many again: what was kept from the first is used again, or it was a leak."""
    gone_s: float
    sockets_left: int
    exit_s: float


RECEIVE_BUFFER = 4_096
GONE_WITHIN_S = 60.0
STEADY_S = 4.0


async def silent(world: World, *, peers: int, courses: int, entries: int, padding: int) -> SilentOutcome:
    """Open peers that ask and never read, wait until they are gone; then the same and SIGTERM."""
    ids = await world.courses(courses)
    await Writer(world.pool, None).lengthen(ids, entries, padding)
    async with serving(world.settings) as web, asking(web) as http, contextlib.AsyncExitStack() as opened:
        assert await viewers_of(http) == 0
        before, sockets = size_of(web)
        machine.reset_peak(web.pid)
        began = time.monotonic()
        served = await open_silent(web, http, ids, peers, opened)
        served_s = time.monotonic() - began
        left = await until_gone(web, http, sockets)
        gone_s = time.monotonic() - began
        peak = machine.peak_bytes(web.pid)
        await asyncio.sleep(1)
        after, _ = size_of(web)
        await open_silent(web, http, ids, peers, opened)
        await asyncio.sleep(2)  # so that their buffers are full
        again, _ = size_of(web)
        exit_s = await asyncio.to_thread(web.stop, 60)
    return SilentOutcome(
        peers=peers,
        served=served,
        served_s=served_s,
        log_bytes=entries * (700 + padding),
        before_bytes=before,
        peak_bytes=peak,
        after_bytes=after,
        again_bytes=again,
        gone_s=gone_s,
        sockets_left=left,
        exit_s=exit_s,
    )


async def open_silent(
    web: Web, http: httpx2.AsyncClient, ids: Sequence[str], peers: int, stack: contextlib.AsyncExitStack
) -> int:
    """Open peers with a small receive buffer that ask for a course's events and never read.

    Returns how many became viewers: one that is told to come back cannot, for it does not read.
    """
    for i in range(peers):
        peer = stack.enter_context(socket.socket())
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        peer.connect(("127.0.0.1", web.port))
        peer.sendall(f"GET /courses/{ids[i % len(ids)]}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    served, steady_at = 0, time.monotonic()
    while served < peers and time.monotonic() - steady_at < STEADY_S:
        now_served = await viewers_of(http)  # another process: its gauge is all there is to see
        if now_served > served:
            served, steady_at = now_served, time.monotonic()
        await asyncio.sleep(0.05)
    return served


async def until_gone(web: Web, http: httpx2.AsyncClient, sockets: int) -> int:
    """Wait until a server has no viewers and no more than its `sockets`; return how many more are left."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline:
        left = machine.open_sockets(web.pid, web.port) - sockets
        if await viewers_of(http) == 0 and left <= SPARE_SOCKETS:
            return max(0, left)
        await asyncio.sleep(0.1)
    return machine.open_sockets(web.pid, web.port) - sockets
