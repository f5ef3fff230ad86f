"""XML and XHTML of strangers: no entities of their own, nothing fetched, nothing unbounded."""

from __future__ import annotations

import html.entities
import re
from typing import TypeAlias

from lxml import etree

from pipeline.library.ingest.errors import BrokenFile, UnsafeFile

Element: TypeAlias = "etree._Element"

_NAMED = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_OF_XML = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)


def parsed(data: bytes, what: str, *, recover: bool = False) -> Element:
    """Return the root of an XML document.

    Args:
        data: the document.
        what: how it is called where it is damaged.
        recover: take what can be read of a document that is not well-formed.

    Raises:
        UnsafeFile: it declares entities: the way of entity bombs and of reading files of this machine.
        BrokenFile: it is no XML.
    """
    if _ENTITY.search(data.replace(b"\x00", b"")):  # also where it is UTF-16
        raise UnsafeFile(f"The file declares XML entities of its own in {what}, which no book needs.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=recover,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(_NAMED.sub(_numbered, data), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BrokenFile(f"The file is damaged: {what} is not valid XML.") from error
    if root is None:  # lxml's types do not know that recovering may find nothing
        raise BrokenFile(f"The file is damaged: {what} is not valid XML.")
    return root


def _numbered(match: re.Match[bytes]) -> bytes:
    """Return an entity of HTML by its number: XHTML may use it, and we load no DTD that would define it."""
    if match[1] in _OF_XML:
        return match[0]
    character = html.entities.html5.get(f"{match[1].decode()};")
    return match[0] if character is None else "".join(f"&#{ord(c)};" for c in character).encode()


def local(element: Element) -> str:
    """Return an element's name without its namespace; '' for a comment or the like."""
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """Return an attribute whatever its namespace; '' where it is missing."""
    for key, value in element.attrib.items():
        if etree.QName(key).localname == name:
            return str(value)
    return ""


def children(element: Element, name: str) -> list[Element]:
    """Return the children of this name, whatever their namespace."""
    return [child for child in element if local(child) == name]


def descendants(element: Element, name: str) -> list[Element]:
    """Return all elements of this name below `element`."""
    return [child for child in element.iter() if local(child) == name]


def text_of(element: Element) -> str:
    """Return all text in an element, spaces collapsed."""
    return " ".join("".join(str(piece) for piece in element.itertext()).split())
