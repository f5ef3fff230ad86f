"""The documents of an EPUB → blocks of text, the headings among them, and where each anchor is."""

from __future__ import annotations

from lxml import etree, html

from pipeline.authors.words import vocabulary
from pipeline.library.ingest.errors import BrokenFile
from pipeline.library.ingest.stream import BlockKind, Mark, Stream
from pipeline.library.ingest.xml import Element, attribute, local, parsed, text_of

_BLOCKS = vocabulary(
    """
    address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hr legend li main ol p pre section summary table tbody td tfoot th
    thead tr ul
    """
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SILENT = frozenset({"script", "style", "template", "nav", "svg", "math", "rt", "rp", "head"})
LINKS_SHARE = 0.8
"""A block with more of its letters in links is a line of a table of contents."""


class Document:
    """One document being read into a stream.

    Args:
        path: where in the EPUB it is, for places.
        stream: what it is added to.
    """

    def __init__(self, path: str, stream: Stream) -> None:
        self._path = path
        self._stream = stream
        self._text: list[str] = []
        self._linked = 0
        self._code = 0
        self.anchors: dict[str, int] = {}
        """Block that an anchor begins at, by its name."""
        self.title = ""
        """What its head says; often only its file's name or the book's."""
        self.apparatus = False
        """Whether the document itself says that it is a cover, a table of contents or the like."""

    def read(self, data: bytes) -> None:
        """Add the document's text to the stream."""
        body = _body(data, self._path)
        self.title = next((text_of(t) for t in body.getroottree().iter() if local(t) == "title"), "")[:500]
        self.apparatus = is_apparatus_type(attribute(body, "type")) or any(
            is_apparatus_type(attribute(child, "type")) for child in list(body)[:1]
        )
        silent = 0
        for event, element in etree.iterwalk(body, events=("start", "end")):
            name = local(element)
            if name in _SILENT:
                silent += 1 if event == "start" else -1
                if event == "end" and not silent:
                    self._say(element.tail)
            elif not silent and event == "start":
                self._open(element, name)
            elif not silent:
                self._close(element, name)
        self._flush("prose")

    def _open(self, element: Element, name: str) -> None:
        if name in _BLOCKS:
            self._flush("prose")
        if name == "pre":
            self._code += 1
        at = len(self._stream.blocks)
        anchor = element.get("id") or (element.get("name") if name == "a" else None)
        if anchor:
            self.anchors.setdefault(anchor, at)
        if (level := _HEADINGS.get(name)) and (title := text_of(element)):
            place = f"{self._path}#{anchor}" if anchor else self._path
            self._stream.marks.append(Mark(at=at, level=level, title=title[:500], place=place))
        self._say(element.text, linked=name == "a")

    def _close(self, element: Element, name: str) -> None:
        if name in _BLOCKS:
            self._flush("heading" if name in _HEADINGS else "prose")
        elif name == "br":
            self._say(" ")
        if name == "pre":
            self._code -= 1
        if element.getparent() is not None and name != "body":
            self._say(element.tail)

    def _say(self, text: str | None, *, linked: bool = False) -> None:
        if text:
            self._text.append(str(text))
            self._linked += len(text.strip()) if linked else 0

    def _flush(self, kind: BlockKind) -> None:
        text = "".join(self._text)
        letters = len(text.strip())
        if kind == "prose" and letters:
            if self._code:
                kind = "code"
            elif self._linked >= LINKS_SHARE * letters:
                kind = "links"
        self._stream.add(kind, text)
        self._text.clear()
        self._linked = 0


def is_apparatus_type(types: str) -> bool:
    """Tell whether an ``epub:type`` (EPUB 3 Structural Semantics) or a guide's type is none of a chapter."""
    return any(word in _APPARATUS for word in types.lower().split())


_APPARATUS = vocabulary(
    """
    acknowledgments acknowledgements backlink bibliography colophon contributors copyright copyright-page
    cover dedication errata halftitlepage halftitle title-page titlepage imprint imprimatur index keywords
    landmarks loa loi lot lov other-credits page-list toc toc-brief
    """
)


def _body(data: bytes, path: str) -> Element:
    """Return the body; as HTML where it is no XML at all."""
    try:
        root = parsed(data, path, recover=True)
        bodies = [child for child in root.iter() if local(child) == "body"]
    except BrokenFile:
        bodies = []
    if bodies:
        return bodies[0]
    try:
        document = html.document_fromstring(data, parser=html.HTMLParser(no_network=True, huge_tree=False))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise BrokenFile(f"The file is damaged: {path[:200]} cannot be read.") from error
    found = document.find("body")
    return document if found is None else found
