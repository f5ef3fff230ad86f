"""The capacity page: what the measured figures carry, with the arithmetic shown. Written by ``make bench``."""

# ruff: noqa: E501 - the page's lines are as long as they are

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.bench.live.world import World
from tests.bench.live.writing import Writer
from tests.bench.report import DOCS

BUSY = 0.7
"""The share of a core that may be used: above it, queues and the p99 grow without bound."""
EVENTS = 11
"""Entries in the log of a two-hour course."""
WRITING_S = 60.0
"""How long a language model takes for one, about."""
DRAFTS_PER_S = 10.0
"""Most drafts of a course in a second."""
RECONCILE_S = 2.0
MAX_VIEWERS = 10_000
APPENDING_S = 3.0
WRITERS = 20


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured, each on one core of the machine that wrote the page."""

    one_us: float
    """CPU of the server for a delivery, one viewer per course."""
    crowd_us: float
    """The same, all viewers on one course."""
    viewer_kb: float
    connects_per_s: float
    posts_per_s: float
    polls_per_s: float
    appends_per_s: float
    publish_us: float
    """CPU of Redis for a message that has one subscriber."""


async def appends_per_s(world: World) -> float:
    """Return how many entries a second Postgres takes, durably, one after another on each of 20 courses."""
    ids = await world.courses(WRITERS)
    writer = Writer(world.pool, None)
    await writer.read(ids)
    until = time.monotonic() + APPENDING_S

    async def write(course_id: str) -> int:
        done = 0
        while time.monotonic() < until:
            await writer.append(course_id)
            done += 1
        return done

    return sum(await asyncio.gather(*(write(course_id) for course_id in ids))) / APPENDING_S


def write(figures: Figures) -> None:
    """Write docs/capacity.md."""
    (DOCS / "capacity.md").write_text(page(figures))


def page(f: Figures) -> str:
    """Return the page."""
    one, crowd = BUSY * 1e6 / f.one_us, BUSY * 1e6 / f.crowd_us
    redis = BUSY * 1e6 / f.publish_us
    drafts, events = DRAFTS_PER_S, EVENTS / WRITING_S
    appends = BUSY * f.appends_per_s
    return f"""# Capacity

What N servers, one Redis and one Postgres carry, from the figures of one run of `make bench`, which also writes
this page. The figures are of one core of a small shared machine; put your own in their place. What a course
is worth: {EVENTS} entries in its log, written in about {WRITING_S:.0f} s by a language model, with at most
{DRAFTS_PER_S:.0f} drafts a second meanwhile. A core counts as full at {BUSY:.0%}.

| figure | measured | carries, at {BUSY:.0%} |
|---|---|---|
| server CPU per delivery, one viewer per course | {f.one_us:.0f} µs | {one:,.0f} deliveries a second |
| server CPU per delivery, many viewers of one course | {f.crowd_us:.1f} µs | {crowd:,.0f} deliveries a second |
| memory of an idle SSE viewer | {f.viewer_kb:.0f} KB | {MAX_VIEWERS:,} viewers in {f.viewer_kb * 10:,.0f} MB |
| viewers connected a second, replay included | {f.connects_per_s:,.0f} | – |
| `POST /courses` a second | {f.posts_per_s:,.0f} | {BUSY * f.posts_per_s:,.0f} |
| status polls a second | {f.polls_per_s:,.0f} | {BUSY * f.polls_per_s:,.0f} |
| Postgres: durable appends a second | {f.appends_per_s:,.0f} | {appends:,.0f} |
| Redis CPU per message with one subscriber | {f.publish_us:.0f} µs | {redis:,.0f} messages a second |

## One server

A process is one core. It serves at most {MAX_VIEWERS:,} viewers (`COURSECAST_MAX_VIEWERS`); what they watch decides
whether it can:

| every viewer watches | deliveries a second a viewer | viewers a core carries |
|---|---|---|
| a course that is over, or waits (a ping every 15 s) | {1 / 15:.2f} | {_viewers(one, 1 / 15)} |
| a course of its own being written, without drafts | {EVENTS} ÷ {WRITING_S:.0f} s = {events:.2f} | {_viewers(one, events)} |
| a course of its own being written, with drafts | {drafts + events:.1f} | {_viewers(one, drafts + events)} |
| one course that all watch, with drafts | {drafts + events:.1f} | {_viewers(crowd, drafts + events)} |

