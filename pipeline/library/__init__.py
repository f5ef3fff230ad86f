"""Books → chapters → sections: what there is to learn from, and how the right chapter is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Turns text into vectors."""

    model: str
    """Names the vectors: two embedders with the same ``model`` and ``dimensions`` are interchangeable."""
    dimensions: int

    english_only: bool
    """Whether a text in another language gets a vector that says nothing."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one unit vector (``dimensions`` floats) per text, in order.

        Raises:
            EmbedderUnavailable: the embedding service did not answer.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
