"""Connections: pushed to within the hub's own call, pumped where something has to wait, freed at once."""

import asyncio
import json
from collections.abc import Callable

import pytest
from sse_starlette.event import ServerSentEvent
from starlette.types import Message

from pipeline.bus import Draft
from pipeline.entries import PAGE_BYTES
from pipeline.log import Entry, Log
from server import frames
from server.feed import Feed
from server.frames import EntryFrame
from server.hub import Hub
from server.sse import SSE
from server.stream import Stream
from server.viewers import ROUND
from server.websocket import SOCKET
from tests.hub_house import TIMEOUT_S, Course, House


class Peer:
    """The other end of one connection: takes what is sent while it reads, and leaves when told."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.left = asyncio.Event()
        self.aborted = False
        self.fault: Exception | None = None
        self.changed = asyncio.Event()
        self.serving: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """As uvicorn's: waits only while the send buffer is full."""
        if not self.reads.is_set():
            await self.reads.wait()
        if self.fault is not None:
            raise self.fault
        if self.left.is_set():
            raise OSError("the peer is gone")
        self.sent.append(message)
        self.changed.set()
        if message["type"] == "websocket.close" or message.get("more_body") is False:
            self.left.set()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    def abort(self) -> None:
        """As uvicorn's, when the connection is lost: whoever waits to send goes on."""
        self.aborted = True
        self.left.set()
        self.reads.set()

    async def watch(self, hub: Hub, log: Log, course_id: str, cursor: int = 0) -> Stream:
        feed = await Feed.open(log, hub, course_id, cursor, self.abort)
        stream = Stream(feed, self.send, SSE)
        self.serving = asyncio.create_task(stream.serve(self.receive))
        return stream

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something holds, looking whenever something was sent."""
        async with asyncio.timeout(TIMEOUT_S):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    @property
    def seqs(self) -> list[int]:
        body = b"".join(message["body"] for message in self.sent)
        return [int(line[4:]) for line in body.split(b"\n") if line.startswith(b"id: ")]

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent)


async def parked(house: House, course: Course) -> tuple[Peer, Stream]:
    """A viewer that has all there is."""
    peer = Peer()
    stream = await peer.watch(house.hub, house.log, course.course_id)
    await peer.until(lambda: peer.seqs[-1:] == [course.state.seq])
    await turns()
    assert stream._feed.viewer.parked is stream
    return peer, stream


async def turns(count: int = 10) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_the_hub_is_told_is_sent_within_the_same_call(house: House) -> None:
    course = await house.course()
    peer, stream = await parked(house, course)
    tasks = asyncio.all_tasks()
    entries = await course.step(publish=False)
    house.hub.tell(entries)
    assert peer.seqs == [1, 2]
    house.hub.tell(entries)  # Redis repeats what this process appended
    assert peer.seqs == [1, 2]
    assert stream._pump is None
    assert asyncio.all_tasks() == tasks


async def test_a_push_that_has_to_wait_is_finished_by_a_pump_and_the_order_stays(house: House) -> None:
    course = await house.course()
    peer, stream = await parked(house, course)
    peer.reads.clear()
    for _ in range(4):
        house.hub.tell(await course.step(publish=False))
        house.hub._on_item(Draft(course.course_id, "parts", 9, course.state.seq, b'{"n":1}'))
    await turns()
    viewer = stream._feed.viewer
    assert peer.seqs == [1]
    assert viewer.parked is None
    assert viewer.blocked_at is not None
    assert viewer.cursor == 2
    assert [frame.seq for frame in viewer.buffer] == [3, 4, 5]
    peer.reads.set()
    await peer.until(lambda: b"event: draft" in peer.body)
    await turns()
    assert peer.seqs == [1, 2, 3, 4, 5]
    assert peer.body.count(b"event: draft") == 1, "only the newest draft of a task waits"
    assert viewer.parked is stream
    assert viewer.blocked_at is None
    house.hub.tell(await course.step(publish=False))
    assert peer.seqs == [1, 2, 3, 4, 5, 6]


async def test_a_peer_that_does_not_read_is_aborted_and_freed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.hub.BLOCKED_S", 0.1)
    course = await house.course()
    peer, _ = await parked(house, course)
    peer.reads.clear()
    house.hub.tell(await course.step(publish=False))
    assert peer.serving is not None
    await asyncio.wait_for(peer.serving, TIMEOUT_S)
    assert peer.aborted
    assert house.hub.viewers == 0
    assert not house.hub._watches


@pytest.mark.parametrize("how", ["while it waits", "within a push", "while a push waits"])
async def test_a_peer_that_leaves_takes_everything_along(house: House, how: str) -> None:
    course = await house.course()
    tasks = asyncio.all_tasks()
    peer, _ = await parked(house, course)
    entries = await course.step(publish=False)
    if how == "while a push waits":
        peer.reads.clear()
        house.hub.tell(entries)
        await turns()
    peer.left.set()
    if how == "within a push":
        house.hub.tell(entries)  # the server knows, and its receive() has not said so yet
    peer.reads.set()
    assert peer.serving is not None
    await asyncio.wait_for(peer.serving, TIMEOUT_S)
    assert peer.seqs == [1]
    assert house.hub.viewers == 0
    assert not house.hub._watches
    await turns()
    assert asyncio.all_tasks() == tasks


async def test_a_connection_that_cannot_be_sent_to_ends_alone(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    course = await house.course()
    (broken, _), (whole, _) = await parked(house, course), await parked(house, course)
    broken.fault = RuntimeError("closed by a rule of the protocol")
    house.hub.tell(await course.step(publish=False))
    assert broken.aborted
    assert broken.serving is not None
    await asyncio.wait_for(broken.serving, TIMEOUT_S)
    assert whole.seqs == [1, 2]
    assert house.hub.viewers == 1
    assert [record.message for record in caplog.records if record.exc_info] == ["stream died"]


async def test_a_peer_that_leaves_while_the_log_is_read_is_freed_at_once(house: House) -> None:
    course = await house.course()
    async with house.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE events")
        peer = Peer()
        stream = await peer.watch(house.hub, house.log, course.course_id)
        await turns()
        assert stream._pump is not None
        peer.left.set()
        async with asyncio.timeout(TIMEOUT_S):
            while house.hub.viewers:
                await asyncio.sleep(0)
    assert peer.serving is not None
    await asyncio.wait_for(peer.serving, TIMEOUT_S)


async def test_the_end_follows_the_last_entry_and_a_drain_sends_on(house: House) -> None:
    course, other = await house.course(), await house.course()
    peer, _ = await parked(house, course)
    sent_on, _ = await parked(house, other)
    await course.cancel()
    assert peer.serving is not None
    await asyncio.wait_for(peer.serving, TIMEOUT_S)
    assert [line for line in peer.body.split(b"\n") if line.startswith(b"event: ")][-1] == b"event: end"
    house.hub.drain()
    assert sent_on.serving is not None
    await asyncio.wait_for(sent_on.serving, TIMEOUT_S)
    assert sent_on.sent[-1]["more_body"] is False
    assert sent_on.body.endswith(b"\n\n")
    assert sent_on.body.split(b"\n")[-3].startswith(b"retry: ")


async def test_a_crowd_is_told_in_rounds_and_one_who_joins_meanwhile_misses_nothing(house: House) -> None:
    course = await house.course()
    crowd = Hub(house.log, "redis://127.0.0.1:1/0", max_viewers=10 * ROUND)
    peers = [Peer() for _ in range(2 * ROUND + 50)]
    for peer in peers:
        feed = Feed(house.log, crowd, await joined(crowd, course.course_id), [])
        peer.serving = asyncio.create_task(Stream(feed, peer.send, SSE).serve(peer.receive))
    for peer in peers:
        await peer.until(lambda peer=peer: peer.seqs == [1])
    await turns()
    entries = [entry for _ in range(3) for entry in await course.step(publish=False)]
    crowd.tell(entries)
    assert sum(peer.seqs == [1, 2] for peer in peers) == ROUND, "the others have their turn after others"
    latecomer = Peer()
    await latecomer.watch(crowd, house.log, course.course_id)
    for peer in [*peers, latecomer]:
        await peer.until(lambda peer=peer: len(peer.seqs) == 4)
        assert peer.seqs == [1, 2, 3, 4]
    crowd.drain()
    await asyncio.gather(*(peer.serving for peer in [*peers, latecomer] if peer.serving))
    assert crowd.viewers == 0


async def joined(hub: Hub, course_id: str) -> "frames.Any":
    """Join a hub without Redis, whose confirmation nobody has to wait for."""
    hub._watch(course_id).confirmed.set()
    return await hub.join(course_id, 0)


async def test_a_long_log_is_read_page_by_page_and_no_page_is_large(house: House) -> None:
    course = await house.course()
    large = "x" * 30_000
    await house.pool.execute(
        "INSERT INTO events (course_id, seq, type, status, at, message)"
        " SELECT $1, n, 'part_sections_generated', 'processing', now(),"
        " json_build_object('seq', n, 'why', $2::text) FROM generate_series(2, 40) AS n",
        course.course_id,
        large,
    )
    await house.pool.execute("UPDATE courses SET last_seq = 40 WHERE course_id = $1", course.course_id)
    peer = Peer()
    await peer.watch(house.hub, house.log, course.course_id)
    await peer.until(lambda: peer.seqs[-1:] == [40])
    assert peer.seqs == list(range(1, 41))
    assert max(len(message["body"]) for message in peer.sent) < PAGE_BYTES + 2 * len(large)


def test_entries_are_framed_as_sse_starlette_frames_them() -> None:
    message = json.dumps({"seq": 7, "query": "Ωμέγα\n", "why": "a\r\nb\u2028"}, ensure_ascii=False).encode()
    frame = EntryFrame(Entry("c", 7, "processing", message))
    expected = ServerSentEvent(message.decode(), event="update", id="7", sep="\n").encode()
    assert frame.sse == SSE.one(frame)["body"] == expected
    (together,) = SSE.many([frame, frame])
    assert together["body"] == expected * 2
    assert json.loads(SOCKET.one(frame)["text"]) == {"event": "update", **json.loads(message)}
