"""Server-sent events as model servers send them: the data of each event, from the bytes of a response.

The openai library has a reader of its own, which takes a third of all the work on a chunk. This one takes
whole reads apart at once. WHATWG HTML, section 9.2.6; only ``data`` counts, as no model server names events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from pipeline.authors.openai.reply import TOO_MUCH
from pipeline.errors import AuthorInvalidOutput

LONGEST_EVENT = 4 * 1024 * 1024  # bytes


async def events(reads: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the data of each event, without those that have none; what is left unended is dropped.

    Raises:
        AuthorInvalidOutput: an event does not end within LONGEST_EVENT.
    """
    rest = b""
    async for read in reads:
        text = rest + read
        if b"\r" in text:
            ended = text[:-1] if text.endswith(b"\r") else text  # its line feed may come with the next read
            text = ended.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + text[len(ended) :]
        *whole, rest = text.split(b"\n\n")
        if len(rest) > LONGEST_EVENT:
            raise AuthorInvalidOutput(TOO_MUCH)
        for event in whole:
            if data := b"\n".join(_data(event)):
                yield data


def _data(event: bytes) -> Iterator[bytes]:
    for line in event.split(b"\n"):
        if line.startswith(b"data:"):
            yield line[6:] if line.startswith(b"data: ") else line[5:]
