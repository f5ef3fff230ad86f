"""The event log in a real Postgres: appends, fences, leases, and what a caller may do."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from pipeline import course as machine
from pipeline import events as ev
from pipeline.course import State, Status, Task
from pipeline.database import Pool, migrate, open_pool, queries
from pipeline.errors import LostCourse
from pipeline.intake import KeyReused, TooManyCourses
from pipeline.log import Claim, Log, QueryVector
from pipeline.outline import Brief, Depth, Preferences
from pipeline.requests import Conflict, NoSuchCourse, Requests, Unfinished
from tests.unit.test_course import result_of

BRIEF = Brief(query="Learn DCF valuation", hours=2.0, preferences=Preferences(depth=Depth.TECHNICAL))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database_url)
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def log(pool: Pool) -> Log:
    return Log(pool)


@pytest.fixture
def requests(pool: Pool) -> Requests:
    return Requests(pool)


async def create(requests: Requests, **options: object) -> str:
    created = await requests.create(BRIEF, **{"caller": "local", "max_active": 1_000, **options})
    return created.course_id


async def run_on(log: Log, claim: Claim, state: State, *, until: str = "") -> State:
    """Append the results of pending tasks until the task `until` is next, or the course is over."""
    while (tasks := machine.pending(state)) and str(tasks[0]) != until:
        vector = QueryVector(values=(0.5, -0.5), model="static") if tasks[0].verb == "embed" else None
        event = result_of(tasks[0], state)
        if isinstance(event, ev.OutlineReviewed):
            parts = tuple(_with_ids(part) for part in event.parts)
            event = event.model_copy(update={"parts": parts})
        state = (await log.append(claim, state, event, task=tasks[0], vector=vector)).state
    return state


def _with_ids(part: machine.WrittenPart) -> machine.WrittenPart:
    sections = tuple(s.model_copy(update={"section_id": str(uuid4())}) for s in part.sections)
    return part.model_copy(update={"sections": sections})


async def claim_of(log: Log, course_id: str) -> tuple[Claim, State]:
    claimed = await log.claim(course_id)
    assert claimed is not None
    return claimed.claim, claimed.state


async def expire_lease(pool: Pool, course_id: str) -> None:
    await pool.execute(
        "UPDATE courses SET lease_until = now() - interval '1 second' WHERE course_id = $1", course_id
    )


async def test_a_request_is_durable_with_its_first_event(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    (entry,) = await log.entries(course_id, 0)
    message = json.loads(entry.message)
    assert message["type"] == "course_requested"
    assert message["seq"] == 1
    assert message["preferences"]["depth"] == "technical"
    status = await requests.status(course_id)
    assert status is not None
    assert json.loads(status.view)["phase"] == "initializing"


async def test_the_log_has_every_number_and_the_row_its_last_view(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claim, state = await claim_of(log, course_id)
    state = await run_on(log, claim, state)
    entries = await log.entries(course_id, 0)
    assert [entry.seq for entry in entries] == list(range(1, state.seq + 1))
    messages = [json.loads(entry.message) for entry in entries]
    assert [m["at"] for m in messages] == sorted(m["at"] for m in messages)
    status = await requests.status(course_id)
    assert status is not None
    view = json.loads(status.view)
    assert view == {key: messages[-1][key] for key in view}
    assert await log.load(course_id) == state


async def test_the_finished_course_is_stored_with_its_last_event(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claim, state = await claim_of(log, course_id)
    state = await run_on(log, claim, state, until="store")
    with pytest.raises(Unfinished):
        await requests.finished(course_id)
    await run_on(log, claim, state)
    course = await requests.finished(course_id)
    assert course["course"]["title"] == "DCF Valuation"
    assert course["course"]["preferences"] == {"depth": "technical"}
    assert [part["part_index"] for part in course["parts"]] == [0, 1, 2]
    assert course["sections"] == [s for part in course["parts"] for s in part["sections"]]


async def test_only_one_of_many_claims_gets_a_course(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claims = await asyncio.gather(*(log.claim(course_id) for _ in range(8)))
    assert sum(claim is not None for claim in claims) == 1


async def test_a_run_that_lost_its_lease_writes_nothing(log: Log, requests: Requests, pool: Pool) -> None:
    course_id = await create(requests)
    stale, stale_state = await claim_of(log, course_id)
    await expire_lease(pool, course_id)
    fresh, state = await claim_of(log, course_id)
    assert fresh.fence > stale.fence
    event = result_of(Task("embed"), stale_state)
    with pytest.raises(LostCourse):
        await log.append(stale, stale_state, event, task=Task("embed"))
    assert await log.renew([stale, fresh]) == {stale}
    await run_on(log, fresh, state)
    status = await requests.status(course_id)
    assert status is not None
    assert status.status == "complete"


async def test_an_append_with_an_old_view_of_the_log_writes_nothing(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claim, state = await claim_of(log, course_id)
    event = result_of(Task("embed"), state)
    written = await log.append(claim, state, event, task=Task("embed"))
    with pytest.raises(LostCourse):
        await log.append(claim, state, event, task=Task("embed"))
    assert (await log.load(course_id)).seq == written.state.seq == 2


async def test_the_next_run_finds_the_vector_and_the_checkpoint(
    log: Log, requests: Requests, pool: Pool
) -> None:
    course_id = await create(requests)
    claim, state = await claim_of(log, course_id)
    await run_on(log, claim, state, until="sections:1")
    await expire_lease(pool, course_id)
    claimed = await log.claim(course_id)
    assert claimed is not None
    assert claimed.query_vector == QueryVector(values=(0.5, -0.5), model="static")
    assert [str(task) for task in machine.pending(claimed.state)] == ["sections:1", "sections:2"]


async def test_a_released_course_can_be_claimed_at_once(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claim, _ = await claim_of(log, course_id)
    assert await log.claim(course_id) is None
    await log.release(claim)
    assert await log.claim(course_id) is not None


async def test_cancel_ends_the_run_and_retry_goes_on(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claim, state = await claim_of(log, course_id)
    state = await run_on(log, claim, state, until="sections:0")
    (entry,) = await requests.cancel(course_id)
    assert entry.terminal
    assert await log.renew([claim]) == {claim}
    with pytest.raises(LostCourse):
        await log.append(claim, state, result_of(Task("sections", 0), state), task=Task("sections", 0))
    assert await requests.cancel(course_id) == ()
    resumed = await requests.retry(course_id, max_active=9)
    assert resumed.enqueue_no == 2
    assert (await requests.retry(course_id, max_active=9)).enqueue_no is None  # processing: unchanged
    claim, state = await claim_of(log, course_id)
    assert state.seq == entry.seq + 1
    state = await run_on(log, claim, state)
    assert state.status is Status.COMPLETE
    with pytest.raises(Conflict):
        await requests.cancel(course_id)
    with pytest.raises(Conflict):
        await requests.retry(course_id, max_active=9)


async def test_a_deleted_course_is_gone_for_its_run_too(log: Log, requests: Requests, pool: Pool) -> None:
    course_id = await create(requests, idempotency_key="k")
    claim, state = await claim_of(log, course_id)
    state = await run_on(log, claim, state, until="sections:0")
    (entry,) = await requests.delete(course_id, caller="local")
    assert json.loads(entry.message)["error_code"] == "cancelled"
    assert entry.seq == state.seq + 1
    assert await log.renew([claim]) == {claim}
    with pytest.raises(LostCourse):
        await log.append(claim, state, result_of(Task("sections", 0), state), task=Task("sections", 0))
    for table in ("courses", "events", "idempotency_keys"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    with pytest.raises(NoSuchCourse):
        await requests.delete(course_id, caller="local")
    assert await create(requests, idempotency_key="k") != course_id


async def test_a_finished_course_is_deleted_with_its_parts_and_only_by_its_caller(
    log: Log, requests: Requests, pool: Pool
) -> None:
    course_id, kept = await create(requests), await create(requests)
    for each in (course_id, kept):
        claim, state = await claim_of(log, each)
        await run_on(log, claim, state)
    with pytest.raises(NoSuchCourse):
        await requests.delete(course_id, caller="another")
    assert await requests.delete(course_id, caller="local") == ()
    for table in ("courses", "events", "parts", "sections"):
        left = await pool.fetch(f"SELECT DISTINCT course_id FROM {table}")
        assert [str(row["course_id"]) for row in left] == [kept]


async def test_a_failure_that_no_retry_can_cure_is_final(log: Log, requests: Requests) -> None:
    course_id = await create(requests)
    claim, state = await claim_of(log, course_id)
    failed = ev.CourseFailed(error="No.", error_code="no_relevant_books", failed_phase="p", retryable=False)
    await log.append(claim, state, failed)
    with pytest.raises(Conflict):
        await requests.retry(course_id, max_active=9)
    with pytest.raises(Conflict):
        await requests.cancel(course_id)


async def test_an_unknown_course_is_told_apart(log: Log, requests: Requests) -> None:
    nobody = str(uuid4())
    assert await requests.status(nobody) is None
    assert await log.claim(nobody) is None
    for act in (requests.cancel, requests.finished):
        with pytest.raises(NoSuchCourse):
            await act(nobody)
    with pytest.raises(NoSuchCourse):
        await requests.retry(nobody, max_active=9)


async def test_a_caller_cannot_have_too_many_in_the_making(requests: Requests) -> None:
    await create(requests, max_active=2)
    second = await create(requests, max_active=2)
    with pytest.raises(TooManyCourses):
        await create(requests, max_active=2)
    await create(requests, max_active=2, caller="another")
    await requests.cancel(second)
    await create(requests, max_active=2)
    with pytest.raises(TooManyCourses):
        await requests.retry(second, max_active=2)
    assert (await requests.retry(second, max_active=3)).enqueue_no is not None


async def test_those_who_come_together_are_counted_together(requests: Requests, pool: Pool) -> None:
    asked = (create(requests, max_active=5) for _ in range(12))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(outcome, TooManyCourses) for outcome in found) == 7
    assert await pool.fetchval("SELECT count(*) FROM events") == 5


async def test_a_request_that_postgres_cannot_take_harms_no_other(requests: Requests, pool: Pool) -> None:
    briefs = [Brief(query=f"Learn {word}") for word in ("sums", "n\x00ls", "graphs")]
    asked = (requests.create(brief, caller="local", max_active=9) for brief in briefs)
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(second, asyncpg.PostgresError)
    assert not isinstance(first, BaseException)
    assert not isinstance(third, BaseException)
    assert await pool.fetchval("SELECT count(*) FROM courses") == 2


async def test_who_loses_the_race_for_a_key_gets_the_answer_and_not_the_limit(pool: Pool) -> None:
    # Two processes, as it were: each has an intake of its own.
    callers = [Requests(pool) for _ in range(2)] * 4
    ids = await asyncio.gather(*(create(one, idempotency_key="k", max_active=1) for one in callers))
    assert len(set(ids)) == 1
    with pytest.raises(TooManyCourses):
        await create(callers[0], idempotency_key="another", max_active=1)


async def test_an_idempotency_key_names_one_course(requests: Requests, pool: Pool) -> None:
    ids = await asyncio.gather(*(create(requests, idempotency_key="k") for _ in range(6)))
    assert len(set(ids)) == 1
    assert await pool.fetchval("SELECT count(*) FROM courses") == 1
    other = BRIEF.model_copy(update={"hours": 3.0})
    with pytest.raises(KeyReused):
        await requests.create(other, caller="local", max_active=10, idempotency_key="k")
    await pool.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    assert await create(requests, idempotency_key="k") not in ids


async def test_courses_are_listed_newest_first_page_by_page(requests: Requests) -> None:
    ids = [await create(requests) for _ in range(5)]
    first = await requests.newest("local", 3)
    rest = await requests.newest("local", 3, (first[-1].created_at, first[-1].course_id))
    assert [row.course_id for row in first + rest] == ids[::-1]


async def test_totals_are_what_a_count_of_all_courses_would_say(
    requests: Requests, log: Log, pool: Pool
) -> None:
    finished, deleted, failed, resumed, _running = [await create(requests) for _ in range(5)]
    for each in (finished, deleted):
        claim, state = await claim_of(log, each)
        await run_on(log, claim, state)
    for each in (failed, resumed):
        await requests.cancel(each)
    await requests.retry(resumed, max_active=9)
    await requests.delete(deleted, caller="local")
    async with pool.acquire() as conn:
        totals = await queries("courses").totals(conn)
    counted = await pool.fetch("SELECT status, count(*) AS n FROM courses GROUP BY status")
    assert {row["status"]: row["n"] for row in counted} == {
        status: totals[status] for status in ("processing", "complete", "error")
    }


async def test_five_claims_without_an_event_are_a_crash(requests: Requests, log: Log, pool: Pool) -> None:
    course_id = await create(requests)
    for _ in range(5):
        assert await requests.crashed(course_id, claims=5) == ()
        await claim_of(log, course_id)
        await expire_lease(pool, course_id)
    (entry,) = await requests.crashed(course_id, claims=5)
    assert json.loads(entry.message)["error_code"] == "crashed"
    assert (await requests.retry(course_id, max_active=9)).enqueue_no is not None


async def test_texts_survive_byte_for_byte(requests: Requests, log: Log) -> None:
    query = 'Ωμέγα "quotes" \\ 😀 \u2028 <script> %s :name ::text'
    brief = Brief(query=query)
    course_id = (await requests.create(brief, caller="local", max_active=9)).course_id
    (entry,) = await log.entries(course_id, 0)
    assert json.loads(entry.message)["query"] == query
    assert query.split('"')[0] in entry.message.decode()
