"""A file that hangs, eats memory or crashes its parser costs an error message, and its process is gone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from pipeline.library.ingest import isolation
from pipeline.library.ingest.errors import BookError, BrokenFile, ReadingLimit
from pipeline.library.ingest.isolation import read_apart
from tests.book_files import small_epub

CHILD = "from pipeline.library.ingest import child, extracting; extracting.extract = {}; child.main()"
EATS = "lambda *_: bytes(4 * 1024**3)"
WRITES = "lambda *_: open('/tmp/left-behind', 'wb').write(b'x')"


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def read(data: bytes, name: str = "book.epub") -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        await read_apart(file, name, lambda _done, _all: None)


async def test_a_reading_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "READING_TIMEOUT_S", 0.01)
    before = children()
    with pytest.raises(ReadingLimit):
        await read(small_epub())
    assert children() <= before


async def test_a_reading_that_nobody_waits_for_any_more_is_ended() -> None:
    before = children()
    task = asyncio.create_task(read(small_epub()))
    while children() <= before:
        await asyncio.sleep(0)  # until the process is there
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() <= before


@pytest.mark.parametrize(
    ("program", "error"),
    [("import os; os.kill(os.getpid(), 9)", ReadingLimit), ("raise SystemExit(3)", BrokenFile)],
)
async def test_a_crash_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, error: type[BookError]
) -> None:
    crashing = tmp_path / "python"
    crashing.write_text(f"#!{sys.executable}\n{program}\n", "utf-8")
    crashing.chmod(0o755)
    monkeypatch.setattr(isolation.sys, "executable", str(crashing))
    with pytest.raises(error):
        await read(small_epub())


@pytest.mark.parametrize(("parser", "said"), [(EATS, '"reading_limit"'), (WRITES, "")])
def test_the_process_has_little_memory_and_cannot_write_files(parser: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(parser), "book.epub"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert said in done.stdout
    assert '"extract"' not in done.stdout
    left = Path("/tmp/left-behind")
    assert not left.exists() or not left.stat().st_size
    left.unlink(missing_ok=True)
