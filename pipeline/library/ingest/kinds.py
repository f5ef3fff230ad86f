"""What kind of file this is: by what is in it; only plain text goes by its name."""

from __future__ import annotations

import zipfile
from pathlib import PurePath
from typing import BinaryIO

from pipeline.library.ingest.errors import BrokenFile, EmptyFile, UnsupportedFile
from pipeline.library.ingest.reading import Kind

SUFFIXES = frozenset({".epub", ".pdf", ".md", ".markdown", ".json"})
"""Of files that a folder is searched for."""
_MARKDOWN = frozenset({".md", ".markdown", ".txt"})
_HEAD_BYTES = 1024
_SUPPORTED = "EPUB, PDF, Markdown (.md) and Coursecast's own JSON can be added"


def kind_of(file: BinaryIO, name: str) -> Kind:
    """Return what `file` is; `name` decides only between kinds of plain text.

    Raises:
        EmptyFile: it has no bytes.
        UnsupportedFile: it is none of ours.
        BrokenFile: it begins like one of ours and is none.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head:
        raise EmptyFile("The file is empty.")
    if b"%PDF-" in head:  # a PDF may begin with up to a kilobyte of something else
        return Kind.PDF
    if head.startswith(b"PK\x03\x04"):
        return _archive(file)
    suffix = PurePath(name).suffix.lower()
    if suffix in (".epub", ".pdf"):
        raise BrokenFile(
            f"The file is named {suffix} but is none: its beginning is not one of a {suffix[1:]}."
        )
    if suffix == ".json" or (
        suffix not in _MARKDOWN and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    ):
        return Kind.JSON
    if suffix in _MARKDOWN:
        return Kind.MARKDOWN
    raise UnsupportedFile(f"The file is of a kind that cannot be read: {_SUPPORTED}.")


def _archive(file: BinaryIO) -> Kind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = frozenset(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BrokenFile("The file is a damaged or incomplete archive.") from error
    finally:
        file.seek(0)
    if "META-INF/container.xml" in names:
        return Kind.EPUB
    if "mimetype" in names:
        raise BrokenFile("The file is an EPUB without its table of files (META-INF/container.xml).")
    raise UnsupportedFile(f"The file is an archive but no EPUB: {_SUPPORTED}.")
