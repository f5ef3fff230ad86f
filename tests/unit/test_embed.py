"""The shipped model: unit vectors, the right neighbours, and an event loop that stays free."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import NoReturn

import pytest

from pipeline.library.embed import StaticEmbedder, make_embedder
from pipeline.library.openai_embedder import OpenAIEmbedder
from pipeline.settings import EmbedderName, Settings


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


@pytest.fixture
def embedder() -> StaticEmbedder:
    return StaticEmbedder()


async def test_vectors_are_of_unit_length_and_in_order(embedder: StaticEmbedder) -> None:
    texts = ["net present value", "", "photosynthesis"]
    vectors = await embedder.embed(texts)
    assert [len(vector) for vector in vectors] == [embedder.dimensions] * 3
    assert math.isclose(math.hypot(*vectors[0]), 1, abs_tol=1e-5)
    assert math.hypot(*vectors[1]) == 0
    for text, vector in zip(texts, vectors, strict=True):
        assert vector == pytest.approx((await embedder.embed([text]))[0], abs=1e-6)
    assert await embedder.embed([]) == []


@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("how plants turn light into sugar", "photosynthesis", "bond valuation"),
        ("what is my company worth", "business valuation", "cell division"),
        ("why did Rome fall", "the decline of the Roman Empire", "regular expressions"),
        ("DCF", "present value of future cash flows", "depression and anxiety disorders"),
        ("ML", "training a classifier on data", "monarchy and parliament"),
    ],
)
async def test_what_belongs_together_is_near(
    embedder: StaticEmbedder, question: str, near: str, far: str
) -> None:
    asked, right, wrong = await embedder.embed([question, near, far])
    assert cosine(asked, right) > cosine(asked, wrong) + 0.1


async def test_a_text_without_a_known_word_is_near_to_nothing(embedder: StaticEmbedder) -> None:
    (emoji, text) = await embedder.embed(["🙂🙂", "emotions"])
    assert cosine(emoji, text) == 0


async def test_the_model_loads_once_and_without_a_network(
    embedder: StaticEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> NoReturn:
        raise AssertionError("the model reached for the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    first, second = await asyncio.gather(embedder.embed(["a loaf"]), embedder.embed(["a loaf"]))
    assert first == second
    assert await embedder._loaded() is await embedder._loaded()


async def test_a_large_batch_leaves_the_event_loop_free(embedder: StaticEmbedder) -> None:
    await embedder.embed(["load the model"])
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    before = ticks
    await embedder.embed(["the present value of a stream of payments " * 20] * 500)
    assert ticks > before
    ticking.cancel()


def test_the_settings_choose_the_embedder() -> None:
    assert isinstance(make_embedder(Settings()), StaticEmbedder)
    other = make_embedder(
        Settings(
            embedder=EmbedderName.OPENAI,
            openai_embedding_model="text-embedding-3-large",
            openai_api_key="sk-test",
        )
    )
    assert isinstance(other, OpenAIEmbedder)
    assert (other.model, other.dimensions) == ("text-embedding-3-large", 3072)
