"""The doorbell, on a real Redis: frames arrive as they were, and a lost subscription comes back by itself."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import redis.asyncio as redis

from pipeline.bus import Bus, Draft, connect, pack, unpack
from pipeline.log import Entry
from pipeline.subscription import Subscriber
from tests.own_servers import OwnRedis

TIMEOUT_S = 5


class Heard:
    """What a subscriber was told, awaitable."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Entry | Draft] = asyncio.Queue()
        self.confirmed: asyncio.Queue[str] = asyncio.Queue()

    def on_confirmed(self, course_ids: list[str]) -> None:
        for course_id in course_ids:
            self.confirmed.put_nowait(course_id)

    async def item(self) -> Entry | Draft:
        return await asyncio.wait_for(self.items.get(), TIMEOUT_S)

    async def confirmation(self) -> str:
        return await asyncio.wait_for(self.confirmed.get(), TIMEOUT_S)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.Redis]:
    opened = connect(redis_url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def subscriber(redis_url: str, heard: Heard) -> AsyncIterator[Subscriber]:
    made = Subscriber(redis_url, on_item=heard.items.put_nowait, on_confirmed=heard.on_confirmed)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def entry(course_id: str, seq: int) -> Entry:
    return Entry(course_id, seq, "processing", b'{"seq":%d}' % seq)


@pytest.mark.parametrize(
    "item",
    [
        Entry("c", 7, "processing", '{"seq":7,"query":"Ωμέγα\\n"}'.encode()),
        Entry("c", 10, "complete", b'{"seq":10}'),
        Draft("c", "sections:2", 3, 14, b'{"value":{}}'),
    ],
)
def test_a_frame_gives_back_what_was_packed(item: Entry | Draft) -> None:
    assert unpack("c", pack(item)) == item


@pytest.mark.parametrize("frame", [b"", b"u 7", b"x 1 2\n{}", b"u seven processing\n{}", b"\n"])
def test_a_strange_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"no frame|invalid literal"):
        unpack("c", frame)


async def commands_of(client: redis.Redis) -> int:
    """How often something was published, as Redis counts it."""
    calls = (await client.info("commandstats")).get("cmdstat_publish", {"calls": 0})["calls"]
    return int(calls)


async def test_what_is_published_after_the_confirmation_arrives_in_order(
    client: redis.Redis, subscriber: Subscriber, heard: Heard
) -> None:
    course_id = str(uuid4())
    subscriber.follow(course_id)
    assert await heard.confirmation() == course_id
    sent = [entry(course_id, seq) for seq in range(1, 20)]
    await Bus(client).publish(sent)
    assert [await heard.item() for _ in sent] == sent


async def test_only_followed_courses_are_heard(
    client: redis.Redis, subscriber: Subscriber, heard: Heard
) -> None:
    followed, left, other = (str(uuid4()) for _ in range(3))
    subscriber.follow(followed)
    subscriber.follow(left)
    assert {await heard.confirmation(), await heard.confirmation()} == {followed, left}
    subscriber.leave(left)
    await Bus(client).publish([entry(left, 1), entry(other, 1), entry(followed, 1)])
    assert await heard.item() == entry(followed, 1)


async def test_a_killed_connection_is_made_again_and_confirmed_again(
    client: redis.Redis, subscriber: Subscriber, heard: Heard
) -> None:
    course_id = str(uuid4())
    subscriber.follow(course_id)
    await heard.confirmation()
    await client.client_kill_filter(_type="pubsub")
    assert await heard.confirmation() == course_id
    await Bus(client).publish([entry(course_id, 2)])
    assert await heard.item() == entry(course_id, 2)


