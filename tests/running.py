"""A running house for tests that only talk to it over HTTP: one server, one worker, shared by a module."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.backing import Backing
from pipeline.settings import Settings
from tests.processes import Process, Web, run_web, run_worker


@dataclass
class RunningHouse:
    """A server and a worker on a database of their own."""

    settings: Settings
    web: Web
    worker: Process

    @property
    def base_url(self) -> str:
        return self.web.base_url


@pytest.fixture(scope="module")
def running_house(
    backing: Backing, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningHouse]:
    """A server and a worker as real processes, ready, for all tests of a module."""
    home: Path = tmp_path_factory.mktemp("home")
    settings = Settings(database_url=module_database_url, redis_url=backing.redis_url, home=home)
    with run_web(settings) as web, run_worker(settings) as worker:
        yield RunningHouse(settings, web, worker)
