"""Text → vectors, without a network: word-piece vectors, looked up and averaged.

The model (``model/``, made by ``make_model.py``) knows 29,525 word pieces with 256 numbers each, fitted to
what a transformer makes of whole texts. It does not read word order, which is enough to find a chapter by its
topic, and takes a tenth of a millisecond a query.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from pipeline.library import Embedder
from pipeline.library.wording import subject
from pipeline.settings import EmbedderName, Settings

if TYPE_CHECKING:
    from model2vec import StaticModel

INLINE_CHARACTERS = 4_000
"""Embedded right here, in under a millisecond; more goes to a thread, so that the event loop stays free."""


class StaticEmbedder:
    """The shipped model. The first call loads it (a third of a second, in a thread)."""

    model = "static-minilm-256-v3"
    dimensions = 256
    english_only = True

    def __init__(self) -> None:
        self._model: StaticModel | None = None
        self._loading = asyncio.Lock()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a unit vector per text, in order.

        A text without one word that the model knows (an empty one, emoji) is the zero vector: it is about
        nothing, and its inner product with every other text is 0.
        """
        model = await self._loaded()
        if sum(map(len, texts)) <= INLINE_CHARACTERS:
            return _encode(model, texts)
        return await asyncio.to_thread(_encode, model, texts)

    async def close(self) -> None:
        """Nothing to release."""

    async def _loaded(self) -> StaticModel:
        if self._model is None:
            async with self._loading:
                if self._model is None:
                    self._model = await asyncio.to_thread(_load)
        return self._model


def _load() -> StaticModel:
    from model2vec import StaticModel  # takes 0.2 s: only processes that embed pay for it

    # Handing over a folder that exists keeps the library from looking for a model elsewhere.
    with as_file(files("pipeline").joinpath("library/model")) as folder:
        return StaticModel.from_pretrained(folder)


def _encode(model: StaticModel, texts: Sequence[str]) -> list[list[float]]:
    if not texts:
        return []
    vectors: Any = model.encode([subject(text) for text in texts], use_multiprocessing=False)
    rows: list[list[float]] = vectors.tolist()
    return rows


def make_embedder(settings: Settings) -> Embedder:
    """Return the embedder that `settings` choose."""
    if settings.embedder is EmbedderName.OPENAI:
        from pipeline.library.openai_embedder import OpenAIEmbedder  # half a second of imports

        return OpenAIEmbedder(settings)
    return StaticEmbedder()