(deliveries a second a core carries ÷ deliveries a second a viewer; never more than {MAX_VIEWERS:,}.) **Drafts decide**:
they are {drafts / events:.0f} times as many as events, and they are what a viewer drops first when it lags.

## N servers

Servers share nothing but Postgres and Redis: a viewer may be on any of them, and comes back to any other. N servers
carry N times the viewers, until one of these is full:

- **Postgres** takes {appends:,.0f} appends a second, so {appends:,.0f} ÷ {events:.2f} = {appends / events:,.0f} courses being
  written at once, whatever the number of viewers. Reading for viewers is small beside it: two queries when one
  connects, and every {RECONCILE_S:.0f} s one query a server over the courses watched there.
- **Redis** takes {redis:,.0f} messages a second. With drafts that is {redis:,.0f} ÷ {drafts + events:.1f} =
  {redis / (drafts + events):,.0f} courses being written at once; without, {redis / events:,.0f}. A course watched on k servers
  costs Redis k copies.
- **A restart**: the viewers of a server that goes come back within 1 to 3 s, to the others. {MAX_VIEWERS:,} viewers at
  {f.connects_per_s:,.0f} a second keep one core busy for {MAX_VIEWERS / f.connects_per_s:.0f} s, spread over N - 1 servers for
  {MAX_VIEWERS / f.connects_per_s:.0f} ÷ (N - 1) s.

## 100,000 viewers at once

Of these, let one in ten watch a course being written, alone, and the others a finished or waiting one: 10,000 courses
in the making.

| what | arithmetic | asks for |
|---|---|---|
| connections | 100,000 ÷ {MAX_VIEWERS:,} | {_up(100_000 / MAX_VIEWERS)} processes, {100_000 * f.viewer_kb / 1e6:.1f} GB |
| drafts to viewers | 10,000 × {drafts:.0f} = {10_000 * drafts:,.0f} a second ÷ {one:,.0f} | {_up(10_000 * drafts / one)} cores of servers |
| pings to viewers | 100,000 ÷ 15 = {100_000 / 15:,.0f} a second ÷ {one:,.0f} | {_up(100_000 / 15 / one)} cores of servers |
| messages through Redis | 10,000 × {drafts + events:.1f} = {10_000 * (drafts + events):,.0f} a second ÷ {redis:,.0f} | {_up(10_000 * (drafts + events) / redis)} Redis |
| appends | 10,000 × {events:.2f} = {10_000 * events:,.0f} a second ÷ {appends:,.0f} | {_up(10_000 * events / appends)} Postgres |
| reconciling | 100,000 ÷ {RECONCILE_S:.0f} s | {100_000 / RECONCILE_S:,.0f} rows a second by primary key |

**What breaks first is {_first(f, 10_000)}.** What to change, in this order:

1. **Fewer drafts.** Two a second instead of ten read the same; server cores and Redis load fall to a fifth.
2. **Sharded pub/sub.** `SSUBSCRIBE`/`SPUBLISH` (Redis ≥ 7) on a Redis Cluster: a channel is a course, so channels spread
   over the shards by themselves, and no shard hears of another's messages (plain pub/sub in a cluster sends
   every message to every node, which would not help). A server then has one subscription connection to each shard
   instead of one; everything above the subscriber stays as it is, because nothing relies on an order across courses.
3. **Reconcile only what is being written.** A watch on a finished course cannot get further but by a retry, which
   rings; asked for every 30 s instead of 2, the {100_000 / RECONCILE_S:,.0f} rows a second become
   {10_000 / RECONCILE_S + 90_000 / 30:,.0f}.
4. **Longer jitter.** 1 to 3 s spread {MAX_VIEWERS:,} viewers over 2 s: {MAX_VIEWERS / 2:,.0f} connects a second. With
   {_up(100_000 / MAX_VIEWERS)} processes or more the rest take them; with fewer the `retry:` of the drain must grow to
   viewers ÷ (connects a second × processes left).
5. **Partitions and retention of `events`.** 10,000 courses a minute are {10_000 * EVENTS * 60 * 24 / 1e6:,.0f} million rows a day. The
   table is read by (course_id, seq) only, so hash partitions on `course_id` keep the indexes in memory and let
   autovacuum work in pieces. Old logs go by age of the course: once complete, the finished course is in `courses`, `parts` and
   `sections`, and its log is needed only by viewers who still replay it. Either delete a finished course's events after
   some weeks, in batches, or put the month into the course id (UUIDv7) and partition by range, to drop whole months.

