"""Hub and feed on a real log and Redis: every viewer gets every entry once, in order, whatever is lost."""

import asyncio
import json

import pytest

from pipeline.bus import Bus, Draft, connect
from pipeline.course import Task
from pipeline.log import Entry, Log
from pipeline.requests import Requests
from server.feed import Feed, NoSuchCourse, Over
from server.hub import Full, Hub
from server.reconcile import RECONCILE_S
from server.viewers import BUFFER
from tests.hub_house import TIMEOUT_S, VIEWERS, House, Reader


async def test_replay_then_follow_equals_the_log(house: House) -> None:
    course = await house.course()
    await course.to_part(2)
    early = await course.open()
    await early.until(course.state.seq)
    await course.to_part(5)
    late = await course.open(course.state.seq - 2)
    await course.cancel()
    await asyncio.gather(early.until_end(), late.until_end())
    logged = await course.logged()
    assert early.messages == logged
    assert late.messages == logged[-3:]
    assert early.events[-1] == late.events[-1] == "end"
    assert json.loads(early.frames[-1].data) == {
        "course_id": course.course_id,
        "seq": len(logged),
        "status": "error",
    }


async def test_nothing_is_lost_when_no_message_ever_arrives(house: House) -> None:
    course = await house.course()
    reader = await course.open()
    await reader.until(1)
    await course.to_part(3, publish=False)
    await house.requests.cancel(course.course_id)
    await reader.until_end()
    assert reader.messages == await course.logged()


async def test_a_gap_is_filled_from_the_log(house: House) -> None:
    course = await house.course()
    first, second = await course.open(), await course.open()
    await asyncio.gather(first.until(1), second.until(1))
    await course.to_part(4, publish=False)
    (last, *_) = await course.step()
    await asyncio.gather(first.until(last.seq), second.until(last.seq))
    logged = await course.logged()
    assert first.messages == second.messages == logged


async def test_one_who_falls_behind_loses_its_buffer_and_not_its_place(house: House) -> None:
    course = await house.course()
    slow, quick = await course.open(), await course.open()
    await asyncio.gather(slow.until(1), quick.until(1))
    await course.to_part(BUFFER + 20)
    await quick.until(course.state.seq)
    assert slow.feed.viewer.lagging
    assert not slow.feed.viewer.buffer
    await course.cancel()
    await asyncio.gather(slow.until_end(), quick.until_end())
    assert slow.messages == quick.messages == await course.logged()


async def test_events_published_while_the_viewer_joins_are_not_lost(house: House) -> None:
    course = await house.course()

    async def write() -> None:
        await course.to_part(60)
        await course.cancel()

    async def watch(delay_steps: int) -> Reader:
        for _ in range(delay_steps):
            await asyncio.sleep(0)  # let the writer get a little further
        reader = await course.open()
        await reader.until_end()
        return reader

    _, *readers = await asyncio.gather(write(), *(watch(n * 7) for n in range(30)))
    logged = await course.logged()
    for reader in readers:
        assert reader.messages == logged


async def test_a_lost_subscription_loses_nothing(house: House) -> None:
    course = await house.course()
    reader = await course.open()
    await reader.until(1)
    for _ in range(5):
        await course.step()
        await house.client.client_kill_filter(_type="pubsub")
        await course.step()
    await course.cancel()
    await reader.until_end()
    assert reader.messages == await course.logged()


async def test_the_end_is_not_told_of_a_course_that_was_resumed(house: House) -> None:
    course = await house.course()
    reader = await course.open()
    await reader.until(1)
    cancelled = await house.requests.cancel(course.course_id)
    resumed = await house.requests.retry(course.course_id, max_active=9)
    await house.bus.publish([*cancelled, *resumed.entries])
    await reader.until(resumed.entries[-1].seq)
    assert not reader.feed.over
    assert "end" not in reader.events


async def test_cursors_that_cannot_be_start_over(house: House) -> None:
    course = await house.course()
    await course.to_part(1)
    for cursor in (99, "abc"):
        reader = await course.open(cursor)
        await reader.until(course.state.seq)
        assert reader.events[0] == "reset"
        assert json.loads(reader.frames[0].data) == {
            "course_id": course.course_id,
            "after": cursor,
            "seq": course.state.seq,
        }
        assert reader.messages == await course.logged()


async def test_one_who_has_everything_is_told_so(house: House) -> None:
    course = await house.course()
    await course.cancel()
    with pytest.raises(Over):
        await course.open(2)
    with pytest.raises(NoSuchCourse):
        await Feed.open(house.log, house.hub, "00000000-0000-4000-8000-000000000000", 0)


async def test_drafts_come_newest_of_each_task_and_never_backwards(house: House) -> None:
    course = await house.course()
    reader = await course.open()
    await reader.until(1)

    def draft(task: str, fence: int, n: int) -> Draft:
        return Draft(course.course_id, task, fence, n, b'{"n":%d}' % n)

    await house.bus.publish(
        [draft("parts", 2, 4), draft("parts", 2, 3), draft("parts", 1, 9), draft("parts", 2, 5)]
    )
    async with asyncio.timeout(TIMEOUT_S):
        while not any(frame.data == b'{"n":5}' for frame in reader.frames):
            reader.frames += await reader.feed.next()
    numbers = [json.loads(frame.data)["n"] for frame in reader.frames if frame.event == "draft"]
    assert numbers == sorted(numbers)
    assert set(numbers) <= {4, 5}