async def test_a_redis_that_falls_silent_is_left_however_busy_the_server_is(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.subscription.SILENCE_S", 0.2)
    connections: asyncio.Queue[None] = asyncio.Queue()

    async def greet_and_fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.put_nowait(None)
        await reader.readuntil(b"PING\r\n")
        writer.write(b"+PONG\r\n")
        while await reader.read(1_024):
            pass
        writer.close()

    async with await asyncio.start_server(greet_and_fall_silent, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        subscriber = Subscriber(
            f"redis://127.0.0.1:{port}/0", on_item=heard.items.put_nowait, on_confirmed=heard.on_confirmed
        )
        running = asyncio.create_task(subscriber.run())
        async with asyncio.timeout(TIMEOUT_S):
            await connections.get()
            while connections.empty():  # viewers come and go all the time
                subscriber.follow(str(uuid4()))
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_one_connection_serves_any_number_of_courses(
    client: redis.Redis, subscriber: Subscriber, heard: Heard
) -> None:
    for _ in range(200):
        subscriber.follow(str(uuid4()))
    for _ in range(200):
        await heard.confirmation()
    assert len(await client.client_list(_type="pubsub")) == 1


async def test_a_burst_is_sent_together_in_order_and_loses_nothing(
    client: redis.Redis, subscriber: Subscriber, heard: Heard
) -> None:
    course_id = str(uuid4())
    subscriber.follow(course_id)
    await heard.confirmation()
    bus, before = Bus(client), await commands_of(client)
    await asyncio.gather(*(bus.publish([entry(course_id, seq)]) for seq in range(5_000)))
    assert [await heard.item() for _ in range(5_000)] == [entry(course_id, seq) for seq in range(5_000)]
    assert await commands_of(client) - before >= 5_000
    assert len(await client.client_list()) < 5


async def test_one_who_leaves_and_comes_back_at_once_is_confirmed(
    subscriber: Subscriber, heard: Heard
) -> None:
    course_id = str(uuid4())
    subscriber.follow(course_id)
    await heard.confirmation()
    subscriber.leave(course_id)
    subscriber.follow(course_id)
    assert await heard.confirmation() == course_id


async def test_a_redis_that_hangs_holds_up_a_publisher_no_longer_than_it_has_to(
    client: redis.Redis, subscriber: Subscriber, heard: Heard
) -> None:
    course_id = str(uuid4())
    subscriber.follow(course_id)
    await heard.confirmation()
    bus, loop = Bus(client), asyncio.get_running_loop()
    await bus.publish([entry(course_id, 1)])
    await client.client_pause(600, all=False)  # publishing counts as a write: it is answered late
    began = loop.time()
    await bus.publish([entry(course_id, 2)])
    assert loop.time() - began < 0.5
    await bus.publish([entry(course_id, 3)])
    assert [await heard.item() for _ in range(3)] == [entry(course_id, seq) for seq in (1, 2, 3)]


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_a_password_in_the_url_is_used_and_a_wrong_one_is_said_once(
    own_redis: OwnRedis, heard: Heard, caplog: pytest.LogCaptureFixture, password: str
) -> None:
    admin = redis.Redis.from_url(own_redis.url)
    await admin.config_set("requirepass", "right")
    await admin.aclose()
    url = own_redis.url.replace("://", f"://:{password}@", 1)
    subscriber = Subscriber(url, on_item=heard.items.put_nowait, on_confirmed=heard.on_confirmed)
    running = asyncio.create_task(subscriber.run())
    course_id = str(uuid4())
    subscriber.follow(course_id)
    if password == "right":
        assert await heard.confirmation() == course_id
    else:
        async with asyncio.timeout(TIMEOUT_S):
            while not (said := [r for r in caplog.records if r.name == "pipeline.subscription"]):
                await asyncio.sleep(0.01)  # it is only logged
        assert "WRONGPASS" in said[0].__dict__["error"]
        assert not subscriber.connected
        assert len(said) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_publishing_to_a_redis_that_is_away_is_forgotten() -> None:
    away = connect("redis://127.0.0.1:1/0")
    await asyncio.wait_for(Bus(away).publish([entry("c", 1)]), TIMEOUT_S)
    await away.aclose()
