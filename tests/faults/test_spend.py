"""Tokens: every call is counted, whoever made it, the course and the metrics show them, and a limit holds."""

from __future__ import annotations

import httpx2

from pipeline.ledger import SPENT
from pipeline.settings import Settings
from tests.journeys import log_until_over, start
from tests.openai_server import OpenAIServer
from tests.processes import run_worker


async def spent_at(model: OpenAIServer, course_id: str) -> dict[str, int]:
    """Return what the model's server counted for the calls that it answered to their end."""
    calls = [c for c in await model.calls(course_id=course_id) if c.completion_tokens]
    return {
        "prompt": sum(call.prompt_tokens for call in calls),
        "completion": sum(call.completion_tokens for call in calls),
        "calls": len(calls),
    }


async def tokens_of(http: httpx2.AsyncClient, course_id: str) -> dict[str, int]:
    response = await http.get(f"/courses/{course_id}")
    assert response.status_code == 200, response.text
    tokens: dict[str, int] = response.json()["course"]["quality"]["tokens"]
    return tokens


async def test_all_calls_are_counted_also_those_whose_answer_was_no_use(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    await slow_model.configure(delay_s=0.0, fail_next=["wrong_shape", {"kind": "length", "task": "sections"}])
    with run_worker(model_settings):
        course_id = await start(http)
        assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"
    tokens = await tokens_of(http, course_id)
    assert tokens == await spent_at(slow_model, course_id)
    assert tokens["calls"] >= 6  # parts twice, one of three parts' sections twice, the rest once
    metrics = (await http.get("/metrics")).text
    assert f"coursecast_model_calls {float(tokens['calls'])}" in metrics
    assert f'coursecast_tokens{{kind="prompt"}} {float(tokens["prompt"])}' in metrics
    assert f'coursecast_tokens{{kind="completion"}} {float(tokens["completion"])}' in metrics


async def test_the_books_go_on_when_another_worker_does(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    """What the dead worker had to mend is in the report, too."""
    await slow_model.configure(delay_s=0.2, fail_next=["wrong_shape"])
    with run_worker(model_settings) as first:
        course_id = await start(http)
        await slow_model.wait_for_call(lambda call: call.task.startswith("sections"))
        first.kill()
        with run_worker(model_settings):
            assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"
    assert await tokens_of(http, course_id) == await spent_at(slow_model, course_id)
    quality = (await http.get(f"/courses/{course_id}")).json()["course"]["quality"]
    assert any("asked again" in note for note in quality["notes"])


async def test_a_course_stops_at_its_limit_and_goes_on_once_the_limit_is_higher(
    http: httpx2.AsyncClient, model_settings: Settings, slow_model: OpenAIServer
) -> None:
    await slow_model.configure(delay_s=0.0)
    limited = model_settings.model_copy(update={"max_tokens_per_course": 12_000})
    with run_worker(limited):
        course_id = await start(http, hours=12)
        failed = (await log_until_over(http, course_id))[-1]
        assert failed["error_code"] == "token_budget_exceeded"
        assert failed["error"] == SPENT
        assert failed["retryable"] is True
        spent = await spent_at(slow_model, course_id)
        assert spent["prompt"] <= 12_000
    with run_worker(model_settings):
        assert (await http.post(f"/courses/{course_id}/retry")).status_code == 202
        assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"
    assert len(await slow_model.calls("parts", course_id=course_id)) == 1
