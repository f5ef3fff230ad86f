"""Files that are no books, or none that anybody should open: one for each way in which that can be so."""

from __future__ import annotations

import zlib

from tests.book_files import (
    CONTAINER,
    PROSE,
    SOUND,
    Line,
    archive,
    epub,
    lines_of_text,
    page,
    pdf,
    small_epub,
)

BOMB_ENTITIES = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE_ENTITY = '<!DOCTYPE html [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'
DRM = (
    b'<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
    b'<e:EncryptedData><e:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
    b'<e:CipherData><e:CipherReference URI="OEBPS/c1.xhtml"/></e:CipherData></e:EncryptedData></encryption>'
)


def _with_entity(head: str, name: str) -> bytes:
    body = f"<h1>Pilots</h1><p>&{name};</p><p>{PROSE * 3}</p>"
    return epub({"c1.xhtml": page(body, head=head), "c2.xhtml": SOUND["c2.xhtml"]})


def _locked_zip() -> bytes:
    """An EPUB whose entries say that they need a password."""
    data = bytearray(small_epub())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(signature, at + 4)
    return bytes(data)


def _damaged(data: bytes) -> bytes:
    """The first document's packed bytes overwritten; the directory is as it was."""
    at = data.index(b"OEBPS/c1.xhtml") + len(b"OEBPS/c1.xhtml") + 10
    return data[:at] + bytes(b ^ 0xFF for b in data[at : at + 80]) + data[at + 80 :]


def bad_files() -> dict[str, tuple[str, bytes, str]]:
    """By what is wrong: the file's name, its bytes, the code of the error."""
    wide = {"OEBPS/pad.bin": zlib.compress(b"")}
    return {
        "empty": ("book.epub", b"", "empty_file"),
        "a program": ("book.bin", b"\x7fELF" + bytes(500), "unsupported_file"),
        "an archive that is no EPUB": ("book.zip", archive({"a.txt": b"a"}), "unsupported_file"),
        "text named as a PDF": ("book.pdf", PROSE.encode(), "broken_file"),
        "an EPUB cut off": ("book.epub", small_epub()[:900], "broken_file"),
        "a damaged EPUB": ("book.epub", _damaged(epub(SOUND)), "broken_file"),
        "an EPUB without documents": ("book.epub", epub({}), "broken_file"),
        "an EPUB without package": (
            "book.epub",
            archive({"META-INF/container.xml": CONTAINER.encode()}),
            "broken_file",
        ),
        "an EPUB with DRM": (
            "book.epub",
            epub(SOUND, further={"META-INF/encryption.xml": DRM}),
            "encrypted_file",
        ),
        "an EPUB with a password": ("book.epub", _locked_zip(), "encrypted_file"),
        "a zip bomb": ("book.epub", epub(SOUND, further={"OEBPS/b.css": bytes(40_000_000)}), "unsafe_file"),
        "too many entries": (
            "book.epub",
            epub(SOUND, further={f"x/{i}": b"" for i in range(10_001)}),
            "unsafe_file",
        ),
        "a path that leads out": (
            "book.epub",
            epub(SOUND, further={"../../etc/cron.d/x": b"x"}),
            "unsafe_file",
        ),
        "an absolute path": ("book.epub", epub(SOUND, further={"/etc/cron.d/x": b"x"}), "unsafe_file"),
        "an entity bomb": ("book.epub", _with_entity(BOMB_ENTITIES, "b"), "unsafe_file"),
        "an entity from outside": ("book.epub", _with_entity(OUTSIDE_ENTITY, "secret"), "unsafe_file"),
        "an EPUB of pictures": (
            "book.epub",
            epub({"c1.xhtml": page('<img src="1.png"/>')}, further=wide),
            "no_text",
        ),
        "an EPUB of covers": (
            "book.epub",
            epub(
                {"i.xhtml": page(f"<h1>Index</h1><p>{PROSE * 3}</p>")}, [Line(title="Index", href="i.xhtml")]
            ),
            "no_chapters",
        ),
        "a PDF cut off": ("book.pdf", pdf([lines_of_text()])[:200], "broken_file"),
        "a PDF with a password": ("book.pdf", pdf([lines_of_text()], encrypted=True), "encrypted_file"),
        "a PDF of pictures": ("book.pdf", pdf([[], [], []]), "no_text"),
        "Markdown in Latin-1": ("book.md", "# Häfen\n\nÜber Häfen.".encode("latin-1"), "broken_file"),
        "Markdown that is binary": ("book.md", b"# A\n\x00\x00", "broken_file"),
        "Markdown without text": ("book.md", b"# Harbours\n", "no_text"),
        "JSON cut off": ("book.json", b'{"title": "x", "chapters": [', "broken_file"),
        "JSON of another kind": ("book.json", b'{"name": "x"}', "broken_file"),
        "JSON with odd numbers": (
            "book.json",
            b'{"title": "x", "chapters": [{"number": "one", "title": "y"}]}',
            "broken_file",
        ),
        "JSON with a NUL": (
            "book.json",
            b'{"title": "x\\u0000", "chapters": [{"number": 1, "title": "y"}]}',
            "broken_file",
        ),
        "too long a text": ("book.md", b"# A\n\n" + b"word " * 2_000_000, "reading_limit"),
        "JSON without chapters": ("book.json", b'{"title": "x", "chapters": []}', "no_chapters"),
    }
