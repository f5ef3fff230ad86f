"""The fixture ``openai_server``: one test model for the session, as new for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.openai_server import OpenAIServer
from tests.openai_server.client import ModelProcess


@pytest.fixture(scope="session")
def model_process() -> Iterator[ModelProcess]:
    process = ModelProcess()
    yield process
    process.stop()


@pytest.fixture
async def openai_server(model_process: ModelProcess) -> AsyncIterator[OpenAIServer]:
    """An OpenAI-compatible server that behaves well until told otherwise."""
    async with OpenAIServer(model_process.address) as server:
        await server.reset()
        yield server
