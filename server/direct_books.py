"""``books add`` and ``remove`` with ``--direct``: on the database itself, without a server.

For where no server may be asked: while it listens beyond loopback, or before it runs for the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.database import Pool
from pipeline.library import Embedder
from pipeline.library.ingest.adding import OwnBooks, Upload
from pipeline.library.ingest.choose import summariser_for
from pipeline.library.ingest.errors import BookError, FileTooLarge
from pipeline.library.ingest.naming import Facts
from pipeline.library.search import Library
from pipeline.settings import Settings
from server import access
from server.book_commands import Bar, add_books
from server.client import Refused
from server.library_here import library_here, run_here
from server.own_books import read_facts
from server.responses import ApiError
from server.terminal import console, line, put


def run_add(settings: Settings, paths: Sequence[Path], fields: Mapping[str, Any], *, as_json: bool) -> int:
    """Add books; return the exit code."""
    return run_here(_add(settings, paths, fields, as_json=as_json))


def run_remove(settings: Settings, book_id: str) -> int:
    """Remove a book; return the exit code."""
    return run_here(_remove(settings, book_id))


async def _add(settings: Settings, paths: Sequence[Path], fields: Mapping[str, Any], *, as_json: bool) -> int:
    async with library_here(settings) as (pool, embedder):
        adder = DirectAdder(pool, embedder, settings, asyncio.get_running_loop())
        return await asyncio.to_thread(add_books, adder, paths, fields, as_json=as_json)


async def _remove(settings: Settings, book_id: str) -> int:
    async with library_here(settings) as (pool, embedder):
        try:
            await OwnBooks(pool, embedder).remove(book_id)
        except BookError as error:
            put(console(stderr=True), [line((error.message, "red"))])
            return 1
    put(console(), [line("Removed.")])
    return 0


class DirectAdder:
    """Adds to the database at hand; called from a thread beside the loop that has the pool."""

    def __init__(
        self, pool: Pool, embedder: Embedder, settings: Settings, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._settings = settings
        self._loop = loop

    def add(self, path: Path, fields: Mapping[str, Any], bar: Bar) -> dict[str, Any]:
        """Add one file.

        Raises:
            Refused: it is no book that can be read, or what is said of it is wrong.
        """
        try:
            facts = read_facts({name: [v] if isinstance(v, str) else v for name, v in fields.items()})
            most = self._settings.max_book_bytes
            with path.open("rb") as file:
                if path.stat().st_size > most:
                    raise FileTooLarge(f"The file may have {most:,} bytes (COURSECAST_MAX_BOOK_BYTES).")
                adding = self._added(Upload(file=file, name=path.name), facts, bar)
                return asyncio.run_coroutine_threadsafe(adding, self._loop).result()
        except BookError as error:
            raise Refused(400, error.code, error.message, "file") from error
        except ApiError as error:
            raise Refused(error.status, error.code, error.message, error.field) from error

    async def _added(self, upload: Upload, facts: Facts, bar: Bar) -> dict[str, Any]:
        async with summariser_for(self._settings) as summariser:
            own = OwnBooks(self._pool, self._embedder, summariser)
            added = await own.add(upload, facts, caller=access.LOCAL, on_stage=bar.show)
        book = await Library(self._pool, self._embedder).book(added.book_id)
        shown = book.model_dump(mode="json", exclude={"chapters"}) if book else None
        return {"book_id": added.book_id, "created": added.created, "book": shown}
