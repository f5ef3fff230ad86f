"""Adding a book is cut short: nobody sees half a book, and the same file goes on from what was done."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from pipeline import database
from pipeline.database import Pool
from pipeline.errors import EmbedderUnavailable
from pipeline.library.catalogue import ensure_index
from pipeline.library.embed import StaticEmbedder
from pipeline.library.ingest import adding
from pipeline.library.ingest.adding import BATCH, Added, OwnBooks, Stage, Upload
from pipeline.library.ingest.naming import Facts
from pipeline.settings import Settings
from tests.book_files import PROSE
from tests.processes import environment

CHAPTERS = BATCH + 16
BOOK = "\n".join(f"# Harbour {n}\n\n{PROSE}\n" for n in range(CHAPTERS)).encode()
STORED = ("books", "book_chapters", "chapter_vectors")
KEPT = ("ingests", "ingest_vectors")
LIBRARY_LOCK = 0x636F757273650002


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    assert settings.database_url
    pool = await database.open_pool(settings.database_url, max_size=3)
    await database.migrate(pool)
    yield pool
    await pool.close()


async def counts(pool: Pool, tables: Sequence[str]) -> list[int]:
    return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def add_directly(settings: Settings, book: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "books", "add", "--direct", str(book)),
        env={**os.environ, **environment(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def until_somebody_waits_for_the_library(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(30):
        while not await conn.fetchval(waiting):
            await asyncio.sleep(0.02)  # nothing tells when another process waits for a lock


async def test_a_process_killed_before_it_publishes_has_shown_nothing_and_lost_nothing(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    book = tmp_path / "harbours.md"
    book.write_bytes(BOOK)
    async with pool.acquire() as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", LIBRARY_LOCK)
        first = await add_directly(settings, book)
        await until_somebody_waits_for_the_library(conn)
        first.kill()
        await first.communicate()
        assert await counts(pool, STORED) == [0, 0, 0]
        assert await counts(pool, KEPT) == [1, CHAPTERS]
        await conn.execute("SELECT pg_advisory_unlock($1)", LIBRARY_LOCK)

    second = await add_directly(settings, book)
    told, _ = await second.communicate()
    assert second.returncode == 0, told.decode()
    assert f"{CHAPTERS} chapters" in told.decode()
    assert await counts(pool, STORED) == [1, CHAPTERS, CHAPTERS]
    assert await counts(pool, KEPT) == [0, 0]


class Embedder(StaticEmbedder):
    """Fails at one call, and counts what it embeds."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.calls = 0
        self.texts = 0
        self._fails_at = fails_at

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.calls += 1
        if self.calls == self._fails_at:
            raise EmbedderUnavailable("The test asked for this failure.")
        self.texts += len(texts)
        return await super().embed(texts)


async def add(pool: Pool, embedder: Embedder, stages: list[Stage] | None = None) -> Added:
    with tempfile.TemporaryFile() as file:
        file.write(BOOK)
        file.flush()
        return await OwnBooks(pool, embedder).add(
            Upload(file=file, name="harbours.md"),
            Facts(),
            caller="local",
            on_stage=lambda stage, _done, _total: (stages if stages is not None else []).append(stage),
        )


async def test_a_book_that_makes_the_library_large_brings_the_index_outside_a_transaction(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []

    async def ensure(conn: Any, model: str) -> bool:
        made = await ensure_index(conn, model, from_chapters=CHAPTERS)  # large is what this book brings
        seen.append((conn.is_in_transaction(), made))
        return made

    monkeypatch.setattr(adding, "ensure_index", ensure)
    assert (await add(pool, Embedder())).created
    assert seen == [(False, True)]
    assert not (await add(pool, Embedder())).created
    assert len(seen) == 1


async def test_an_embedder_that_goes_away_costs_one_batch(pool: Pool) -> None:
    with pytest.raises(EmbedderUnavailable):
        await add(pool, Embedder(fails_at=2))
    assert await counts(pool, STORED) == [0, 0, 0]
    assert await counts(pool, KEPT) == [1, BATCH]

    embedder, stages = Embedder(), list[Stage]()
    assert (await add(pool, embedder, stages)).created
    assert embedder.texts == CHAPTERS - BATCH
    assert "reading" not in stages
    assert await counts(pool, STORED) == [1, CHAPTERS, CHAPTERS]


async def test_the_same_file_from_two_at_once_is_one_book(pool: Pool) -> None:
    both = await asyncio.gather(add(pool, Embedder()), add(pool, Embedder()))
    assert len({added.book_id for added in both}) == 1
    assert sorted(added.created for added in both) == [False, True]
    assert await counts(pool, STORED) == [1, CHAPTERS, CHAPTERS]
    assert await counts(pool, KEPT) == [0, 0]


async def test_a_publishing_that_fails_leaves_the_library_as_it_was(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(OwnBooks):
        async def _insert(self, *arguments: object) -> None:
            await super()._insert(*arguments)  # type: ignore[arg-type]
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[__name__], "OwnBooks", Failing)
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await add(pool, Embedder())
    assert await counts(pool, (*STORED, "library_lexemes")) == [0, 0, 0, 0]
    assert (await add(pool, Embedder())).created
