"""The ledger is on the course row: written with an event or not at all, read with the claim."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipeline import database
from pipeline import events as ev
from pipeline.course import Task
from pipeline.errors import LostCourse
from pipeline.ledger import Bookings, Tokens
from pipeline.log import Claim, Claimed, Log
from pipeline.outline import Brief
from pipeline.requests import Requests

FIRST = Bookings(
    tokens=Tokens(prompt=100, completion=10, calls=2), repairs={"parts": ["A."], "review": ["B."]}
)
SECOND = Bookings(tokens=Tokens(prompt=1, completion=1, calls=1), repairs={"parts": ["C."]})


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[database.Pool]:
    pool = await database.open_pool(database_url)
    await database.migrate(pool)
    yield pool
    await pool.close()


async def claimed(log: Log, pool: database.Pool) -> Claimed:
    created = await Requests(pool).create(Brief(query="Learn DCF valuation"), caller="local", max_active=10)
    claim = await log.claim(created.course_id)
    assert claim is not None
    return claim


async def test_what_is_written_with_events_adds_up_and_comes_with_the_next_claim(pool: database.Pool) -> None:
    log = Log(pool)
    mine = await claimed(log, pool)
    assert mine.ledger == Bookings()
    embedded = ev.EmbeddingGenerated(model="m", dimensions=1)
    first = await log.append(mine.claim, mine.state, embedded, task=Task("embed"), bookings=FIRST)
    await log.append(
        mine.claim, first.state, ev.BookSummariesFound(books=()), task=Task("search"), bookings=SECOND
    )
    await log.release(mine.claim)
    again = await log.claim(mine.claim.course_id)
    assert again is not None
    assert again.ledger == Bookings(
        tokens=Tokens(prompt=101, completion=11, calls=3), repairs={"parts": ["C."], "review": ["B."]}
    )


async def test_who_lost_the_course_writes_nothing_into_its_ledger(pool: database.Pool) -> None:
    log = Log(pool)
    mine = await claimed(log, pool)
    await log.release(mine.claim)
    other = await log.claim(mine.claim.course_id)
    assert other is not None
    assert other.claim != mine.claim
    embedded = ev.EmbeddingGenerated(model="m", dimensions=1)
    for late in (mine.claim, Claim(mine.claim.course_id, other.claim.fence + 1)):
        with pytest.raises(LostCourse):
            await log.append(late, mine.state, embedded, task=Task("embed"), bookings=FIRST)
    await log.release(other.claim)
    third = await log.claim(mine.claim.course_id)
    assert third is not None
    assert third.ledger == Bookings()
