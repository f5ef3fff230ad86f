"""Runs: claim a course, run what is pending, append, publish, until it is over.

A run is a task of the runner and of nobody else. The arq job that started it only awaits it, so losing
Redis, or the job, never cancels it. What ends a run early: its lease is lost (another run may write now),
the course timed out, or the worker stops (the lease is given back).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

from pipeline import course as machine
from pipeline import database
from pipeline import events as ev
from pipeline.bus import Bus
from pipeline.course import State, Task
from pipeline.drafts import Drafts
from pipeline.ending import end
from pipeline.errors import CourseError, CourseTimeout, InternalError, LibraryUnavailable, LostCourse
from pipeline.ledger import Ledger
from pipeline.log import Claim, Claimed, Log, QueryVector, Written
from pipeline.phases import PHASES, Desk, Result, Workshop
from pipeline.retry import GiveUp, decide

logger = logging.getLogger(__name__)

RENEW_S = 2.0
"""Between renewals. A cancelled course is noticed by its run at the next one, within 3 s all told."""
DATABASE_BACKOFF_S = (0.1, 2.0)
_NOT_THE_COURSES_FAULT: tuple[type[BaseException], ...] = (*database.UNAVAILABLE, LostCourse)
_OUR_FAULT = "Something went wrong on our side while writing the course."


class Runner:
    """All the runs of one worker.

    Args:
        log: where results go.
        bus: who is told.
        shop: author, embedder, library.
        timeout_s: longest time of one run.
        capacity: most runs at once; more are left to other workers, or to later.
        max_tokens: most tokens of a model that one course may spend; None: any number.
    """

    def __init__(
        self,
        log: Log,
        bus: Bus,
        shop: Workshop,
        *,
        timeout_s: float,
        capacity: int,
        max_tokens: int | None = None,
    ) -> None:
        self._log = log
        self._bus = bus
        self._shop = shop
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._max_tokens = max_tokens
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._claims: dict[Claim, asyncio.Task[None]] = {}
        self._unfinished: list[Claim] = []
        self._stopping = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether another run may start here."""
        return not self._stopping.is_set() and len(self._runs) < self._capacity

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs here."""
        return not self._runs

    def is_running(self, course_id: str) -> bool:
        """Whether a run of this course is here."""
        return course_id in self._runs

    def start(self, course_id: str) -> asyncio.Task[None]:
        """Return the run of a course here, begun now where there was none.

        Await it shielded: cancelling the one who waits must not cancel the run.
        """
        run = self._runs.get(course_id)
        if run is None:
            run = asyncio.create_task(self._claim_and_run(course_id), name=f"run {course_id}")
            self._runs[course_id] = run
            run.add_done_callback(lambda done: self._ended(course_id, done))
        return run

    def _ended(self, course_id: str, run: asyncio.Task[None]) -> None:
        del self._runs[course_id]
        if not run.cancelled() and (error := run.exception()) is not None:
            # The lease runs out by itself and the sweep hands the course on.
            logger.error("run died", extra={"course": course_id, "error": repr(error)})

    async def keep_leases(self) -> None:
        """Renew all leases in one statement every RENEW_S, until cancelled; end runs that lost theirs."""
        while True:
            await asyncio.sleep(RENEW_S)
            claims = list(self._claims)
            if not claims:
                continue
            try:
                lost = await self._log.renew(claims)
            except database.UNAVAILABLE as error:
                # Runs go on: their fence decides, and nobody else can claim without the database either.
                logger.warning("leases not renewed", extra={"error": repr(error)})
                continue
            for claim in lost:
                if run := self._claims.get(claim):
                    run.cancel()

    async def stop(self) -> None:
        """End all runs and give their courses back."""
        self._stopping.set()
        await end(list(self._runs.values()))
        for claim in self._unfinished:
            try:
                await self._log.release(claim)
            except database.UNAVAILABLE as error:
                logger.warning("not released", extra={"course": claim.course_id, "error": repr(error)})
                return  # the leases run out by themselves

    async def _claim_and_run(self, course_id: str) -> None:
        if self._stopping.is_set():
            return
        try:
            claimed = await self._log.claim(course_id)
        except LostCourse:
            claimed = None  # deleted since it was claimed
        if claimed is None:
            logger.debug("not ours to run", extra={"course": course_id})
            return
        ledger = Ledger(claimed.ledger, limit=self._max_tokens)
        run = Run(claimed, self._log, self._bus, self._shop, ledger)
        me = asyncio.current_task()
        assert me is not None
        self._claims[claimed.claim] = me
        try:
            await run.until_over(self._timeout_s)
        except LostCourse as lost:
            logger.info("run ended: %s", lost, extra={"course": course_id})
        except asyncio.CancelledError:
            if self._stopping.is_set():
                self._unfinished.append(claimed.claim)
            raise
        finally:
            del self._claims[claimed.claim]


class Run:
    """One run of one course: the only writer of its log while the fence holds."""

    def __init__(self, claimed: Claimed, log: Log, bus: Bus, shop: Workshop, ledger: Ledger) -> None:
        self._claim = claimed.claim
        self._state: State = claimed.state
        self._log = log
        self._bus = bus
        self._ledger = ledger
        self._desk = Desk(shop, claimed.query_vector, ledger)
        self._drafts = Drafts(bus, claimed.claim)
        self._facts = {"course": claimed.claim.course_id, "fence": claimed.claim.fence}

    async def until_over(self, timeout_s: float) -> None:
        """Run what is pending until nothing is, or until `timeout_s` have passed.

        Raises:
            LostCourse: the course is somebody else's now.
        """
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                await self._work()
        except CourseError as error:
            await self._fail(error)
        except TimeoutError:
            if not deadline.expired():
                raise
            await self._fail(CourseTimeout(f"The course was not finished within {timeout_s:g} seconds."))
        except _NOT_THE_COURSES_FAULT:
            raise
        except (
            Exception
        ):  # a result that cannot follow or be stored must fail this course, not be tried for ever
            logger.exception("bug: a result that cannot be appended", extra=self._facts)
            await self._fail(InternalError(_OUR_FAULT))
        finally:
            await self._drafts.close()

    async def _work(self) -> None:
        """Start each pending task once; append each result as it comes, whichever comes first."""
        working: dict[asyncio.Task[Result], Task] = {}
        try:
            while tasks := machine.pending(self._state):
                for task in sorted(set(tasks) - set(working.values())):
                    attempts = asyncio.create_task(
                        self._attempts(task), name=f"{task} {self._claim.course_id}"
                    )
                    working[attempts] = task
                done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
                # Results first: what was paid for is in the log before a failure ends the run.
                for finished in sorted(done, key=lambda attempts: attempts.exception() is not None):
                    task = working.pop(finished)
                    result = finished.result()
                    self._drafts.drop(task)
                    await self._append(result.event, task=task, vector=result.vector)
        finally:
            self._drafts.stop()  # a call that takes a while to end may still write
            await end(working)

    async def _attempts(self, task: Task) -> Result:
        """Try a task until it has a result or its policy says to give up.

        Raises:
            CourseError: why it was given up.
        """
        attempt = 1
        began = time.monotonic()
        while True:
            try:
                return await PHASES[task.verb](self._desk, self._state, task, self._drafts.sink(task))
            except CourseError as raised:
                error = raised
            except database.UNAVAILABLE as raised:
                error = LibraryUnavailable("The library could not be read just now.")
                error.__cause__ = raised
            except Exception as raised:  # a bug in a phase must fail this course, not the worker
                logger.exception("bug in %s", task.verb, extra={**self._facts, "task": str(task)})
                error = InternalError(_OUR_FAULT)
                error.__cause__ = raised
            self._drafts.drop(task)
            elapsed_s = time.monotonic() - began
            decision = decide(task.verb, error, attempt, jitter=random.random(), elapsed_s=elapsed_s)
            facts = {
                **self._facts,
                "task": str(task),
                "attempt": attempt,
                "error": repr(error.__cause__ or error),
            }
            if isinstance(decision, GiveUp):
                logger.warning("task given up", extra=facts)
                raise decision.error
            logger.info("task tried again", extra={**facts, "wait_s": round(decision.wait_s, 2)})
            await asyncio.sleep(decision.wait_s)
            attempt += 1

    async def _fail(self, error: CourseError) -> None:
        event = ev.CourseFailed(
            error=str(error),
            error_code=error.code,
            failed_phase=self._state.working_phase,
            retryable=error.resumable,
        )
        await self._append(event)

    async def _append(
        self, event: ev.Event, *, task: Task | None = None, vector: QueryVector | None = None
    ) -> None:
        """Append and publish, however long the database is away.

        When the fate of a COMMIT is unknown, the log is read again instead of appending again: either the
        event is in it, or it is not and the append is repeated, or somebody else wrote and we are lost.
        """
        wait_s, longest_s = DATABASE_BACKOFF_S
        bookings = self._ledger.unwritten()
        is_unknown = False
        while True:
            try:
                written = await self._log.append(
                    self._claim, self._state, event, task=task, vector=vector, bookings=bookings
                )
                break
            except database.UNAVAILABLE as error:
                is_unknown = True
                logger.warning("append unknown", extra={**self._facts, "error": repr(error)})
            except LostCourse:
                # An earlier try may have committed after we looked: then what is in our way is our own event.
                if not is_unknown or (found := await self._found_in_log(event)) is None:
                    raise
                written = found
                break
            await asyncio.sleep(wait_s)
            wait_s = min(longest_s, wait_s * 2)
            if found := await self._found_in_log(event):
                written = found
                break
        self._ledger.written(bookings)
        self._state = written.state
        await self._bus.publish(written.entries)

    async def _found_in_log(self, event: ev.Event) -> Written | None:
        try:
            entries = await self._log.entries(self._claim.course_id, self._state.seq)
            if not entries:
                return None
            state = await self._log.load(self._claim.course_id)
        except database.UNAVAILABLE:
            return None
        expected = machine.apply(self._state, event)
        ours = ev.event_from_message(machine.parse(entries[0].message))
        if ours.model_dump_json() != event.model_dump_json() or entries[0].seq != expected.seq:
            raise LostCourse(f"course {self._claim.course_id} was written by somebody else")
        return Written(state, tuple(entries))
