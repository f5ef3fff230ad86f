"""Where a model is the author, it tells what the chapters of an added book are about."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from pipeline import database
from pipeline.database import Pool
from pipeline.library.embed import StaticEmbedder
from pipeline.library.ingest.adding import OwnBooks, Stage, Upload
from pipeline.library.ingest.choose import summariser_for
from pipeline.library.ingest.naming import Facts
from pipeline.library.search import Library
from pipeline.library.views import ShownBook
from pipeline.settings import AuthorName, Settings
from tests.book_files import small_epub
from tests.openai_server import OpenAIServer

EMBEDDER = StaticEmbedder()


@pytest.fixture
def model_settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return settings.model_copy(
        update={
            "author_choice": AuthorName.OPENAI,
            "openai_api_key": SecretStr("test-key"),
            "openai_base_url": openai_server.base_url,
        }
    )


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    assert settings.database_url
    pool = await database.open_pool(settings.database_url, max_size=2)
    await database.migrate(pool)
    yield pool
    await pool.close()


async def added(pool: Pool, settings: Settings, stages: list[Stage]) -> ShownBook:
    with tempfile.TemporaryFile() as file:
        file.write(small_epub())
        file.flush()
        async with summariser_for(settings) as summariser:
            own = OwnBooks(pool, EMBEDDER, summariser)
            done = await own.add(
                Upload(file=file, name="harbours.epub"),
                Facts(),
                caller="local",
                on_stage=lambda stage, _done, _total: stages.append(stage),
            )
    book = await Library(pool, EMBEDDER).book(done.book_id)
    assert book is not None
    return book


async def test_a_model_summarises_every_chapter(
    pool: Pool, model_settings: Settings, openai_server: OpenAIServer
) -> None:
    stages: list[Stage] = []
    book = await added(pool, model_settings, stages)
    assert "summarising" in stages
    calls = [call for call in await openai_server.calls() if call.task == "summary"]
    assert len(calls) == len(book.chapters) == 2
    request = await openai_server.request(calls[0])
    assert "Tides decide when a ship may enter the harbour" in request["messages"][-1]["content"]
    assert all(chapter.summary and 1 <= len(chapter.key_concepts) <= 10 for chapter in book.chapters)
    assert all(4 <= len(chapter.questions) <= 10 for chapter in book.chapters)
    assert "harbour pilot guides large ships" not in book.chapters[0].summary  # not the book's own sentence


async def test_a_chapter_that_the_model_cannot_tell_about_keeps_its_own_sentences(
    pool: Pool, model_settings: Settings, openai_server: OpenAIServer
) -> None:
    await openai_server.configure(fail_always={"status": 401})
    book = await added(pool, model_settings, [])
    assert "harbour" in book.chapters[0].summary
    assert len(book.chapters) == 2


async def test_without_a_model_nobody_is_asked(
    pool: Pool, settings: Settings, openai_server: OpenAIServer
) -> None:
    stages: list[Stage] = []
    await added(pool, settings, stages)
    assert "summarising" not in stages
    assert not await openai_server.calls()
