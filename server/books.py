"""HTTP handlers of the library: which books there are, one book, search."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from pipeline.errors import EmbedderUnavailable
from pipeline.library.filters import LEVELS, Filters
from server import limits
from server.context import context
from server.responses import JSON, ApiError, invalid

MAX_QUERY_CHARACTERS = 2_000
_FILTER_FORMS = {
    "subject": "a subject of up to 100 characters",
    "level": f"one of {', '.join(LEVELS)}",
    "language": "a language tag such as en or en-GB",
    "licence": "a licence of up to 100 characters, such as CC BY",
    "own": "true or false",
}


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
    """``GET /books/search?q=``: the chapters about a question, best first, of books that pass the filters."""
    question = limits.required(request.query_params, "q")
    if len(question) > MAX_QUERY_CHARACTERS:
        raise invalid("q", f"q may have {MAX_QUERY_CHARACTERS:,} characters.")
    filters = read_filters(request.query_params)
    library = context(request).library
    try:
        results = await library.search_text(question, filters)
    except EmbedderUnavailable as error:
        raise ApiError(503, error.code, f"{error}", headers={"Retry-After": "2"}) from error
    answer: dict[str, object] = {"results": [result.model_dump(mode="json") for result in results]}
    if not results and (note := library.language_note(question)):
        answer["message"] = note
    return JSON(answer)


def read_filters(params: Mapping[str, str]) -> Filters:
    """Return what a query string asks of books.

    Raises:
        ApiError: 400 naming the filter.
    """
    asked = {name: params[name].strip() for name in Filters.model_fields if name in params}
    if any("\x00" in text for text in asked.values()):
        raise invalid(next(name for name in asked if "\x00" in asked[name]), "A NUL cannot be searched for.")
    if "own" in asked and asked["own"] not in ("true", "false"):
        raise invalid("own", "own must be true or false.")
    try:
        return Filters.model_validate(asked)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise invalid(field, f"{field} must be {_FILTER_FORMS[field]}.") from error
