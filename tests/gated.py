"""Courses on which nothing happens by itself: each step waits until the test lets it through.

Server, log, bus, runner and the library's author are the real ones. The runner is in the test's process, and
no worker is anywhere, so that the gate is all that moves a course on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2

from pipeline.authors import Assignment, Author, Review
from pipeline.bus import Bus, connect
from pipeline.database import Pool, open_pool
from pipeline.library import Embedder
from pipeline.log import Log
from pipeline.outline import Brief, Chapter, FoundBook, Part, Section, WrittenPart
from pipeline.phases import Shelves, Workshop
from pipeline.runner import Runner
from pipeline.settings import Settings
from pipeline.worker import workshop

DRAFT = {"sections": [{"title": "A draft of the test"}]}


class Gate:
    """Lets one step through each time it is opened."""

    def __init__(self) -> None:
        self._permits = asyncio.Semaphore(0)

    def open(self) -> None:
        self._permits.release()

    def take_away(self) -> None:
        """Let everything through."""
        for _ in range(1_000):
            self._permits.release()

    async def __aenter__(self) -> None:
        await self._permits.acquire()

    async def __aexit__(self, *_error: object) -> None:
        pass


class GatedAuthor:
    """Another author's work; a draft of each piece, then the gate, then the piece."""

    def __init__(self, author: Author, gate: Gate) -> None:
        self.name = author.name
        self._author = author
        self._gate = gate

    async def parts(self, work: Assignment) -> Sequence[Part]:
        work.draft(DRAFT)
        async with self._gate:
            return await self._author.parts(work)

    async def sections(self, work: Assignment, parts: Sequence[Part], part_index: int) -> Sequence[Section]:
        work.draft(DRAFT)
        async with self._gate:
            return await self._author.sections(work, parts, part_index)

    async def review(self, work: Assignment, parts: Sequence[WrittenPart]) -> Review:
        work.draft(DRAFT)
        async with self._gate:
            return await self._author.review(work, parts)

    async def close(self) -> None:
        pass


class GatedEmbedder:
    def __init__(self, embedder: Embedder, gate: Gate) -> None:
        self.model, self.dimensions = embedder.model, embedder.dimensions
        self.english_only = embedder.english_only
        self._embedder = embedder
        self._gate = gate

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        async with self._gate:
            return await self._embedder.embed(texts)

    async def close(self) -> None:
        pass


class GatedShelves:
    def __init__(self, library: Shelves, gate: Gate) -> None:
        self._library = library
        self._gate = gate

    async def relevant(self, brief: Brief, vector: Sequence[float]) -> tuple[FoundBook, ...]:
        async with self._gate:
            return await self._library.relevant(brief, vector)

    async def reading(self, found: Sequence[FoundBook], vector: Sequence[float]) -> tuple[Chapter, ...]:
        return await self._library.reading(found, vector)


class Stage:
    """Where gated courses are written; they are asked for over HTTP, as any course."""

    def __init__(self, pool: Pool, bus: Bus, shop: Workshop) -> None:
        self._pool = pool
        self._bus = bus
        self._shop = shop
        self._runners: list[Runner] = []

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Stage]:
        """Open what a worker opens."""
        assert settings.database_url
        assert settings.redis_url
        pool = await open_pool(settings.database_url)
        client = connect(settings.redis_url)
        try:
            async with workshop(settings, pool) as shop:
                stage = cls(pool, Bus(client), shop)
                yield stage
                for runner in stage._runners:
                    await runner.stop()
        finally:
            await client.aclose()
            await pool.close()

    async def course(self, base_url: str, hours: float = 3) -> GatedCourse:
        """Ask for a course; nothing happens to it before :meth:`GatedCourse.begin`."""
        async with httpx2.AsyncClient(base_url=base_url) as http:
            body = {"query": "Learn DCF valuation", "hours": hours}
            course_id = (await http.post("/courses", json=body)).json()["course_id"]
        return self.adopt(course_id)

    def adopt(self, course_id: str) -> GatedCourse:
        """Return a course that somebody else asked for."""
        gate = Gate()
        shop = Workshop(
            author=GatedAuthor(self._shop.author, gate),
            embedder=GatedEmbedder(self._shop.embedder, gate),
            library=GatedShelves(self._shop.library, gate),
        )
        runner = Runner(Log(self._pool), self._bus, shop, timeout_s=60, capacity=1)
        self._runners.append(runner)
        return GatedCourse(course_id, runner, gate)


class GatedCourse:
    """One course: :meth:`begin` has it written, up to the first gate."""

    def __init__(self, course_id: str, runner: Runner, gate: Gate) -> None:
        self.course_id = course_id
        self._runner = runner
        self._gate = gate

    def begin(self) -> None:
        """Claim it."""
        self._runner.start(self.course_id)

    def step(self) -> None:
        """Let one task through."""
        self._gate.open()

    def run_free(self) -> None:
        """Let all tasks through."""
        self._gate.take_away()
