"""Books to add: real ones that Debian brings, and small ones made here."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

POLICY_EPUB = Path("/usr/share/doc/debian-policy/policy.epub")
POLICY_PDF = Path("/usr/share/doc/debian-policy/policy.pdf.gz")
FHS_PDF = Path("/usr/share/doc/debian-policy/fhs/fhs-3.0.pdf.gz")
REFERENCE_EPUB = Path("/usr/share/developers-reference/developers-reference.epub")
REFERENCE_PDF = Path("/usr/share/developers-reference/developers-reference.pdf")
LIVE_EPUB = Path("/usr/share/doc/live-manual/epub/live-manual.en.epub")
MAINT_PDF = Path("/usr/share/doc/maint-guide/maint-guide.en.pdf")
REAL = (POLICY_EPUB, POLICY_PDF, FHS_PDF, REFERENCE_EPUB, REFERENCE_PDF, LIVE_EPUB, MAINT_PDF)

needs_debian_books = pytest.mark.skipif(
    not all(path.exists() for path in REAL),
    reason="needs Debian's debian-policy, developers-reference, live-manual-epub and maint-guide",
)

PROSE = (
    "A harbour pilot guides large ships through narrow water. The pilot knows every current and every "
    "sandbank of the harbour. Tides decide when a ship may enter the harbour, and the pilot reads the tide "
    "tables first. "
)


def real(path: Path) -> bytes:
    """The bytes of a real book."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


# --- EPUB ---------------------------------------------------------------------------------------------------

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)


def page(body: str, *, kind: str = "", head: str = "") -> str:
    """An XHTML document."""
    attribute = f' epub:type="{kind}"' if kind else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{head}<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head><body{attribute}>{body}</body></html>'
    )


def chapter(title: str, *sections: str) -> str:
    """A chapter's document with an introduction and a section per title."""
    inner = "".join(f'<h2 id="s{i}">{s}</h2><p>{PROSE}{s}.</p>' for i, s in enumerate(sections, 1))
    return page(f"<h1>{title}</h1><p>{title}. {PROSE}</p>{inner}")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a table of contents."""

    title: str
    href: str = ""
    below: tuple[Line, ...] = ()


def nav(lines: Sequence[Line]) -> str:
    """EPUB 3's table of contents."""

    def listed(lines: Sequence[Line]) -> str:
        items = (
            f"<li>{f'<a href={chr(34)}{ln.href}{chr(34)}>' if ln.href else '<span>'}{ln.title}"
            f"{'</a>' if ln.href else '</span>'}{listed(ln.below) if ln.below else ''}</li>"
            for ln in lines
        )
        return f"<ol>{''.join(items)}</ol>"

    return page(f'<nav epub:type="toc">{listed(lines)}</nav>')


def ncx(lines: Sequence[Line]) -> str:
    """EPUB 2's table of contents."""

    def points(lines: Sequence[Line]) -> str:
        return "".join(
            f'<navPoint><navLabel><text>{ln.title}</text></navLabel><content src="{ln.href}"/>'
            f"{points(ln.below)}</navPoint>"
            for ln in lines
        )

    return (
        '<?xml version="1.0"?><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
        f"{points(lines)}</navMap></ncx>"
    )


