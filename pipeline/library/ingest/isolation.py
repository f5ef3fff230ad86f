"""Read a strange file in a process of its own, within limits of time, memory and output.

The event loop stays free, and a file that crashes a parser, fills its memory or never ends costs one error
message. The child dies with the task that waits for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

from pipeline.library.ingest.errors import BY_CODE, BookError, BrokenFile, ReadingLimit
from pipeline.library.ingest.reading import Extract, Progress

logger = logging.getLogger(__name__)

READING_TIMEOUT_S = 180.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
ENDING_TIMEOUT_S = 5.0


async def read_apart(file: BinaryIO, name: str, progress: Progress) -> Extract:
    """Return the book in a file, read by a child process.

    Args:
        file: an open file with a descriptor of its own; nobody else moves in it meanwhile.
        name: its name, without folders.
        progress: told how many pages or documents are read.

    Raises:
        BookError: it cannot be read, or took more than it may.
    """
    try:
        async with asyncio.timeout(READING_TIMEOUT_S), _child(file, name) as process:
            return await _answer(process, progress)
    except TimeoutError as error:
        raise ReadingLimit(f"Reading the file took more than {READING_TIMEOUT_S:g} seconds.") from error


@asynccontextmanager
async def _child(file: BinaryIO, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-B", "-X", "utf8", "-m", "pipeline.library.ingest.child", name),
        stdin=file.fileno(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,  # Ctrl-C is the parent's, which ends this one
        limit=MAX_ANSWER_BYTES,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(ENDING_TIMEOUT_S):
            await process.communicate()  # waits, and reads what is left so that the pipe is closed, too


async def _answer(process: asyncio.subprocess.Process, progress: Progress) -> Extract:
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError as error:  # longer than the limit
            raise ReadingLimit("The file has more chapters and sections than a book may have.") from error
        if not line:
            break
        said: dict[str, Any] = json.loads(line)
        if "progress" in said:
            progress(*said["progress"])
        elif "extract" in said:
            return await asyncio.to_thread(Extract.model_validate, said["extract"])
        elif "error" in said:
            raise _error(*said["error"])
    code = await process.wait()
    logger.warning("reading a book ended without an answer", extra={"exit_code": code})
    if code < 0:
        raise ReadingLimit("Reading the file took more time or memory than a book may take.")
    raise BrokenFile("The file is damaged in a way that its parser does not survive.")


def _error(code: str, message: str) -> BookError:
    return BY_CODE.get(code, BrokenFile)(message)
