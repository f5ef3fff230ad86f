"""A house whose author is a language model at 1.5 s a call, so that there is time to interrupt it."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr

from pipeline.settings import AuthorName, Settings
from tests.openai_server import OpenAIServer
from tests.processes import Web, run_web

DELAY_S = 1.5


@pytest.fixture
async def slow_model(openai_server: OpenAIServer) -> OpenAIServer:
    await openai_server.configure(delay_s=DELAY_S)
    return openai_server


@pytest.fixture
def model_settings(settings: Settings, slow_model: OpenAIServer) -> Settings:
    return settings.model_copy(
        update={
            "author_choice": AuthorName.OPENAI,
            "openai_api_key": SecretStr("test-key"),
            "openai_base_url": slow_model.base_url,
        }
    )


@pytest.fixture
async def web(model_settings: Settings) -> AsyncIterator[Web]:
    with run_web(model_settings) as process:
        yield process


@pytest.fixture
async def http(web: Web) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=web.base_url, timeout=30) as client:
        yield client
