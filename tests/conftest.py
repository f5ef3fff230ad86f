"""Fixtures that every test may use: a real Postgres, a real Redis, a database of its own for each test."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from pipeline.backing import Backing
from pipeline.backing.postgres import DATABASE
from pipeline.settings import Settings

pytest_plugins = ["tests.hub_house", "tests.openai_fixtures", "tests.own_servers", "tests.running"]

MakeDatabase = Callable[[], AbstractContextManager[str]]
TEST_REDIS_DB = 1

# --- what runs for the whole session -----------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def _plain_environment() -> Iterator[None]:
    """No variable of whoever runs the tests changes them."""
    with pytest.MonkeyPatch.context() as patch:
        for field in Settings.model_fields.values():
            patch.delenv(str(field.validation_alias), raising=False)
        yield


@pytest.fixture(scope="session")
def _runner() -> Iterator[asyncio.Runner]:
    """A loop that outlives each test's own, for what belongs to the session."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="session")
def backing(_runner: asyncio.Runner) -> Iterator[Backing]:
    """Embedded Postgres and Redis, one of each per session, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="coursecast-test-") as home:
        services = Backing(Settings(home=Path(home)), durable=False)
        _runner.run(services.__aenter__())
        yield services
        _runner.run(services.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def make_database(backing: Backing, _runner: asyncio.Runner) -> Iterator[MakeDatabase]:
    """Return a context manager that creates an empty database, gives its URL and drops it."""
    admin = _runner.run(asyncpg.connect(backing.database_url))
    numbers = count(1)

    @contextmanager
    def make() -> Iterator[str]:
        name = f"test_{next(numbers)}"
        _runner.run(admin.execute(f"CREATE DATABASE {name}"))
        try:
            yield backing.database_url.replace(f"/{DATABASE}?", f"/{name}?")
        finally:
            _runner.run(admin.execute(f"DROP DATABASE {name} WITH (FORCE)"))

    yield make
    _runner.run(admin.close())


# --- what each test gets for itself --------------------------------------------------------------------


@pytest.fixture
def database_url(make_database: MakeDatabase) -> Iterator[str]:
    """URL of an empty database that only this test uses."""
    with make_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(make_database: MakeDatabase) -> Iterator[str]:
    """URL of an empty database that the tests of one module share."""
    with make_database() as url:
        yield url


@pytest.fixture
def redis_url(backing: Backing) -> Iterator[str]:
    """URL of a Redis database that is empty before and after the test."""
    url = backing.redis_url.replace("db=0", f"db={TEST_REDIS_DB}")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(database_url: str, redis_url: str, free_port: int, tmp_path: Path) -> Settings:
    """Settings on this test's own database, Redis and port."""
    return Settings(
        host="127.0.0.1", port=free_port, database_url=database_url, redis_url=redis_url, home=tmp_path
    )


# --- COURSECAST_TEST_ALL=1: nothing may be skipped -----------------------------------------------------

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _note_skip(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _note_skip(report)


def _note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    _skipped.append(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")


def _skips_fail() -> bool:
    return os.environ.get("COURSECAST_TEST_ALL") == "1" and bool(_skipped)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process of pytest-xdist skipped: of a module skipped as a whole it tells nobody."""
    theirs: list[str] = getattr(node, "workeroutput", {}).get("skipped", [])
    _skipped.extend(line for line in theirs if line not in _skipped)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["skipped"] = _skipped
    if _skips_fail() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skips_fail():
        terminalreporter.section("COURSECAST_TEST_ALL=1: skipped tests fail the run", red=True)
        for line in _skipped:
            terminalreporter.write_line(line)
