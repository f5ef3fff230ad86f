"""The waits that servers ask for, and what is asked of a server that supports less."""

from __future__ import annotations

import time
from email.utils import formatdate

import openai
import pytest

from pipeline.authors.openai.endpoint import Abilities, Format
from pipeline.authors.openai.failures import retry_after_s, strike_out

KEY = "sk-test-0123456789abcdef"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_as_servers_write_it(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers) == wait_s


def test_retry_after_may_be_a_date() -> None:
    wait_s = retry_after_s({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert wait_s is not None
    assert 57 < wait_s <= 60


def test_the_key_is_struck_out_of_message_and_body() -> None:
    error = openai.OpenAIError(f"Incorrect API key provided: {KEY}.")
    error.body = {"error": {"message": f"no {KEY}", "details": [KEY]}}  # type: ignore[attr-defined]
    strike_out(error, KEY)
    assert KEY not in repr(error)
    assert KEY not in repr(vars(error))


@pytest.mark.parametrize("blamed", ["", "response_format", "stream", "stream_options", "seed"])
def test_less_and_less_is_asked_until_nothing_is_left(blamed: str) -> None:
    asked = [Abilities()]
    while weaker := asked[-1].without(blamed):
        asked.append(weaker)
    assert len(set(asked)) == len(asked)
    assert (asked[-1].format, asked[-1].streams) == (Format.TEXT, False)


def test_what_a_server_complains_about_goes_first() -> None:
    assert Abilities().without("stream") == Abilities(streams=False)
    assert Abilities().without("stream_options") == Abilities(counts_streamed=False)
    assert Abilities().without("response_format") == Abilities(format=Format.JSON_OBJECT)
