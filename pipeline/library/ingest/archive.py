"""An EPUB's zip archive, read with suspicion. Nothing is ever written to disk.

A hostile archive holds little and unpacks to much (zip bomb), has more entries than anybody reads, or names
that lead out of it. All of that is in its directory, which is looked at before anything is unpacked;
Python's ``zipfile`` then never gives more than the directory promised.
"""

from __future__ import annotations

import zipfile
import zlib
from posixpath import normpath
from types import TracebackType
from typing import BinaryIO

from pipeline.library.ingest.errors import BrokenFile, EncryptedFile, UnsafeFile

MAX_ENTRIES = 10_000
MAX_TOTAL_BYTES = 1024 * 1024 * 1024
"""Of all entries unpacked, pictures included."""
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
"""Of one document, unpacked."""
MAX_READ_BYTES = 256 * 1024 * 1024
"""Of all documents that are read."""
MAX_RATIO = 200
"""How many times its packed size an entry may unpack to; ordinary text gets to about 10."""
SMALL_BYTES = 1024 * 1024
"""An entry below this harms nobody, whatever its ratio."""
_ENCRYPTED = 0x1


class Archive:
    """A checked archive. Use as a context manager.

    Args:
        file: the archive; stays open.

    Raises:
        BrokenFile: it is no whole archive.
        UnsafeFile: it is made to harm.
        EncryptedFile: entries need a password.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise BrokenFile("The file is a damaged or incomplete archive.") from error
        self._read_bytes = 0
        _check(self._zip.infolist())
        self._names = {normpath(name): name for name in self._zip.namelist()}

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._zip.close()

    def __contains__(self, path: str) -> bool:
        return path in self._names

    def read(self, path: str) -> bytes:
        """Return the document at `path`.

        Raises:
            BrokenFile: there is none, or it is damaged.
            UnsafeFile: more is read than a book has.
        """
        if path not in self._names:
            raise BrokenFile(f"The EPUB lacks a file that it names: {path[:200]!r}.")
        info = self._zip.getinfo(self._names[path])
        self._read_bytes += info.file_size
        if info.file_size > MAX_DOCUMENT_BYTES or self._read_bytes > MAX_READ_BYTES:
            raise UnsafeFile("The EPUB unpacks to more text than a book has.")
        try:
            return self._zip.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise BrokenFile(f"The EPUB is damaged at {path[:200]!r}.") from error


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise UnsafeFile(f"The archive has more than {MAX_ENTRIES:,} entries.")
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise UnsafeFile("The archive unpacks to more than a gigabyte.")
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or "\x00" in name or name[1:2] == ":":
            raise UnsafeFile("The archive has a name that leads out of it.")
        if entry.file_size > SMALL_BYTES and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise UnsafeFile("The archive unpacks to far more than it holds (a zip bomb).")
        if entry.flag_bits & _ENCRYPTED:
            raise EncryptedFile("The archive is encrypted: it needs a password.")
