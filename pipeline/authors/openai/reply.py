"""One answer of a model as it arrives: its text, how it ended, what it cost; and the JSON in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.authors.openai.failures import BROKEN_OFF, REFUSED
from pipeline.errors import AuthorInvalidOutput, AuthorRefused, AuthorUnavailable

MOST_CHARS = 1_000_000
_MOST_TRIES = 500
_DECODER = json.JSONDecoder(strict=False)  # small models put line breaks into strings

TOO_MUCH = "The model wrote far more than it was asked for."
CUT_OFF = "The model's answer was cut off at its length limit."


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, where the server counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


def estimated(chars: int) -> int:
    """Return about how many tokens a text of so many characters is: four a token, as English has."""
    return -(-chars // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    text: str
    usage: Usage
    request_id: str


class Reply:
    """Collects an answer from a completion or from the chunks of a stream.

    Servers differ in what they leave out, so every field is looked for, none relied on.

    Args:
        on_text: called with this reply whenever it has more text; must be cheap.
    """

    def __init__(self, on_text: OnText | None = None) -> None:
        self._on_text = on_text
        self._pieces: list[str] = []
        self.chars = 0
        self._refused = False
        self._finish: str | None = None
        self._begun = False
        self.usage = Usage()
        self.request_id = ""

    @property
    def text(self) -> str:
        """All text so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def take(self, message: object) -> None:
        """Add a ``chat.completion`` or a ``chat.completion.chunk``.

        Raises:
            AuthorInvalidOutput: the answer has become longer than any that could be meant.
        """
        self._begun = True
        if not isinstance(message, dict):
            return
        if usage := message.get("usage"):
            self._count(usage)
        choices = message.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return
        choice = choices[0]
        if finish := choice.get("finish_reason"):
            self._finish = finish
        said = choice.get("delta") or choice.get("message")
        if not isinstance(said, dict):
            return
        if said.get("refusal"):
            self._refused = True
        content = said.get("content")
        if isinstance(content, str) and content:
            self._add(content)

    def _add(self, content: str) -> None:
        self._pieces.append(content)
        self.chars += len(content)
        if self.chars > MOST_CHARS:
            raise AuthorInvalidOutput(TOO_MUCH)
        if self._on_text:
            self._on_text(self)

    def _count(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if isinstance(prompt, int) and isinstance(completion, int):
            self.usage = Usage(prompt_tokens=prompt, completion_tokens=completion)

    def usage_or_estimate(self, prompt_tokens: int) -> Usage | None:
        """Return what the call took, as the server counts it; estimated where it does not, or never came to.

        Args:
            prompt_tokens: an estimate.

        Returns:
            None where the server did not begin to answer: such calls are not charged.
        """
        if self.usage != Usage():
            return self.usage
        if not self._begun:
            return None
        return Usage(prompt_tokens=prompt_tokens, completion_tokens=estimated(self.chars))

    def answer(self) -> Answer:
        """Return the answer once no more is to come.

        Raises:
            AuthorRefused: the model or its filter declined.
            AuthorInvalidOutput: it was cut off at the model's length limit.
            AuthorUnavailable: it breaks off without an end.
        """
        if self._refused or self._finish == "content_filter":
            raise AuthorRefused(REFUSED)
        if self._finish == "length":
            raise AuthorInvalidOutput(CUT_OFF)
        if self._finish is None and self.text and next(objects_in(self.text), None) is None:
            raise AuthorUnavailable(BROKEN_OFF)
        return Answer(text=self.text, usage=self.usage, request_id=self.request_id)


OnText = Callable[[Reply], None]


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text, whatever prose, thinking or code fences stand around them."""
    at = text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            return
        try:
            found, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(found, dict):
                yield found
        at = text.find("{", end)
