"""EPUB 2 and 3 → headings with text, as the book's own table of contents has them.

The package document (OPF) names the documents and their order; the table of contents is EPUB 3's navigation
document, else EPUB 2's NCX, else the headings in the text, else the documents. `EPUB 3.3 <https://www.w3.org/TR/epub-33/>`_.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from posixpath import dirname, join, normpath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from pipeline.library.ingest.apparatus import is_apparatus
from pipeline.library.ingest.archive import Archive
from pipeline.library.ingest.errors import BrokenFile, EncryptedFile
from pipeline.library.ingest.reading import Heading, Progress, Reading
from pipeline.library.ingest.stream import Mark, Stream
from pipeline.library.ingest.xhtml import Document, is_apparatus_type
from pipeline.library.ingest.xml import Element, attribute, children, descendants, local, parsed, text_of

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONTS_ONLY = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Algorithms that only keep fonts from being copied out; the text is open."""
MAX_DEPTH = 12
"""Of a table of contents; deeper ones are cut."""
_FACTS = ("title", "creator", "language", "subject")
_DOCUMENTS = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the table of contents."""

    level: int
    title: str
    path: str
    """Its document in the archive; '' where it only groups what is below."""
    anchor: str


def read_epub(file: BinaryIO, progress: Progress) -> Reading:
    """Read an EPUB.

    Raises:
        BookError: it cannot be read, or must not be.
    """
    with Archive(file) as archive:
        _refuse_encrypted(archive)
        package = _Package(archive)
        contents = package.contents()
        text = _Text()
        for done, path in enumerate(package.documents):
            progress(done, len(package.documents))
            text.add(path, archive.read(path), package.types.get(path, ""))
    marks = list(_placed(contents, text)) or list(text.stream.marks) or text.documents
    listed = {mark.place.partition("#")[0] for mark in marks}
    marks += [
        # An index or a licence that the table of contents leaves out would end the last chapter.
        Mark(at=text.places[path, ""], level=0, title=title, place=path, apparatus=True)
        for path, title in text.apparatus.items()
        if path not in listed
    ]
    return package.reading(text.stream.headings(text.stream.refined(marks)))


def _refuse_encrypted(archive: Archive) -> None:
    if _ENCRYPTION not in archive:
        return
    methods = descendants(parsed(archive.read(_ENCRYPTION), _ENCRYPTION), "encryptionmethod")
    if any(attribute(method, "Algorithm") not in _FONTS_ONLY for method in methods):
        raise EncryptedFile("The EPUB is encrypted (DRM): only the shop's own reader can open it.")


class _Package:
    """The package document and the table of contents."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        container = parsed(archive.read(_CONTAINER), _CONTAINER)
        roots = [attribute(root, "full-path") for root in descendants(container, "rootfile")]
        if not roots or not roots[0]:
            raise BrokenFile("The EPUB does not say where its package document is.")
        self._path = normpath(unquote(roots[0]))
        self._root = parsed(archive.read(self._path), "its package document")
        self._items = {attribute(item, "id"): item for item in descendants(self._root, "item")}
        self.documents = self._spine()
        self.types = self._types()

    def resolve(self, href: str, base: str) -> str:
        """Return the path in the archive that `href` in the document `base` means."""
        try:
            path = unquote(urlsplit(href).path)
        except ValueError:
            return ""
        return normpath(join(dirname(base), path)) if path else base

    def _spine(self) -> tuple[str, ...]:
        """Return the documents in reading order."""
        items = (self._items.get(attribute(ref, "idref")) for ref in descendants(self._root, "itemref"))
        paths = [
            self.resolve(attribute(item, "href"), self._path)
            for item in items
            if item is not None and attribute(item, "media-type") in _DOCUMENTS
        ]
        if not paths:
            raise BrokenFile("The EPUB names no documents to read.")
        return tuple(dict.fromkeys(paths))

    def _types(self) -> dict[str, str]:
        """Return what the guide and the landmarks say that documents are, by path."""
        found = {
            self.resolve(attribute(ref, "href"), self._path): attribute(ref, "type")
            for ref in descendants(self._root, "reference")
            if not urlsplit(attribute(ref, "href")).fragment
        }
        path, nav = self._nav("landmarks")
        for link in descendants(nav, "a") if nav is not None else []:
            if not urlsplit(attribute(link, "href")).fragment:
                found[self.resolve(attribute(link, "href"), path)] = attribute(link, "type")
        return found

    def _nav(self, kind: str) -> tuple[str, Element | None]:
        for item in self._items.values():
            if "nav" in attribute(item, "properties").split():
                path = self.resolve(attribute(item, "href"), self._path)
                if path not in self._archive:
                    continue
                navs = descendants(
                    parsed(self._archive.read(path), "its table of contents", recover=True), "nav"
                )
                named = [nav for nav in navs if kind in attribute(nav, "type").split()]
                if kind == "toc" and not named:
                    named = navs[:1]
                return path, named[0] if named else None
        return "", None

    def contents(self) -> list[Entry]:
        """Return the table of contents, in its order; empty where there is none."""
        path, nav = self._nav("toc")
        lists = children(nav, "ol") if nav is not None else []
        if found := [entry for top in lists for entry in self._listed(top, path, 0)]:
            return found
        for item in self._items.values():
            if attribute(item, "media-type") == "application/x-dtbncx+xml":
                path = self.resolve(attribute(item, "href"), self._path)
                if path in self._archive:
                    root = parsed(self._archive.read(path), "its table of contents", recover=True)
                    return [e for top in descendants(root, "navmap") for e in self._points(top, path, 0)]
        return []

    def _listed(self, top: Element, base: str, level: int) -> Iterator[Entry]:
        for line in children(top, "li"):
            label = next((child for child in line if local(child) in ("a", "span")), None)
            if label is not None:
                yield self._entry(text_of(label), attribute(label, "href"), base, level)
            for below in children(line, "ol") if level < MAX_DEPTH else []:
                yield from self._listed(below, base, level + 1)

    def _points(self, top: Element, base: str, level: int) -> Iterator[Entry]:
        for point in children(top, "navpoint"):
            labels, targets = children(point, "navlabel"), children(point, "content")
            href = attribute(targets[0], "src") if targets else ""
            yield self._entry(text_of(labels[0]) if labels else "", href, base, level)
            if level < MAX_DEPTH:
                yield from self._points(point, base, level + 1)

    def _entry(self, title: str, href: str, base: str, level: int) -> Entry:
        path = self.resolve(href, base) if href else ""
        return Entry(level=level, title=title[:500], path=path, anchor=unquote(href.partition("#")[2]))

    def reading(self, headings: tuple[Heading, ...]) -> Reading:
        """Return the headings with what the package says about the book."""
        said = {name: [text_of(e) for e in descendants(self._root, name)] for name in _FACTS}
        authors = tuple(name for name in said["creator"] if name.lower() not in ("", "unknown"))
        return Reading(
            title=next(filter(None, said["title"]), ""),
            authors=authors[:100],
            language=next(filter(None, said["language"]), ""),
            subjects=tuple(filter(None, said["subject"]))[:20],
            headings=headings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """All text of an EPUB, and what is where in it."""

    stream: Stream = field(default_factory=Stream)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """Block at which a document or an anchor in it begins, by (path, anchor); '' is the document."""
    apparatus: dict[str, str] = field(default_factory=dict)
    """Titles of the documents that are no chapters, by path."""
    documents: list[Mark] = field(default_factory=list)

    def add(self, path: str, data: bytes, kind: str) -> None:
        """Add a document; `kind` is what the guide or the landmarks call it."""
        document = Document(path, self.stream)
        start, first_mark = len(self.stream.blocks), len(self.stream.marks)
        document.read(data)
        self.places[path, ""] = start
        self.places.update({(path, anchor): at for anchor, at in document.anchors.items()})
        name = document.title or PurePosixPath(path).stem[:500]
        self.documents.append(Mark(at=start, level=0, title=name, place=path))
        marks = self.stream.marks[first_mark:]
        title = marks[0].title if marks else ""
        if document.apparatus or is_apparatus_type(kind) or is_apparatus(title):
            self.apparatus[path] = title


def _placed(entries: list[Entry], text: _Text) -> Iterator[Mark]:
    """Yield the entries whose place is in the text; what only groups others is where the first of them is."""
    at = None
    found: list[Mark] = []
    for entry in reversed(entries):
        position = text.places.get((entry.path, entry.anchor), text.places.get((entry.path, "")))
        at = position if position is not None else at if not entry.path else None
        if at is None or not entry.title:
            continue
        place = f"{entry.path}#{entry.anchor}" if entry.anchor else entry.path
        whole = not entry.anchor and entry.path in text.apparatus
        found.append(Mark(at=at, level=entry.level, title=entry.title, place=place, apparatus=whole))
    yield from reversed(found)