def epub(
    documents: Mapping[str, str],
    contents: Sequence[Line] = (),
    *,
    version: int = 3,
    title: str = "Harbours of the World",
    guide: Mapping[str, str] | None = None,
    further: Mapping[str, bytes] | None = None,
) -> bytes:
    """An EPUB of XHTML documents, in their order."""
    items = "".join(
        f'<item id="d{i}" href="{name}" media-type="application/xhtml+xml"/>'
        for i, name in enumerate(documents)
    )
    spine = "".join(f'<itemref idref="d{i}"/>' for i in range(len(documents)))
    toc = ""
    if contents:
        toc = (
            '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
            if version == 3
            else '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        )
    references = "".join(f'<reference type="{t}" href="{h}"/>' for h, t in (guide or {}).items())
    opf = (
        f'<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="{version}.0">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title><dc:creator>Ada Quay</dc:creator><dc:language>en</dc:language>"
        f"<dc:subject>shipping</dc:subject></metadata><manifest>{items}{toc}</manifest>"
        f"<spine>{spine}</spine><guide>{references}</guide></package>"
    )
    files: dict[str, bytes] = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": CONTAINER.encode(),
        "OEBPS/book.opf": opf.encode(),
        **{f"OEBPS/{name}": text.encode() for name, text in documents.items()},
        **(further or {}),
    }
    if contents:
        made = nav(contents) if version == 3 else ncx(contents)
        files["OEBPS/nav.xhtml" if version == 3 else "OEBPS/toc.ncx"] = made.encode()
    return archive(files)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # without the time of day: the same files are the same bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, data)
    return out.getvalue()


def small_epub(version: int = 3) -> bytes:
    """A sound EPUB with two chapters and what surrounds them."""
    return epub(
        {
            "cover.xhtml": page("<h1>Harbours</h1><p>A cover.</p>", kind="cover"),
            "c1.xhtml": chapter("Pilots", "Currents", "Sandbanks"),
            "c2.xhtml": chapter("Tides", "Tide tables", "Spring tides"),
            "license.xhtml": page(f"<h1>License</h1><p>{PROSE * 3}</p>"),
        },
        [
            Line(title="Cover", href="cover.xhtml"),
            Line(
                title="Pilots",
                href="c1.xhtml",
                below=(
                    Line(title="Currents", href="c1.xhtml#s1"),
                    Line(title="Sandbanks", href="c1.xhtml#s2"),
                ),
            ),
            Line(title="Tides", href="c2.xhtml"),
            Line(title="License", href="license.xhtml"),
        ],
        version=version,
    )


# --- PDF ----------------------------------------------------------------------------------------------------

Text = tuple[float, str]
"""Size in points and a line."""


def pdf(
    pages: Sequence[Sequence[Text]], outline: Sequence[tuple[str, int]] = (), *, encrypted: bool = False
) -> bytes:
    """A PDF with lines set in Helvetica, and bookmarks as (title, page from 0)."""
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        y, content = 780.0, ""
        for size, text in lines:
            y -= size * 1.4
            escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            content += f"BT /F1 {size} Tf 60 {y:.1f} Td ({escaped}) Tj ET\n"
        stream = content.encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(len(objects))
    root = b""
    if outline:
        first = len(objects) + 2
        objects.append(
            b"<< /Type /Outlines /First %d 0 R /Last %d 0 R >>" % (first, first + len(outline) - 1)
        )
        root = b"/Outlines %d 0 R" % (first - 1)
        for i, (title, number) in enumerate(outline):
            following = b"/Next %d 0 R " % (first + i + 1) if i + 1 < len(outline) else b""
            objects.append(
                b"<< /Title (%s) /Parent %d 0 R %s/Dest [%d 0 R /XYZ 0 800 0] >>"
                % (title.encode("latin-1"), first - 1, following, kids[number])
            )
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % root
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, len(kids))
    return _written(objects, encrypted=encrypted)


def _written(objects: Sequence[bytes], *, encrypted: bool) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    locked = b""
    if encrypted:  # a user password that is not empty: no key that we could make fits
        secret = b"<%s>" % (b"5a" * 32)
        locked = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O %s /U %s /P -4 >> /ID [<00> <00>]" % (
            secret,
            secret,
        )
    out += b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        locked,
        start,
    )
    return bytes(out)


def lines_of_text(words: int = 90, *, start: int = 0) -> list[Text]:
    """Prose in lines of eleven points; another `start` makes other lines, so that none is a running head."""
    text = (PROSE * 9).split()[start : start + words]
    return [(11.0, " ".join(text[i : i + 12])) for i in range(0, len(text), 12)]


SOUND = {
    "c1.xhtml": chapter("Pilots", "Currents", "Sandbanks"),
    "c2.xhtml": chapter("Tides", "Tide tables", "Spring tides"),
}
