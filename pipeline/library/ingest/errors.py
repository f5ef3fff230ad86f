"""What can be wrong with a book that somebody adds or removes.

::

    BookError                       one base; `code` for programs, `str()` for people
    ├── EmptyFile                   empty_file           nothing in it
    ├── UnsupportedFile             unsupported_file     neither EPUB, PDF, Markdown nor our JSON
    ├── BrokenFile                  broken_file          damaged, or not what it says it is
    ├── EncryptedFile               encrypted_file       a password or DRM keeps it closed
    ├── UnsafeFile                  unsafe_file          made to harm: zip bombs, entity bombs, bad paths
    ├── FileTooLarge                file_too_large       more bytes than COURSECAST_MAX_BOOK_BYTES
    ├── NoText                      no_text              pictures of pages
    ├── NoChapters                  no_chapters          text, but nothing that is a chapter
    ├── ReadingLimit                reading_limit        took more time or memory than a book may
    ├── NoSuchBook                  book_not_found
    └── ShippedBook                 shipped_book         it belongs to the catalogue and cannot be removed
"""

from __future__ import annotations

from typing import ClassVar


class BookError(Exception):
    """Base of everything that keeps a book out.

    Args:
        message: a sentence for the person who adds it; no paths, no tracebacks.
    """

    code: ClassVar[str] = "book_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EmptyFile(BookError):
    """The file has no bytes."""

    code = "empty_file"


class UnsupportedFile(BookError):
    """The file is of a kind that nothing here reads."""

    code = "unsupported_file"


class BrokenFile(BookError):
    """The file is damaged, or its contents are not what its kind promises."""

    code = "broken_file"


class EncryptedFile(BookError):
    """The file is encrypted."""

    code = "encrypted_file"


class UnsafeFile(BookError):
    """The file is made so that reading it would harm."""

    code = "unsafe_file"


class FileTooLarge(BookError):
    """The file has more bytes than a book may have."""

    code = "file_too_large"


class NoText(BookError):
    """There is no text in it, only pictures."""

    code = "no_text"


class NoChapters(BookError):
    """There is text in it, but none that is a chapter."""

    code = "no_chapters"


class ReadingLimit(BookError):
    """Reading it took more time or memory than it may."""

    code = "reading_limit"


class NoSuchBook(BookError):
    """There is no book of this id."""

    code = "book_not_found"


class ShippedBook(BookError):
    """The book is part of the shipped catalogue."""

    code = "shipped_book"


BY_CODE = {error.code: error for error in BookError.__subclasses__()}
"""For what a child process says went wrong."""
