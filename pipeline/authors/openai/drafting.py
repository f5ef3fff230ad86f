"""Drafts: what there is of an answer while the model still writes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from pipeline.authors import DraftSink
from pipeline.authors.openai.reply import Reply
from pipeline.authors.openai.wire import clean

DRAFT_EVERY_S = 0.05
SOON_CHARS = 500  # within these the first title appears, if the model writes what it was asked for
MOST_CANDIDATES = 3
MOST_SHOWN = 1_000  # characters of one text

View = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Makes a draft of a partial answer; None where there is nothing to show yet."""


class Drafting:
    """Shows an answer while it is written: called with each piece, it makes a draft every DRAFT_EVERY_S.

    Args:
        sink: where drafts go.
        view: makes a draft of the part of the answer that is there.
    """

    def __init__(self, sink: DraftSink, view: View) -> None:
        self._sink = sink
        self._view = view
        self._shown: Mapping[str, Any] | None = None
        self._due = 0.0

    def __call__(self, reply: Reply) -> None:
        """Look at a reply that has more text than before."""
        now = time.monotonic()
        if now < self._due:
            return
        if self._shown or reply.chars > SOON_CHARS:
            # Every look parses all there is, so not every piece is worth one.
            self._due = now + DRAFT_EVERY_S
        draft = next((draft for part in _begun(reply.text) if (draft := self._view(part))), None)
        if draft and draft != self._shown:
            self._shown = draft
            self._sink(draft)


def _begun(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the object that a text has begun to write; further candidates where prose has braces, too."""
    at = text.find("{")
    for _ in range(MOST_CANDIDATES):
        if at < 0:
            return
        try:
            part = from_json(text[at:], allow_partial="trailing-strings")
        except ValueError:
            part = None
        if isinstance(part, dict):
            yield part
        at = text.find("{", at + 1)


def parts_draft(partial: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what there is of the parts: titles, and reasons where they have begun."""
    parts = [
        {"part_index": index, **_texts(item, title="title", why="why")}
        for index, item in enumerate(_items(partial, "parts"))
    ]
    return {"parts": parts} if parts else None


def sections_draft(part_index: int, partial: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what there is of a part's sections: titles, and summaries where they have begun."""
    sections = [
        {"order_index": index, **_texts(item, title="title", content_summary="summary")}
        for index, item in enumerate(_items(partial, "sections"))
    ]
    return {"part_index": part_index, "sections": sections} if sections else None


def review_draft(partial: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the title of the course, as far as it is there."""
    return _texts(partial, title="title") or None


def _items(partial: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = partial.get(name)
    return [item for item in items if _texts(item, title="title")] if isinstance(items, list) else []


def _texts(item: Any, **names: str) -> dict[str, str]:
    """Return the texts of an object that are there and not empty, under our names."""
    if not isinstance(item, Mapping):
        return {}
    said = {ours: item.get(theirs) for ours, theirs in names.items()}
    return {
        ours: text
        for ours, value in said.items()
        if isinstance(value, str) and (text := clean(value[:MOST_SHOWN]))
    }
