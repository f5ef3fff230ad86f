"""Embedding the library with a model behind an API: cut short, gone on with; a mismatch is one sentence."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline import database
from pipeline.errors import EmbedderUnavailable, LibraryUnavailable
from pipeline.library.catalogue import is_loaded, load_catalogue
from pipeline.library.embed import StaticEmbedder
from pipeline.library.openai_embedder import OpenAIEmbedder
from pipeline.library.search import Library
from pipeline.outline import Brief
from pipeline.settings import EmbedderName, Settings
from tests.openai_server import OpenAIServer
from tests.openai_server.journal import Call
from tests.processes import environment

DIMENSIONS = 8


@pytest.fixture
def model_settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return settings.model_copy(
        update={
            "embedder": EmbedderName.OPENAI,
            "openai_api_key": SecretStr("test-key"),
            "openai_base_url": openai_server.base_url,
            "embedding_dimensions": DIMENSIONS,
        }
    )


async def embed_books(settings: Settings) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("coursecast")),
        "books",
        "embed",
        env={**os.environ, **environment(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def texts_embedded(server: OpenAIServer) -> int:
    calls = [
        call for call in await server.calls() if call.route == "embeddings" and call.status == "completed"
    ]
    return sum([len((await server.request(call))["input"]) for call in calls])


async def test_embedding_goes_on_where_it_was_cut_short(
    model_settings: Settings, openai_server: OpenAIServer
) -> None:
    first = await embed_books(model_settings)
    answered: set[int] = set()

    def is_sixth_answer(call: Call) -> bool:
        if call.status == "completed":
            answered.add(call.id)
        return len(answered) >= 6

    await openai_server.wait_for_call(is_sixth_answer, timeout_s=60)
    first.kill()
    await first.communicate()
    embedded_first = await texts_embedded(openai_server)
    assert embedded_first >= 1_000

    output, _ = await (await embed_books(model_settings)).communicate()
    assert f"Now all is embedded with text-embedding-3-small@{DIMENSIONS}." in output.decode()

    assert model_settings.database_url
    pool = await database.open_pool(model_settings.database_url)
    embedder = OpenAIEmbedder(model_settings)
    assert await is_loaded(pool, embedder)
    tables = ("chapter_vectors", "section_vectors", "question_vectors")
    total = sum([await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables])
    again = await texts_embedded(openai_server) - total
    assert 0 <= again <= 1_000, "more than the batch that was under way was embedded twice"

    output, _ = await (await embed_books(model_settings)).communicate()
    assert "Nothing to do" in output.decode()

    # The same name, other vectors: nothing is compared with them.
    (query,) = await StaticEmbedder().embed(["inflation"])
    with pytest.raises(LibraryUnavailable, match=r"gives 256 dimensions; whoever"):
        await Library(pool, embedder).relevant(Brief(query="inflation"), query)
    await pool.close()
    await embedder.close()


async def test_a_library_of_another_embedder_is_one_clear_sentence(
    model_settings: Settings, openai_server: OpenAIServer
) -> None:
    assert model_settings.database_url
    pool = await database.open_pool(model_settings.database_url)
    await database.migrate(pool)
    await load_catalogue(pool, StaticEmbedder())
    embedder = OpenAIEmbedder(model_settings)
    (query,) = await embedder.embed(["inflation"])
    with pytest.raises(LibraryUnavailable) as raised:
        await Library(pool, embedder).relevant(Brief(query="inflation"), query)
    assert str(raised.value) == (
        f"The library is embedded with static-minilm-256-v3, not with text-embedding-3-small@{DIMENSIONS}: "
        "whoever runs this server has to run “coursecast books embed”."
    )
    await pool.close()
    await embedder.close()


async def test_an_endpoint_that_is_away_is_told_in_a_sentence(
    model_settings: Settings, openai_server: OpenAIServer
) -> None:
    await openai_server.configure(fail_always={"status": 503})
    command = await embed_books(model_settings)
    output, _ = await command.communicate()
    assert command.returncode == 1
    assert "The embedding service answered 503." in output.decode()
    assert "Traceback" not in output.decode()


async def test_a_service_that_does_not_shorten_is_found_out(
    model_settings: Settings, openai_server: OpenAIServer
) -> None:
    embedder = OpenAIEmbedder(model_settings.model_copy(update={"embedding_dimensions": None}))
    assert embedder.model == "text-embedding-3-small"
    assert embedder.dimensions == 1536
    (vector,) = await embedder.embed(["inflation"])
    assert len(vector) == 1536
    await embedder.close()
    short = OpenAIEmbedder(model_settings)
    await openai_server.configure(ignore_dimensions=True)
    with pytest.raises(EmbedderUnavailable, match="not the 8 asked for"):
        await short.embed(["inflation"])
    await short.close()
