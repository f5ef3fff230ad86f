"""Text → vectors through any OpenAI-compatible endpoint (``POST /embeddings``)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import openai

from pipeline.errors import EmbedderUnavailable
from pipeline.settings import Settings

TIMEOUT = openai.Timeout(30.0, connect=5.0)
BATCH = 256
"""Texts per request; endpoints differ in how many they take, all take this many."""

_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}


class OpenAIEmbedder:
    """An embedding model behind an API.

    Vectors of one model shortened to different lengths are different ones: ``model`` names the length, too.
    ``dimensions`` of a model that is not in the list above is 0 until its first answer.
    """

    english_only = False

    def __init__(self, settings: Settings) -> None:
        self._name = settings.openai_embedding_model
        self._shortened = settings.embedding_dimensions
        self.model = f"{self._name}@{self._shortened}" if self._shortened else self._name
        self.dimensions = self._shortened or _DIMENSIONS.get(self._name, 0)
        key = settings.openai_api_key
        self._client = openai.AsyncOpenAI(
            api_key=key.get_secret_value() if key else "none",  # local servers ask for no key
            base_url=settings.openai_base_url,
            timeout=TIMEOUT,
            max_retries=0,  # the runner decides about another try
        )

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a unit vector per text, in order.

        Raises:
            EmbedderUnavailable: no answer within the timeout, an error status, or not one vector per text.
        """
        vectors: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            batch = [text or " " for text in texts[start : start + BATCH]]  # empty input is refused
            with _translated():
                answer = await self._client.embeddings.create(
                    input=batch,
                    model=self._name,
                    encoding_format="float",
                    dimensions=self._shortened or openai.omit,
                )
            rows = [row.embedding for row in sorted(answer.data, key=lambda row: row.index)]
            if len(rows) != len(batch) or len({len(row) for row in rows}) != 1:
                raise EmbedderUnavailable("The embedding service did not give one vector for each text.")
            if self._shortened and len(rows[0]) != self._shortened:
                raise EmbedderUnavailable(
                    f"The embedding service gives {len(rows[0])} dimensions, not the "
                    f"{self._shortened} asked for."
                )
            vectors += map(_unit, rows)
        if vectors:
            self.dimensions = len(vectors[0])
        return vectors

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _unit(row: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(x * x for x in row))
    return [x / length for x in row] if length else list(row)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except openai.RateLimitError as error:
        raise EmbedderUnavailable(
            "The embedding service is overloaded.", retry_after_s=_retry_after_s(error)
        ) from error
    except openai.APIStatusError as error:
        raise EmbedderUnavailable(f"The embedding service answered {error.status_code}.") from error
    except openai.OpenAIError as error:
        raise EmbedderUnavailable("The embedding service did not answer.") from error


def _retry_after_s(error: openai.APIStatusError) -> float | None:
    try:
        return float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
