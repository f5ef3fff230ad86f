"""Which books a search keeps to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.outline import Value

LEVELS = ("introductory", "intermediate", "advanced")


class Filters(Value):
    """What is asked of a book; None: nothing."""

    subject: str | None = Field(None, min_length=1, max_length=100)
    """One of the book's subjects, in any case."""
    level: Literal["introductory", "intermediate", "advanced"] | None = None
    language: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    """A language tag (RFC 5646): ``en`` stands for ``en-GB`` too."""
    licence: str | None = Field(None, min_length=1, max_length=100)
    """A licence or its beginning in whole words: ``CC BY`` is ``CC BY 4.0`` too, not ``CC BY-SA 4.0``."""
    own: bool | None = None
    """Whether the operator added it; False: only shipped books."""


ALL_BOOKS = Filters()
