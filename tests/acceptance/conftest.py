"""One server and one stage of gated courses for all modules here that want them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from pipeline.backing import Backing
from pipeline.settings import Settings
from tests.conftest import MakeDatabase
from tests.gated import Stage
from tests.processes import Web, run_web

REDIS_DB = 8
"""Not that of the houses with a worker, which would take jobs it cannot find the courses of."""
PAGES = "http://localhost:5173"
"""Another origin, whose pages may call the server."""


@pytest.fixture(scope="session")
def stage_settings(
    backing: Backing, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    with make_database() as database_url:
        yield Settings(
            database_url=database_url,
            redis_url=backing.redis_url.replace("db=0", f"db={REDIS_DB}"),
            home=tmp_path_factory.mktemp("stage"),
            allowed_origins=(PAGES,),
        )


@pytest.fixture(scope="session")
def web(stage_settings: Settings) -> Iterator[Web]:
    """A server without a worker."""
    with run_web(stage_settings) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(web: Web, stage_settings: Settings) -> AsyncIterator[Stage]:
    """Where courses of that server are written, step by step."""
    async with Stage.opened(stage_settings) as opened:
        yield opened
