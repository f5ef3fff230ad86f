"""HTTP handlers of the library: which books there are, one book, search."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pipeline.errors import EmbedderUnavailable
from server import limits
from server.context import context
from server.responses import JSON, ApiError, invalid

MAX_QUERY_CHARACTERS = 2_000


async def list_books(request: Request) -> Response:
    """``GET /books``."""
    books = await context(request).library.books()
    return JSON({"books": [book.model_dump(mode="json") for book in books]})


async def one_book(request: Request) -> Response:
    """``GET /books/{book_id}``: the book with its chapters."""
    book_id = request.path_params["book_id"]
    book = await context(request).library.book(book_id) if "\x00" not in book_id else None
    if book is None:
        raise ApiError(404, "book_not_found", f"There is no book {book_id[:80]!r}.", field="book_id")
    return JSON(book.model_dump(mode="json"))


async def search_books(request: Request) -> Response:
    """``GET /books/search?q=``: the chapters about a question, best first."""
    question = limits.required(request.query_params, "q")
    if len(question) > MAX_QUERY_CHARACTERS:
        raise invalid("q", f"q may have {MAX_QUERY_CHARACTERS:,} characters.")
    try:
        results = await context(request).library.search_text(question)
    except EmbedderUnavailable as error:
        raise ApiError(503, error.code, f"{error}", headers={"Retry-After": "2"}) from error
    return JSON({"results": [result.model_dump(mode="json") for result in results]})
