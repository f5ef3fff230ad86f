"""What several of the tests here stand on."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import database
from pipeline.library.catalogue import load_catalogue
from pipeline.library.embed import StaticEmbedder


@pytest.fixture(scope="module")
def loaded_url(module_database_url: str) -> str:
    """A database with the shipped catalogue, shared by the tests of a module that only read it."""

    async def load() -> None:
        pool = await database.open_pool(module_database_url)
        await database.migrate(pool)
        await load_catalogue(pool, StaticEmbedder())
        await pool.close()

    asyncio.run(load())
    return module_database_url
