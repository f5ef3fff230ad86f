"""A file's text as one row of blocks, with the places in it that a table of contents points to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.library.ingest.apparatus import is_apparatus
from pipeline.library.ingest.reading import Heading

BlockKind = Literal["prose", "code", "links", "heading"]
LEAST_SUBHEADINGS = 2


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list item, a listing."""

    kind: BlockKind
    text: str

    @property
    def words(self) -> int:
        """Return how many words of reading it is; headings and tables of contents are none."""
        return len(self.text.split()) if self.kind in ("prose", "code") else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A heading and where in the row of blocks it is."""

    at: int
    level: int
    title: str
    place: str
    apparatus: bool = False


@dataclass(slots=True)
class Stream:
    """Blocks in the file's order, and the headings that were met among them."""

    blocks: list[Block] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def add(self, kind: BlockKind, text: str) -> None:
        """Add a block; spaces are collapsed, an empty one is left out."""
        tidy = " ".join(text.split())
        if tidy:
            self.blocks.append(Block(kind, tidy))

    def headings(self, marks: Sequence[Mark]) -> tuple[Heading, ...]:
        """Return the marks with the text from each to the next one, in the order of the text."""
        ordered = sorted(marks, key=lambda mark: mark.at)
        ends = [mark.at for mark in ordered[1:]] + [len(self.blocks)] * bool(ordered)
        return tuple(self._heading(mark, end) for mark, end in zip(ordered, ends, strict=True))

    def _heading(self, mark: Mark, end: int) -> Heading:
        blocks = self.blocks[mark.at : end]
        return Heading(
            level=mark.level,
            title=mark.title,
            place=mark.place,
            text="\n".join(block.text for block in blocks if block.kind == "prose"),
            words=sum(block.words for block in blocks),
            apparatus=mark.apparatus,
        )

    def refined(self, marks: Sequence[Mark]) -> list[Mark]:
        """Return the marks of a table of contents, and below its leaves the headings that it leaves out.

        Many tables of contents stop at chapters; their sections are then the headings in the text.
        """
        ordered = sorted(marks, key=lambda mark: mark.at)
        found: list[Mark] = []
        for index, mark in enumerate(ordered):
            found.append(mark)
            following = ordered[index + 1] if index + 1 < len(ordered) else None
            end = following.at if following else len(self.blocks)
            leaf = following is None or following.level <= mark.level
            if leaf and not mark.apparatus and not is_apparatus(mark.title):
                found += self._below(mark, end)
        return found

    def _below(self, mark: Mark, end: int) -> list[Mark]:
        inside = [met for met in self.marks if mark.at <= met.at < end]
        if not inside:
            return []
        deeper = [met for met in inside[1:] if met.level > inside[0].level]
        if len(deeper) < LEAST_SUBHEADINGS:
            return []
        top = min(met.level for met in deeper)
        return [replace(met, level=mark.level + 1) for met in deeper if met.level == top]
