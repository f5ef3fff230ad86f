"""Our own JSON: what ``coursecast books export`` prints, what ``GET /books/{id}`` answers, a shipped book."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from pydantic import ValidationError

from pipeline.library.ingest.errors import BrokenFile, NoChapters
from pipeline.library.ingest.markdown import utf8
from pipeline.library.ingest.reading import ReadBook
from pipeline.outline import WORDS_PER_MINUTE

MAX_CHARACTERS = 32 * 1024 * 1024


def read_json(file: BinaryIO) -> ReadBook:
    """Read a book as we print it.

    Raises:
        BrokenFile: it is no JSON, or of another shape; the message names the member.
        NoChapters: the book has none.
    """
    text = utf8(file.read(MAX_CHARACTERS + 1))
    if len(text) > MAX_CHARACTERS:
        raise BrokenFile("The JSON has more characters than a book's outline can have.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokenFile("The file is not valid JSON.") from error
    if not isinstance(value, dict) or not isinstance(value.get("chapters"), list):
        raise BrokenFile("The JSON is no book: it needs a title and a list of chapters.")
    if not value["chapters"]:
        raise NoChapters("The book in the JSON has no chapters.")
    try:
        book = ReadBook.model_validate(_with_words(value))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BrokenFile(f"The JSON is no book: {where[:200]}: {first['msg']}.") from error
    numbers = [chapter.number for chapter in book.chapters]
    if len(set(numbers)) != len(numbers):
        raise BrokenFile("The JSON is no book: two chapters have the same number.")
    if any("\x00" in text for text in _texts(book.model_dump())):
        raise BrokenFile("The JSON is no book: it has NUL characters.")
    return book


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _with_words(book: dict[str, Any]) -> dict[str, Any]:
    """Return the book with words where only minutes are given, as an older server answers."""
    chapters = [_counted(c) if isinstance(c, dict) else c for c in book["chapters"]]
    return {**book, "chapters": [
        {**c, "sections": [_counted(s) if isinstance(s, dict) else s for s in c["sections"]]}
        if isinstance(c, dict) and isinstance(c.get("sections"), list) else c
        for c in chapters
    ]}  # fmt: skip


def _counted(part: dict[str, Any]) -> dict[str, Any]:
    minutes = part.get("minutes")
    if "words" in part or isinstance(minutes, bool) or not isinstance(minutes, int):
        return part
    return {**part, "words": minutes * WORDS_PER_MINUTE}
