"""Every way in which a model's endpoint fails, over HTTP: what the learner sees, what the log has.

One short course each: one part, so its tasks are parts, sections:0 and review. ``docs/authors.md`` has the
same rows.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from pipeline.authors.openai import failures
from pipeline.authors.openai.asking import UNUSABLE
from pipeline.authors.openai.reply import CUT_OFF
from pipeline.backing import Backing
from pipeline.settings import AuthorName, Settings
from tests.journeys import log_until_over, start
from tests.openai_server import OpenAIServer
from tests.openai_server.client import ModelProcess
from tests.processes import ROOT, Process, Web, environment, free_port, run_web

KEY = "sk-test-0123456789abcdef"


class LoggedWorker(Process):
    """A worker whose log can be read."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.path = path
        super().__init__("pipeline.worker", environment(settings))

    def _start(self) -> subprocess.Popen[bytes]:
        with self.path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self.module],
                env={**os.environ, **self.env},
                cwd=ROOT,
                start_new_session=True,
                stderr=log,
            )

    def log_of(self, course_id: str, message: str) -> list[str]:
        return [
            line
            for line in self.path.read_text("utf-8").splitlines()
            if message in line and f"course={course_id}" in line
        ]


@pytest.fixture(scope="module")
def settings_of_module(
    backing: Backing,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    model_process: ModelProcess,
) -> Settings:
    return Settings(
        database_url=module_database_url,
        redis_url=backing.redis_url,
        home=tmp_path_factory.mktemp("home"),
        author_choice=AuthorName.OPENAI,
        openai_api_key=SecretStr(KEY),
        openai_base_url=f"{model_process.address}/v1",
        model_timeout_s=2.0,  # 0.8 s of silence
    )


@pytest.fixture(scope="module")
def worker(settings_of_module: Settings) -> Iterator[LoggedWorker]:
    worker = LoggedWorker(settings_of_module, settings_of_module.home / "worker.log")
    yield worker
    worker.stop()


@pytest.fixture(scope="module")
def module_web(settings_of_module: Settings, worker: LoggedWorker) -> Iterator[Web]:
    with run_web(settings_of_module) as web:
        yield web


@pytest.fixture
async def http(module_web: Web) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=module_web.base_url, timeout=60) as client:
        yield client


PERMANENT: list[tuple[Any, str, str]] = [
    ({"status": 401}, "author_misconfigured", failures.KEY_REJECTED),
    ({"status": 403}, "author_misconfigured", failures.KEY_REJECTED),
    ({"status": 404, "code": "model_not_found"}, "author_misconfigured", failures.UNKNOWN_MODEL),
    ({"status": 400}, "author_misconfigured", failures.NOT_ACCEPTED),
    ({"status": 422}, "author_misconfigured", failures.NOT_ACCEPTED),
    ({"status": 501}, "author_misconfigured", failures.NOT_ACCEPTED),
    ({"status": 413}, "author_misconfigured", failures.TOO_LONG),
    ({"status": 400, "code": "context_length_exceeded"}, "author_misconfigured", failures.TOO_LONG),
    ({"status": 429, "code": "insufficient_quota"}, "author_misconfigured", failures.NO_CREDIT),
    ({"status": 400, "code": "content_filter"}, "author_refused", failures.REFUSED),
    ("html", "author_misconfigured", failures.NO_SUCH_SERVICE),
    ("refusal", "author_refused", failures.REFUSED),
    ("content_filter", "author_refused", failures.REFUSED),
    ("length", "author_invalid_output", CUT_OFF),
    ("wrong_shape", "author_invalid_output", UNUSABLE),
    ("unknown_source", "author_invalid_output", UNUSABLE),
    ("invalid_json", "author_invalid_output", UNUSABLE),
    ("empty_choices", "author_invalid_output", UNUSABLE),
]


@pytest.mark.parametrize(("fault", "code", "sentence"), PERMANENT, ids=[str(row[0]) for row in PERMANENT])
async def test_what_does_not_go_away_stops_the_course_and_a_retry_goes_on_from_there(
    http: httpx2.AsyncClient,
    worker: LoggedWorker,
    openai_server: OpenAIServer,
    fault: Any,
    code: str,
    sentence: str,
) -> None:
    fault = fault if isinstance(fault, dict) else {"kind": fault}
    await openai_server.configure(fail_always={**fault, "task": "sections"})
    course_id = await start(http, hours=0.5)
    log = await log_until_over(http, course_id)
    failed = log[-1]
    assert (failed["type"], failed["error_code"], failed["error"]) == ("course_failed", code, sentence)
    assert failed["failed_phase"] == "generating_sections"
    assert failed["retryable"] is True
    status = (await http.get(f"/courses/{course_id}/status")).json()
    assert (status["status"], status["error_code"], status["error"]) == ("error", code, sentence)
    assert (await http.get(f"/courses/{course_id}")).status_code == 409

    assert worker.log_of(course_id, "task given up")
    if fault.get("kind") not in ("wrong_shape", "unknown_source", "invalid_json", "empty_choices"):
        lines = worker.log_of(course_id, "model call failed")
        assert lines
        assert all("request_id=req-" in line for line in lines if fault.get("kind") != "html")
    assert KEY not in worker.path.read_text("utf-8")
    assert KEY not in json.dumps(log)

    await openai_server.configure(fail_always=None)
    assert (await http.post(f"/courses/{course_id}/retry")).status_code == 202
    assert (await log_until_over(http, course_id))[-1]["type"] == "course_stored"
    done = [c for c in await openai_server.calls("parts", course_id=course_id) if c.status == "completed"]
    assert len(done) == 1, "the parts were asked for again"