## Read replicas, and why replay must read the primary

Finished courses, the list, books and search may be read from a replica: late by a second they are still right. **Replay,
long-poll, reconcile and the status row may not.** A viewer subscribes, then reads the log, then follows: what was committed
before the read is in the log, what comes after it rings. On a replica that is 200 ms behind, an entry published just
before the subscription stood is in neither: not yet in the log that is read, and no longer on the channel. The
next entry would show the gap, but a last one (`course_stored`) has none after it, and a reconcile that asks the same
replica sees nothing wrong. To move replay to replicas later, publish the commit's LSN with the message and let a read wait
until `pg_last_wal_replay_lsn()` has passed it, with the primary as the way out.

## 1,000,000 viewers at once

The same mix, ten times: {_up(1_000_000 / MAX_VIEWERS)} processes for connections alone ({1_000_000 * f.viewer_kb / 1e6:.0f} GB), and
100,000 courses in the making: {100_000 * events:,.0f} appends a second ÷ {appends:,.0f} = {_up(100_000 * events / appends)} Postgres of this
size, {100_000 * (drafts + events):,.0f} messages a second ÷ {redis:,.0f} = {_up(100_000 * (drafts + events) / redis)} Redis shards,
{_up(100_000 * drafts / one)} server cores for drafts at ten a second.

- **One Postgres is over.** A course is the unit of everything: its row lock, its log, its fence; no statement joins two courses
  but the caller's limit and the list. So courses shard by id over several Postgres, the id naming the shard; the limit and the
  list move to a small table by caller of their own. A larger machine moves this point, it does not remove it: appends of
  different courses do not wait for each other's rows, but they share one write-ahead log.
- **Deal viewers out by course.** With viewers placed at random, a course with v viewers is watched on about min(v, N) of N
  servers, and Redis sends it as often. A load balancer that hashes the course id in the path
  (`/courses/{{id}}/…`) brings that back to one, and makes the cheap row ({f.crowd_us:.1f} µs) out of the dear one ({f.one_us:.0f} µs). A course
  with more than {MAX_VIEWERS:,} viewers then needs two choices instead of one.
- **One course, a million viewers** is another problem: {_up(1_000_000 / MAX_VIEWERS)} servers, one message each from Redis, and
  1,000,000 × {f.crowd_us:.1f} µs ÷ {_up(1_000_000 / MAX_VIEWERS)} = {1_000_000 * f.crowd_us / 1e6 / _up(1_000_000 / MAX_VIEWERS):.2f} s of a core of each for one message. Events are fine; for drafts at
  ten a second each process has 0.1 s, so {"they fit, barely" if f.crowd_us * MAX_VIEWERS < 7e4 else "they do not fit: two a second do"}.
- **A storm.** A million viewers cut at once at {f.connects_per_s:,.0f} connects a second and process are back after
  1,000,000 ÷ ({f.connects_per_s:,.0f} × {_up(1_000_000 / MAX_VIEWERS)}) = {1_000_000 / f.connects_per_s / _up(1_000_000 / MAX_VIEWERS):.0f} s if they come evenly, with 2,000,000 queries
  to Postgres: a replay from a server's own memory for courses that are watched there already is then worth its memory.
"""


def _viewers(deliveries_per_s: float, per_viewer: float) -> str:
    return f"{min(MAX_VIEWERS, deliveries_per_s / per_viewer):,.0f}"


def _up(value: float) -> int:
    return -int(-value // 1)


def _first(f: Figures, courses: int) -> str:
    """Return which of the shared two is over its capacity by more."""
    rate = EVENTS / WRITING_S
    redis = courses * (DRAFTS_PER_S + rate) * f.publish_us / 1e6 / BUSY
    postgres = courses * rate / f.appends_per_s / BUSY
    name, times = max(("Redis", redis), ("Postgres", postgres), key=lambda found: found[1])
    if times <= 1:
        return f"neither of the two: {name}, the fuller one, is at {times:.0%} of what it carries. Servers are just added"
    return f"{name}, by a factor of {times:.1f}"
