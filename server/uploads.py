"""A file that comes in a multipart form (RFC 7578): streamed to a temporary file, never held in memory.

The temporary file has no name: whatever happens to this process, nothing is left behind.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from server.responses import ApiError, invalid

AROUND_BYTES = 64 * 1024
"""What a form may have beside its file."""
MAX_FIELDS = 40
MAX_FIELD_BYTES = 4_096
MAX_NAME_CHARACTERS = 200
_CLOSE = {"Connection": "close"}  # the rest of the body is not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slowly a file may come, because there are few places for those who send one.

    With the limit of its size this is a limit of its time: 100 MiB may take most of an hour.
    """

    silence_s: float = 20.0
    """Nothing at all may come for so long."""
    grace_s: float = 60.0
    """For so long, less than `least_bytes_per_s` may come."""
    least_bytes_per_s: float = 32 * 1024
    """Of what has come, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a form holds."""

    file: BinaryIO
    """The file, with a descriptor of its own, at its beginning."""
    name: str
    """The file's name without folders."""
    fields: Mapping[str, list[str]]


PACE = Pace()


@asynccontextmanager
async def received(request: Request, *, max_bytes: int, pace: Pace = PACE) -> AsyncIterator[Form]:
    """Receive a form with one file, its field called ``file``; the file is gone afterwards.

    Args:
        request: its body is not read yet.
        max_bytes: how large the file may be.
        pace: how slowly it may come.

    Raises:
        ApiError: 400 naming the field, or 413.
    """
    form = await _parsed(request, max_bytes, pace)
    try:
        files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
        if not files:
            raise invalid("file", "file is missing: send the book as the file of a multipart form.")
        if (files[0].size or 0) > max_bytes:
            raise _too_large(max_bytes)
        fields: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
        with os.fdopen(await asyncio.to_thread(_descriptor, files[0].file), "rb") as file:
            yield Form(file=file, name=_plain_name(files[0].filename or ""), fields=fields)
    finally:
        await form.close()


def _descriptor(file: Any) -> int:
    file.flush()
    return os.dup(file.fileno())  # a small file is in memory until its descriptor is asked for


async def _parsed(request: Request, max_bytes: int, pace: Pace) -> FormData:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise invalid("file", "Send the book as the file of a multipart form (multipart/form-data).")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes + AROUND_BYTES:
        raise _too_large(max_bytes)
    parser = MultiPartParser(
        request.headers,
        _counted(request, max_bytes, pace),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise ApiError(
            400, "invalid_request", f"The form cannot be read: {error.message}", field="file", headers=_CLOSE
        ) from error


async def _counted(request: Request, max_bytes: int, pace: Pace) -> AsyncGenerator[bytes, None]:
    """Yield the body, until there is too much of it or it comes too slowly."""
    size = 0
    stream = request.stream()
    loop = asyncio.get_running_loop()
    began = loop.time()
    silent = slow = 0.0
    try:
        while True:
            silent = loop.time() + pace.silence_s
            slow = began + max(pace.grace_s, size / pace.least_bytes_per_s)
            async with asyncio.timeout_at(min(silent, slow)):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > max_bytes + AROUND_BYTES:
                raise _too_large(max_bytes)
            yield chunk
    except TimeoutError as late:
        raise _too_slow(pace, silent=silent <= slow) from late
    except ClientDisconnect as gone:
        raise invalid("file", "The file did not arrive whole.") from gone


def _too_slow(pace: Pace, *, silent: bool) -> ApiError:
    if silent:
        message = f"Nothing of the file came for {pace.silence_s:g} seconds."
    else:
        least = pace.least_bytes_per_s / 1024
        message = f"The file came too slowly: after {pace.grace_s:g} seconds, below {least:g} KiB a second."
    return ApiError(400, "invalid_request", message, field="file", headers=_CLOSE)


def _too_large(max_bytes: int) -> ApiError:
    message = f"The file may have {max_bytes:,} bytes (COURSECAST_MAX_BOOK_BYTES)."
    return ApiError(413, "file_too_large", message, field="file", headers=_CLOSE)


def _plain_name(name: str) -> str:
    """Return a file's name without folders and without what could steer a terminal."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(c for c in last if c.isprintable()).encode("utf-8", "ignore").decode().strip()
    return printable[-MAX_NAME_CHARACTERS:] or "book"
