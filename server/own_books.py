"""HTTP handlers of an operator's own books: add one, with its progress as a stream, and remove one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError
from sse_starlette.event import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pipeline import database
from pipeline.ending import end
from pipeline.errors import EmbedderUnavailable
from pipeline.library.ingest.adding import Added, OwnBooks, Stage, Upload
from pipeline.library.ingest.choose import summariser_for
from pipeline.library.ingest.errors import BookError, FileTooLarge, NoSuchBook, ShippedBook
from pipeline.library.ingest.naming import Facts
from server import access, books
from server.context import Context, context
from server.hub import Hub
from server.responses import JSON, NOSNIFF, ApiError, invalid
from server.uploads import Form, received

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 8
"""Uploads that one web process takes at the same time; then 429."""
MOST_READ_AT_ONCE = 2
"""Of these, files being read: each may take some memory."""
PING_S = 15.0
LEAST_BETWEEN_S = 0.1
_STATUS: Mapping[type[BookError], int] = {FileTooLarge: 413, NoSuchBook: 404, ShippedBook: 409}
StreamKind = Literal["sse", "ndjson"]
_STREAMS: Mapping[str, StreamKind] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
}


class OwnBooksRoutes:
    """The handlers, which share how many uploads one process takes."""

    def __init__(self) -> None:
        self._at_once = 0
        self._readers = asyncio.Semaphore(MOST_READ_AT_ONCE)

    async def collection(self, request: Request) -> Response:
        """``/books``: one route for both methods, so that a 405 names both."""
        return await (self.add(request) if request.method == "POST" else books.list_books(request))

    async def one_book(self, request: Request) -> Response:
        """``/books/{book_id}``: one route for both methods, so that a 405 names both."""
        return await (remove_book(request) if request.method == "DELETE" else books.one_book(request))

    async def add(self, request: Request) -> Response:
        """``POST /books``: a multipart form with a ``file``; as a stream where ``Accept`` asks for one."""
        tools = context(request)
        _refuse_from_afar(request)
        if self._at_once >= MOST_AT_ONCE:
            message = f"{MOST_AT_ONCE} books are being added already; try again when some are done."
            raise ApiError(429, "too_many_uploads", message, headers={"Retry-After": "10"})
        async with AsyncExitStack() as held:
            held.enter_context(self._place())
            async with while_we_stay(tools.hub):
                form = await held.enter_async_context(
                    received(request, max_bytes=tools.settings.max_book_bytes)
                )
            work = _Work(self._readers, tools, form, read_facts(form.fields), access.caller(request))
            if kind := _stream_wanted(request):
                return _Stream(work, kind, held.pop_all())
            return await _answer(work)

    @contextmanager
    def _place(self) -> Iterator[None]:
        self._at_once += 1
        try:
            yield
        finally:
            self._at_once -= 1


async def remove_book(request: Request) -> Response:
    """``DELETE /books/{book_id}``: 204; a shipped book stays (409)."""
    tools = context(request)
    _refuse_from_afar(request)
    book_id = request.path_params["book_id"]
    try:
        if "\x00" in book_id:
            raise NoSuchBook(f"There is no book {book_id[:80]!r}.")
        async with while_we_stay(tools.hub):
            await OwnBooks(tools.pool, tools.embedder).remove(book_id)
    except BookError as error:
        raise _refusal(error, "book_id") from error
    return Response(status_code=204, headers=NOSNIFF)


def _refuse_from_afar(request: Request) -> None:
    """Let only this machine change the library until there are keys."""
    if not (access.is_loopback(context(request).settings.host) and access.is_from_here(request)):
        message = (
            "Books are added and removed over HTTP only on the machine of the server, while it listens on "
            "loopback; beside its database, coursecast books add --direct works."
        )
        raise ApiError(403, "changing_books_not_allowed", message)


@asynccontextmanager
async def while_we_stay(hub: Hub) -> AsyncIterator[None]:
    """Break off what is done within when this process is told to leave: it would be held up for long.

    Raises:
        ApiError: 503, `restarting`.
    """
    loop = asyncio.get_running_loop()

    async def leave(staying: asyncio.Timeout) -> None:
        await hub.drained()
        staying.reschedule(loop.time())

    staying = asyncio.timeout(None)
    try:
        async with staying:
            leaving = asyncio.create_task(leave(staying), name="break off when leaving")
            try:
                yield
            finally:
                await end([leaving])
    except TimeoutError as error:
        if not staying.expired():
            raise  # somebody else's
        raise _restarting() from error


def read_facts(fields: Mapping[str, list[str]]) -> Facts:
    """Return what a form says of its book.

    Raises:
        ApiError: 400 naming the field.
    """
    said: dict[str, Any] = {}
    for name, values in fields.items():
        if name not in Facts.model_fields:
            raise invalid(name[:80], f"There is no field {name[:80]!r}.")
        texts = [" ".join(value.split()) for value in values if value.strip()]
        if any("\x00" in text for text in texts):
            raise invalid(name, f"{name} must not contain NUL characters.")
        if name == "subjects":
            said[name] = tuple(s.strip() for text in texts for s in text.split(",") if s.strip())
        elif texts:
            said[name] = texts[-1]
    try:
        return Facts.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise invalid(name, f"{name}: {first['msg'].removeprefix('Value error, ')}.") from error


@dataclass(slots=True)
class _Work:
    """One book being added, and how far it is: the newest only, so that a slow reader costs no memory."""

    readers: asyncio.Semaphore
    tools: Context
    form: Form
    facts: Facts
    caller: str
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    newest: tuple[Stage, int, int] | None = None

    async def run(self) -> Added:
        """Add the book; what was done of it is kept where this process leaves."""
        upload = Upload(file=self.form.file, name=self.form.name)
        tools = self.tools
        async with while_we_stay(tools.hub), self.readers, summariser_for(tools.settings) as summariser:
            own = OwnBooks(tools.pool, tools.embedder, summariser)
            return await own.add(upload, self.facts, caller=self.caller, on_stage=self._tell)

    def _tell(self, stage: Stage, done: int, total: int) -> None:
        self.newest = (stage, done, total)
        self.changed.set()


async def _answer(work: _Work) -> Response:
    try:
        added = await work.run()
    except BookError as error:
        raise _refusal(error, "file") from error
    except EmbedderUnavailable as error:
        raise _not_embedded(error) from error
    body = await _outcome(work.tools, added)
    return JSON(body, 201 if added.created else 200, headers={"Location": f"/books/{added.book_id}"})


async def _outcome(tools: Context, added: Added) -> dict[str, Any]:
    book = await tools.library.book(added.book_id)
    shown = book.model_dump(mode="json", exclude={"chapters"}) if book else None
    return {"book_id": added.book_id, "created": added.created, "book": shown}


def _refusal(error: BookError, name: str) -> ApiError:
    return ApiError(_STATUS.get(type(error), 400), error.code, error.message, field=name)


def _not_embedded(error: EmbedderUnavailable) -> ApiError:
    message = f"The book is read but not in the library yet: {error} Add it again to go on."
    return ApiError(503, error.code, message, headers={"Retry-After": "10"})


def _restarting() -> ApiError:
    message = "The server is restarting; send it again to go on."
    return ApiError(503, "restarting", message, headers={"Retry-After": "2", "Connection": "close"})


# --- as a stream -----------------------------------------------------------------------------------------


def _stream_wanted(request: Request) -> StreamKind | None:
    for accepted in request.headers.get("accept", "").split(","):
        if kind := _STREAMS.get(accepted.partition(";")[0].strip().lower()):
            return kind
    return None


class _Stream(StreamingResponse):
    """The answer while the book is being added; lets go of the upload however it ends."""

    def __init__(self, work: _Work, kind: StreamKind, held: AsyncExitStack) -> None:
        frame = _sse if kind == "sse" else _ndjson
        super().__init__(
            (frame(name, data) async for name, data in _events(work)),
            media_type="text/event-stream" if kind == "sse" else "application/x-ndjson",
            headers={**NOSNIFF, "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"},
        )
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with self._held:
            await super().__call__(scope, receive, send)


def _sse(name: str, data: Mapping[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return bytes(ServerSentEvent(data=text, event=name, sep="\n").encode())


def _ndjson(name: str, data: Mapping[str, Any]) -> bytes:
    return json.dumps({"event": name, **data}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


async def _events(work: _Work) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield `progress` while it is added, `ping` where nothing moves, then `book` or `error`."""
    task = asyncio.create_task(work.run(), name="add a book")
    try:
        while not task.done():
            changed = asyncio.create_task(work.changed.wait())
            await asyncio.wait({task, changed}, timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
            await end([changed])
            if work.changed.is_set() and work.newest is not None:
                work.changed.clear()
                stage, done, total = work.newest
                yield "progress", {"stage": stage, "done": done, "total": total}
                await asyncio.wait({task}, timeout=LEAST_BETWEEN_S)
            elif not task.done():
                yield "ping", {}
        yield await _last(work, task)
    finally:
        await end([task])


async def _last(work: _Work, task: asyncio.Task[Added]) -> tuple[str, dict[str, Any]]:
    try:
        return "book", await _outcome(work.tools, task.result())
    except BookError as error:
        return "error", _refusal(error, "file").body()
    except EmbedderUnavailable as error:
        return "error", _not_embedded(error).body()
    except ApiError as error:
        return "error", error.body()
    except database.UNAVAILABLE:
        message = "The database does not answer just now; add the book again to go on."
        return "error", ApiError(503, "database_unavailable", message).body()
    except Exception:
        logger.exception("adding a book failed")  # nobody above hears of it: the answer has begun
        return "error", ApiError(500, "internal", "Something went wrong on our side.").body()