async def test_a_deleted_course_ends_for_all_who_have_its_last_entry(house: House) -> None:
    course = await house.course()
    await course.to_part(1)
    reader = await course.open()
    await reader.until(course.state.seq)
    (cancelled,) = await house.requests.delete(course.course_id, caller="local")
    await house.bus.publish([cancelled])
    await reader.until_end()
    assert reader.messages[-1] == cancelled.message
    assert json.loads(reader.frames[-1].data)["seq"] == cancelled.seq
    with pytest.raises(NoSuchCourse):
        await course.open()


async def test_a_deleted_course_lets_go_of_those_who_missed_its_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.reconcile.RECONCILE_S", 0.05)
    course = await house.course()
    reader, lagging = await course.open(), await course.open()
    await reader.until(1)
    await house.requests.delete(course.course_id, caller="local")
    async with asyncio.timeout(TIMEOUT_S):
        for left in (reader, lagging):
            while not left.feed.leaving:
                left.frames += await left.feed.next()
            assert left.feed.deleted
            assert "end" not in left.events


async def test_one_who_reads_while_the_course_is_deleted_is_let_go(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await house.course()
    await course.to_part(1)
    other = await course.open()
    await other.until(course.state.seq)
    reader = await course.open(course.state.seq)
    asked, may_read = asyncio.Event(), asyncio.Event()
    entries, last = house.log.entries, house.log.last

    async def held_entries(course_id: str, after: int) -> list[Entry]:
        asked.set()
        await may_read.wait()
        return await entries(course_id, after)

    async def held_last(course_id: str) -> tuple[int, str] | None:
        await asked.wait()
        return await last(course_id)

    monkeypatch.setattr(house.log, "last", held_last)  # whether that was the end is looked at late
    (cancelled,) = await house.requests.delete(course.course_id, caller="local")
    await house.bus.publish([cancelled])
    await other.until(cancelled.seq)
    monkeypatch.setattr(house.log, "entries", held_entries)
    # It was told the last entry before it reads, and hears of the end while it does.
    reading = asyncio.create_task(reader.feed.next())
    await other.until_end()
    may_read.set()
    async with asyncio.timeout(TIMEOUT_S):
        reader.frames += await reading
    assert reader.feed.deleted
    assert "end" not in reader.events


async def test_no_draft_follows_the_end_of_a_run(house: House) -> None:
    course = await house.course()
    reader = await course.open()
    await reader.until(1)
    (cancelled,) = await house.requests.cancel(course.course_id)
    late = Draft(course.course_id, "parts", 1, 1, b'{"n":1}')
    resumed = await house.requests.retry(course.course_id, max_active=9)
    anew = Draft(course.course_id, "parts", 4, 1, b'{"n":2}')
    await house.bus.publish([cancelled, late, *resumed.entries, anew])
    async with asyncio.timeout(TIMEOUT_S):
        while not any(frame.event == "draft" for frame in reader.frames):
            reader.frames += await reader.feed.next()
    assert [frame.data for frame in reader.frames if frame.event == "draft"] == [anew.body]


async def test_a_log_of_exactly_one_page_has_its_end_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await house.course()
    await course.to_part(3)
    await course.cancel()
    logged = await course.logged()
    monkeypatch.setattr("pipeline.log.PAGE", len(logged))
    reader = await course.open()
    await reader.until_end()
    assert reader.messages == logged


async def test_a_database_that_answers_nonsense_for_a_while_does_not_end_the_hub(
    house: House,
) -> None:
    course, pool = await house.course(), house.pool
    reader = await course.open()
    await reader.until(1)
    await pool.execute("ALTER TABLE courses RENAME TO elsewhere")
    await asyncio.sleep(RECONCILE_S * 1.5)  # at least one reconcile meets it
    await pool.execute("ALTER TABLE elsewhere RENAME TO courses")
    await course.to_part(2)
    await course.cancel()
    await reader.until_end()
    assert reader.messages == await course.logged()


async def test_sockets_for_many_courses_are_limited_before_they_subscribe(house: House) -> None:
    pulses = [house.hub.pulse(None) for _ in range(VIEWERS)]
    with pytest.raises(Full):
        house.hub.pulse(None)
    house.hub.end_pulse(pulses[0])
    house.hub.pulse(None)


async def test_those_who_leave_leave_nothing(house: House) -> None:
    course = await house.course()
    readers = [await course.open() for _ in range(50)]
    assert house.hub.viewers == 50
    with pytest.raises(Full):
        await course.open()
    for reader in readers:
        reader.feed.close()
        reader.feed.close()
    assert house.hub.viewers == 0
    assert not house.hub._watches


async def test_a_drain_lets_everybody_go(house: House) -> None:
    course = await house.course()
    reader = await course.open()
    await reader.until(1)
    house.hub.drain()
    async with asyncio.timeout(TIMEOUT_S):
        assert not await reader.feed.next()
    assert reader.feed.leaving
    assert (await course.open(1)).feed.leaving  # one who comes too late is sent on at once


async def test_without_redis_viewers_still_get_everything(house: House) -> None:
    nowhere, pool = "redis://127.0.0.1:1/0", house.pool
    client = connect(nowhere)
    log = Log(pool)
    hub = Hub(log, nowhere, max_viewers=5)
    running = asyncio.create_task(hub.run())
    course = await House(log, Requests(pool), Bus(client), hub, client, pool).course()
    reader = await course.open()
    await reader.until(1)
    await course.to_part(2)
    await course.cancel()
    await reader.until_end()
    assert reader.messages == await course.logged()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await client.aclose()


def test_task_names_are_the_wires() -> None:
    assert str(Task("sections", 2)) == "sections:2"
