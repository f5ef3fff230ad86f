"""What each task does: task → async function, one each. A phase's result is one event.

Phases read the state and the desk, never write anywhere: the runner appends what they return.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from pipeline import events as ev
from pipeline.authors import Assignment, Author, DraftSink
from pipeline.course import State, Task
from pipeline.ledger import Ledger
from pipeline.library import Embedder
from pipeline.log import QueryVector
from pipeline.outline import Brief, Chapter, FoundBook


class Shelves(Protocol):
    """What a run needs of the library."""

    async def relevant(self, brief: Brief, vector: Sequence[float]) -> tuple[FoundBook, ...]:
        """Return the books and chapters about the brief, best first; raise NoRelevantBooks for none."""
        ...

    async def reading(self, found: Sequence[FoundBook], vector: Sequence[float]) -> tuple[Chapter, ...]:
        """Return the chapters of `found`, with their sections and how close these are to the query."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Who and what a worker writes courses with; shared by all its runs."""

    author: Author
    embedder: Embedder
    library: Shelves


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a task came to."""

    event: ev.Event
    vector: QueryVector | None = None


class Desk:
    """What one run keeps at hand between its tasks: the query's vector and the reading.

    Both are recomputed by the next run if this one dies; nothing on the desk is truth.
    """

    def __init__(self, shop: Workshop, vector: QueryVector | None, ledger: Ledger) -> None:
        self.shop = shop
        self._ledger = ledger
        self._vector = vector if vector and vector.model == shop.embedder.model else None
        self._reading: tuple[Chapter, ...] | None = None
        self._lock = asyncio.Lock()

    async def vector(self, brief: Brief) -> QueryVector:
        """Return the query's vector, computed anew where the row's is of another embedder."""
        if self._vector is None:
            embedder = self.shop.embedder
            (values,) = await embedder.embed([brief.query])
            self._vector = QueryVector(values=tuple(values), model=embedder.model)
        return self._vector

    async def assignment(self, state: State, draft: DraftSink) -> Assignment:
        """Return what the author works from; the reading is fetched once, also for concurrent parts."""
        async with self._lock:
            if self._reading is None:
                vector = await self.vector(state.brief)
                self._reading = await self.shop.library.reading(state.books, vector.values)
        return Assignment(
            course_id=state.course_id,
            brief=state.brief,
            reading=self._reading,
            draft=draft,
            ledger=self._ledger,
        )


Phase = Callable[[Desk, State, Task, DraftSink], Awaitable[Result]]


async def embed(desk: Desk, state: State, _task: Task, _draft: DraftSink) -> Result:
    """Turn the query into a vector."""
    vector = await desk.vector(state.brief)
    event = ev.EmbeddingGenerated(model=vector.model, dimensions=len(vector.values))
    return Result(event=event, vector=vector)


async def search(desk: Desk, state: State, _task: Task, _draft: DraftSink) -> Result:
    """Find the books and chapters that are about the query."""
    vector = await desk.vector(state.brief)
    return Result(
        event=ev.BookSummariesFound(books=await desk.shop.library.relevant(state.brief, vector.values))
    )


async def parts(desk: Desk, state: State, _task: Task, draft: DraftSink) -> Result:
    """Have the author plan the parts."""
    work = await desk.assignment(state, draft)
    return Result(event=ev.PartsGenerated(parts=tuple(await desk.shop.author.parts(work))))


async def sections(desk: Desk, state: State, task: Task, draft: DraftSink) -> Result:
    """Have the author write the sections of one part."""
    assert task.part_index is not None
    work = await desk.assignment(state, draft)
    written = await desk.shop.author.sections(work, state.parts, task.part_index)
    return Result(event=ev.PartSectionsGenerated(part_index=task.part_index, sections=tuple(written)))


async def review(desk: Desk, state: State, _task: Task, draft: DraftSink) -> Result:
    """Have the author check the whole outline."""
    work = await desk.assignment(state, draft)
    reviewed = await desk.shop.author.review(work, state.written_parts)
    event = ev.OutlineReviewed(
        title=reviewed.title,
        parts=reviewed.parts,
        quality=reviewed.quality,
        changes=reviewed.changes,
        author=desk.shop.author.name,
    )
    return Result(event=event)


async def store(_desk: Desk, state: State, _task: Task, _draft: DraftSink) -> Result:
    """Finish the course; the log writes it to its tables with this event."""
    minutes = sum(part.estimated_minutes for part in state.reviewed)
    return Result(event=ev.CourseStored(title=state.title, estimated_hours=round(minutes / 60, 2)))


PHASES: Mapping[str, Phase] = MappingProxyType(
    {
        "embed": embed,
        "search": search,
        "parts": parts,
        "sections": sections,
        "review": review,
        "store": store,
    }
)
