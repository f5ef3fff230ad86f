"""Workers die, hang and come back; callers cancel. The log stays whole, no finished model call is paid twice.

The author is a language model at 1.5 s a call (a real server over HTTP), so that there is time to interrupt.
"""

import asyncio
import json
import signal
from collections import Counter

import httpx2

from pipeline.settings import Settings
from tests.faults.conftest import DELAY_S
from tests.journeys import log_now, log_until_over, start, tasks_in
from tests.openai_server import OpenAIServer
from tests.openai_server.journal import Call
from tests.processes import run_worker

TAKEOVER_S = 15.0
CANCEL_S = 3.0


def completed(calls: list[Call]) -> Counter[str]:
    return Counter(call.task for call in calls if call.status == "completed")


async def test_a_killed_worker_is_replaced_and_no_finished_call_is_repeated(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    """Courses in every phase at the instant of the kill: before, in and after each kind of call."""
    with run_worker(model_settings) as first:
        ids: list[str] = []
        for _ in range(6):
            ids.append(await start(http))
            # The next one begins half a call later, so that the six are in different phases.
            parts = await slow_model.wait_for_call(
                lambda call: call.course_id == ids[-1] and call.task == "parts"
            )
            await asyncio.sleep(max(0.0, DELAY_S / 2))
        assert parts.status == "running"
        first.kill()
        before = {course_id: tasks_in(await log_now(http, course_id)) for course_id in ids}
        calls_before = {call.id for call in await slow_model.calls()}
        assert len({frozenset(tasks) for tasks in before.values()}) >= 3, before
        with run_worker(model_settings):
            takeover = await slow_model.wait_for_call(
                lambda call: call.id not in calls_before, timeout_s=TAKEOVER_S
            )
            assert takeover.course_id in ids
            for course_id in ids:
                log = await log_until_over(http, course_id)
                assert log[-1]["type"] == "course_stored"
                calls = await slow_model.calls(course_id=course_id)
                again = {call.task for call in calls if call.id not in calls_before}
                assert not again & before[course_id], "a finished task was asked for again"
                assert set(completed(calls)) == tasks_in(log)


async def test_a_stopped_worker_that_comes_back_writes_nothing(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    with run_worker(model_settings) as frozen:
        course_id = await start(http)
        await slow_model.wait_for_call(lambda call: call.course_id == course_id and call.task == "parts")
        frozen.send(signal.SIGSTOP)
        with run_worker(model_settings) as other:
            log = await log_until_over(http, course_id)
            assert log[-1]["type"] == "course_stored"
            other.stop()
        frozen.send(signal.SIGCONT)
        # That it works again shows that it has seen to its old course too.
        next_id = await start(http)
        assert (await log_until_over(http, next_id))[-1]["type"] == "course_stored"
        assert await log_now(http, course_id) == log


async def test_a_cancel_drops_the_call_and_a_retry_goes_on_from_there(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    with run_worker(model_settings):
        course_id = await start(http)
        await slow_model.wait_for_call(lambda call: call.task == "parts" and call.status == "completed")
        await slow_model.configure(delay_s=30)
        running = await slow_model.wait_for_call(lambda call: call.task.startswith("sections"))
        response = await http.post(f"/courses/{course_id}/cancel")
        assert response.status_code == 200
        view = response.json()
        assert (view["status"], view["phase"], view["error_code"]) == ("error", "error", "cancelled")
        await slow_model.wait_for_call(
            lambda call: call.id == running.id and call.status == "dropped", timeout_s=CANCEL_S
        )
        assert (await http.post(f"/courses/{course_id}/cancel")).status_code == 200
        await slow_model.configure(delay_s=0.1)
        assert (await http.post(f"/courses/{course_id}/retry")).status_code == 202
        log = await log_until_over(http, course_id)
        assert [m["type"] for m in log if m["type"] in ("course_failed", "course_resumed")] == [
            "course_failed",
            "course_resumed",
        ]
        assert log[-1]["type"] == "course_stored"
        assert completed(await slow_model.calls("parts")) == {"parts": 1}
        assert (await http.post(f"/courses/{course_id}/cancel")).status_code == 409
        assert (await http.post(f"/courses/{course_id}/retry")).status_code == 409


async def test_sigterm_hands_the_courses_on_at_once(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    with run_worker(model_settings) as first:
        course_id = await start(http)
        call = await slow_model.wait_for_call(lambda call: call.task == "parts")
        first.stop()
        with run_worker(model_settings):
            # Well before the lease of the first would have run out.
            await slow_model.wait_for_call(lambda c: c.task == "parts" and c.id != call.id, timeout_s=8)
            assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"


async def test_transient_failures_are_cured_and_permanent_ones_wait_for_a_person(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    away, cut = {"status": 500, "task": "sections:0"}, {"kind": "cut_stream", "task": "review"}
    await slow_model.configure(delay_s=0.05, fail_next=[away, cut])
    with run_worker(model_settings):
        course_id = await start(http)
        assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"
        assert completed(await slow_model.calls("parts", course_id=course_id)) == {"parts": 1}

        await slow_model.configure(fail_always={"status": 401, "message": "no such key", "task": "sections"})
        course_id = await start(http)
        log = await log_until_over(http, course_id)
        assert log[-1]["error_code"] == "author_misconfigured"
        assert log[-1]["failed_phase"] == "generating_sections"
        assert "test-key" not in json.dumps(log)
        await slow_model.configure(fail_always=None)
        assert (await http.post(f"/courses/{course_id}/retry")).status_code == 202
        assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"
        assert completed(await slow_model.calls("parts", course_id=course_id)) == {"parts": 1}
