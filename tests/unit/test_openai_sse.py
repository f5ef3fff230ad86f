"""The events of a streamed answer, however the bytes are cut."""

from collections.abc import AsyncIterator

import pytest

from pipeline.authors.openai import sse
from pipeline.errors import AuthorInvalidOutput

STREAM = (
    b': a comment\n\ndata: {"a": 1}\n\ndata:{"b": 2}\n\nevent: x\nid: 7\n\n'
    b"data: two\ndata: lines\n\ndata: [DONE]\n\ndata: never ended"
)
DATA = [b'{"a": 1}', b'{"b": 2}', b"two\nlines", b"[DONE]"]


async def in_pieces(stream: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


async def read(stream: bytes, size: int) -> list[bytes]:
    return [data async for data in sse.events(in_pieces(stream, size))]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 1_000])
async def test_events_are_the_same_however_they_are_cut(line_end: bytes, size: int) -> None:
    assert await read(STREAM.replace(b"\n", line_end), size) == DATA


async def test_an_event_without_end_is_not_kept_for_ever() -> None:
    with pytest.raises(AuthorInvalidOutput):
        await read(b"data: " + b"x" * (sse.LONGEST_EVENT + 1), 1 << 20)