TRANSIENT: list[Any] = [
    {"status": 429, "retry_after": 0.2},
    {"status": 429},
    {"status": 500},
    {"status": 502},
    {"status": 503, "retry_after": 0.2},
    {"status": 408},
    "hang",
    "stall",
    "drip",
    "cut_stream",
    "garbled_stream",
    "stream_error",
    "huge",
    "length",
    "empty_choices",
    "no_content",
    "invalid_json",
    "wrong_shape",
    "unknown_source",
]
ASKED_AGAIN = ("empty_choices", "no_content", "invalid_json", "wrong_shape", "unknown_source")


@pytest.mark.parametrize("fault", TRANSIENT, ids=str)
async def test_what_goes_away_is_cured_without_repeating_what_was_finished(
    http: httpx2.AsyncClient, worker: LoggedWorker, openai_server: OpenAIServer, fault: Any
) -> None:
    fault = fault if isinstance(fault, dict) else {"kind": fault}
    await openai_server.configure(fail_next=[{**fault, "task": "sections"}], huge_mb=100)
    course_id = await start(http, hours=0.5)
    log = await log_until_over(http, course_id)
    assert log[-1]["type"] == "course_stored"
    assert "course_failed" not in {message["type"] for message in log}
    parts = await openai_server.calls("parts", course_id=course_id)
    sections = await openai_server.calls("sections", course_id=course_id)
    assert [call.status for call in parts] == ["completed"]
    assert [call.status == "completed" for call in sections] == [False, True]
    if fault.get("kind") in ASKED_AGAIN:
        notes = (await http.get(f"/courses/{course_id}")).json()["course"]["quality"]["notes"]
        assert any("asked again" in note for note in notes)
    else:
        (line,) = worker.log_of(course_id, "model call failed")
        assert "task=sections:0" in line
        assert ("request_id=req-" in line) is (fault.get("kind") != "hang")
        assert worker.log_of(course_id, "task tried again")


@contextmanager
def nobody_listens() -> Iterator[int]:
    """A port that refuses connections."""
    yield free_port()


@contextmanager
def nobody_accepts() -> Iterator[int]:
    """A port whose queue of connections is full: the next one gets no answer at all."""
    with socket.socket() as listener, ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@pytest.mark.parametrize(
    ("address", "sentence"), [(nobody_listens, failures.UNREACHABLE), (nobody_accepts, failures.SLOW)]
)
async def test_an_endpoint_that_cannot_be_reached_is_tried_again_and_then_told(
    settings: Settings, tmp_path: Path, address: Callable[[], AbstractContextManager[int]], sentence: str
) -> None:
    with address() as port:
        unreachable = settings.model_copy(
            update={
                "author_choice": AuthorName.OPENAI,
                "openai_api_key": SecretStr(KEY),
                "openai_base_url": f"http://127.0.0.1:{port}/v1",
                "model_timeout_s": 2.0,
            }
        )
        with run_web(unreachable) as web:
            worker = LoggedWorker(unreachable, tmp_path / "worker.log")
            try:
                async with httpx2.AsyncClient(base_url=web.base_url, timeout=60) as http:
                    course_id = await start(http, hours=0.5)
                    failed = (await log_until_over(http, course_id))[-1]
            finally:
                worker.stop()
    assert (failed["error_code"], failed["error"]) == ("author_unavailable", sentence)
    assert failed["failed_phase"] == "generating_sections"
    assert failed["retryable"] is True
    assert worker.log_of(course_id, "task tried again")
    assert worker.log_of(course_id, "task given up")
    assert KEY not in worker.path.read_text("utf-8")


async def test_a_wait_longer_than_there_is_time_for_is_told_at_once(
    http: httpx2.AsyncClient, worker: LoggedWorker, openai_server: OpenAIServer
) -> None:
    """Last in this module: the gate of its worker stays closed for two minutes."""
    await openai_server.configure(fail_always={"status": 429, "retry_after": 86_400, "task": "sections"})
    course_id = await start(http, hours=0.5)
    failed = (await log_until_over(http, course_id))[-1]
    assert (failed["error_code"], failed["error"]) == ("author_unavailable", failures.BUSY)
    assert failed["retryable"] is True
    assert len(await openai_server.calls("sections", course_id=course_id)) == 1
