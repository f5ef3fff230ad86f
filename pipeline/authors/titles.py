"""Titles: what a heading of a book is about, and how a heading of a course is set.

Headings of books come numbered ("8.1"), labelled ("Writing Process: …"), asked ("What Is Finance?") and
ordered ("Describe the …"); :func:`topic` leaves what they are about. Headings of a course are set in English
title case and kept short.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from pipeline.authors.words import vocabulary
from pipeline.outline import Chapter

MAX_TITLE = 120

SMALL_WORDS = vocabulary(
    """
    a an and as at but by for from in into nor of on or per so than the to vs versus via with yet
    """
)
_TAG = re.compile(r"<[^<>]{0,300}>")
_PLAIN = re.compile(r"[!-%'-;=?-~](?:[!-%'-;=?-~]| (?! ))*(?<! )")  # ASCII without <, > and &
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Zl", "Zp"}
_NUMBERING = re.compile(
    r"""^\s*(?:(?:LO|Chapter|Section|Unit|Lesson|Lab|Part)\s*\d+(?:[.\-]\d+)*\s*[.:)–—-]*\s+
        |\d+(?:\.\d+)+\.?\s+|\d+[.)]\s+)""",
    re.IGNORECASE | re.VERBOSE,
)
_LABEL = re.compile(
    r"""^(?:(?:Appendix|In\ Depth|Writing\ Process|(?:The\ )?Research\ Process|Editing\ Focus|Portfolio
        |Problem|Perspective|Application|Evaluation|Case\ in\ Point|Glance\ at\ [A-Z][\w\ ]*|Lab\ ?\d*):\s+
        |Spotlight\ on\s*(?:…|\.\.\.)\s*|\*[^*]+\*\s*)""",
    re.VERBOSE,
)
_LEAD_IN = re.compile(
    r"^(?:(?:An?|The)\s+)?(?:(?:Brief|Short|Quick|Gentle)\s+)?(?:Introduction to|Introducing|Overview of"
    r"|Welcome to|Understanding|Definitions? of|The Concept of|Concept of|The Very Idea of|The Basics of"
    r"|Basics of|More (?:About|on)|Now What\?)\s+(?!and\b)(?=\S)",
    re.IGNORECASE,
)
ORDER_VERBS = vocabulary(
    """
    Account Add Analyze Apply Assess Calculate Compare Compute Contrast Define Demonstrate Describe
    Determine Differentiate Discuss Distinguish Establish Evaluate Examine Explain Identify
    Illustrate Interpret Perform Prepare Provide Recognize Summarize Use
    """
)
_VERB = rf"(?:{'|'.join(sorted(ORDER_VERBS))})"
_ALSO = rf"(?:{_VERB}|Allocate|Classify|Complete|Dispose of|Journalize|Record|Show)"
_ORDER = re.compile(
    rf"^(?:{_VERB}(?:(?:,| and|, and) {_ALSO})*|Complete(?= a\b))(?: Examples of| between| for)?\s+"
    r"(?=[A-Z“\d]|the |an? |how |why )",
)
_NEXT_ORDER = re.compile(rf",? and {_ALSO} .*$")
_ROMAN = re.compile(r"(?<!War)\s+(?:I{1,3}|IV|VI{0,3}|IX|X)(?=$|:)")
_WHAT_IS = re.compile(r"^What(?: Is| Are| is| are)\s+(?:an? |the )?([^?]+)\?$", re.IGNORECASE)
_ALSO_ASKED = re.compile(r",? and (?:What|Why|How|Who|When)\b.*$", re.IGNORECASE)
_STRANDED = re.compile(r"(?:\b(?:of|from|in|for|to|with|do|we)|\bfor the company)$", re.IGNORECASE)
_ACRONYM = re.compile(r"\s*\(([^()]*)\)")
_WH = re.compile(r"^(?:What|Why|How|When|Where|Who|Which|Is|Are|Do|Does|Can|Should)\b")


def plain(text: str) -> str:
    """Return `text` as one line of printable characters: no markup, no emoji, no control characters."""
    if _PLAIN.fullmatch(text):
        return text
    text = html.unescape(_TAG.sub(" ", unicodedata.normalize("NFC", text)))
    text = _TAG.sub(" ", text)
    kept = (" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text)
    return re.sub(r"\s+", " ", "".join(kept)).strip()


def shorten(text: str, limit: int = MAX_TITLE) -> str:
    """Return `text` cut at a word to at most `limit` characters, without a dangling small word."""
    if len(text) <= limit:
        return text
    kept = text[: limit + 1].rsplit(" ", 1)[0] if " " in text[: limit + 1] else text[:limit]
    while " " in kept and kept.rsplit(" ", 1)[1].casefold().strip(",;:–—-") in SMALL_WORDS | {"its", "their"}:
        kept = kept.rsplit(" ", 1)[0]
    return kept[:limit].rstrip(" ,;:–—-(“")


def title_case(text: str) -> str:
    """Return `text` in English title case; words with capitals or digits inside stay as they are.

    A heading that already is in title case keeps its own: books differ in whether *within* is a small word.
    """
    tokens = text.split(" ")
    long_words = [token for token in tokens[1:] if len(token) > 3 and token.isalpha()]
    if long_words and sum(token[0].isupper() for token in long_words) * 2 > len(long_words):
        return capitalised(text)
    last = len(tokens) - 1
    return " ".join(
        _cased(token, ends=i in (0, last) or tokens[i - 1].endswith((":", "?", "–", "—")))
        for i, token in enumerate(tokens)
    )


def capitalised(text: str) -> str:
    """Return `text` with a capital first letter, unless its first word is written like *pH* or *ggplot2*."""
    first = text.split(" ", 1)[0]
    if any(c.isupper() or c.isdigit() or c == "_" for c in first[1:]) or first[1:2] == "-":
        return text
    return text[:1].upper() + text[1:]


def _cased(token: str, *, ends: bool) -> str:
    core = token.strip("“”\"'‘’(),;:?!.")
    if not core or "_" in core or any(c.isupper() or c.isdigit() for c in core[1:]):
        return token
    if core.casefold() in SMALL_WORDS and not ends:
        return token.replace(core, core.casefold(), 1)
    if not core[0].islower():
        return token
    raised = "-".join(
        part if part in SMALL_WORDS else part[:1].upper() + part[1:] for part in core.split("-")
    )
    raised = "/".join(part[:1].upper() + part[1:] for part in raised.split("/"))
    return token.replace(core, raised if core[1:2] != "-" else core, 1)


@lru_cache(maxsize=4_096)
def clean(title: str) -> str:
    """Return a heading of a book without numbering and labels."""
    text = plain(title)
    for pattern in (_NUMBERING, _LABEL):
        text = pattern.sub("", text, count=1) or text
    return text.rstrip(" .") or "Untitled"


@lru_cache(maxsize=4_096)
def topic(title: str) -> str:
    """Return what a heading is about, as a heading: *What Is Finance?* is *Finance*."""
    text = clean(title)
    if "? " in text:
        after = text.split("? ", 1)[1]
        text = after if len(after.split()) > 1 and "?" not in after else text
    elif asked := _WHAT_IS.match(text):
        subject = _ALSO_ASKED.sub("", asked[1])
        text = text if _STRANDED.search(subject) or subject.casefold().startswith("in ") else subject
    ordered = _ORDER.sub("", text, count=1)
    if ordered != text:
        text = re.sub(r"^(?:the|an?)\s+", "", _NEXT_ORDER.sub("", ordered), flags=re.IGNORECASE)
    unled = _LEAD_IN.sub("", _ROMAN.sub("", text), count=1)
    text = unled.rstrip("!") if unled != text else text
    text = re.sub(r":\s+(?:An? )?(?:Overview|Introduction|What|Why|How|Who)\b[^:]*$", "", text)
    return title_case(text)


def is_order(title: str) -> bool:
    """Return whether a heading tells the reader what to do: *Prepare a Trial Balance*."""
    return bool(_ORDER.match(clean(title)))


def split_topic(text: str) -> tuple[str, str]:
    """Return a topic's head and what follows its colon (empty where there is none)."""
    head, _, tail = text.partition(": ")
    return head, tail


def without_acronym(text: str) -> str:
    """Return `text` without what stands in brackets."""
    return _ACRONYM.sub("", text).strip() or text


def quoted(text: str) -> str:
    """Return `text` in quotation marks, those inside made single."""
    inner = re.sub(r'"([^"]*)"', r"‘\1’", text.replace("“", "‘").replace("”", "’"))
    return f"“{inner}”"


def is_question(text: str) -> bool:
    """Return whether a heading asks or begins like a question, so it cannot stand inside a list of nouns."""
    return "?" in text or bool(_WH.match(text))


def listed(items: Sequence[str]) -> str:
    """Return `items` as one list in words: *a*, *a and b*, *a, b and c*."""
    if len(items) < 2:
        return "".join(items)
    serial = "," if any(" and " in item or "," in item for item in items) else ""
    if len(items) == 2:
        return f"{items[0]}{serial} and {items[1]}"
    return f"{', '.join(items[:-1])}{serial} and {items[-1]}"


# --- the course -----------------------------------------------------------------------------------------

COURSE_TITLE = 80
_EDGES = " .,;:!-–—\"“”'"
_ASKING = re.compile(
    r"""^(?:(?:hi|hello|hey|please|ok(?:ay)?)\b[\s,!.]*)*
    (?:(?:can|could|would)\ you\ (?:please\ )?)?
    (?:(?:i(?:['’]d|\ would)?\ (?:want|like|need|love|wish|have)(?:\ to)?
        |i(?:['’]m|\ am)\ (?:trying|looking|hoping)(?:\ to|\ for)?
        |help\ me(?:\ to)?|let(?:['’]s|\ us)|how\ (?:do|can|should|would)\ (?:i|you|we))\s+)*
    (?:(?:teach\ me|show\ me|tell\ me|give\ me|make\ me|create|build\ me|get|learn(?:ing)?|study(?:ing)?
        |master(?:ing)?|understand(?:ing)?|know(?:\ about)?|explain(?:\ to\ me)?|find\ out)\s+)*
    (?:(?:an?|the|some)\s+)?(?:(?:short|quick|complete|full|deep|crash|beginner(?:['’]s)?|introductory)\s+)*
    (?:(?:course|lesson|class|tutorial|introduction|intro|overview|lecture)s?\s+(?:on|about|in|for|of|to)\s+)?
    (?:(?:all\ |more\ )?about\s+|the\ basics\ of\s+)*""",
    re.IGNORECASE | re.VERBOSE,
)
_FIRST_SENTENCE = re.compile(
    r"^(.{12,}?[^\s.!?])(?:[.!?]+(?=\s)|\s+[–—-]\s|;|,\s+(?:please|but|because|so|and i)\b)", re.IGNORECASE
)
_ASKS = re.compile(
    r"""^(?:(?:why|how|when|where)\ (?:do|does|did|is|are|was|were|can|should|will|would|has|have)
        |(?:what|who)\ (?:is|are|was|were|do|does|did|makes?|causes?)
        |(?:is|are|do|does|did|can|should|will)\ )\b""",
    re.IGNORECASE | re.VERBOSE,
)


def course_title(query: str, reading: Iterable[Chapter] = (), fallback: str = "Course") -> str:
    """Return the title of a course: the query in its proper form, at most 80 characters.

    Args:
        query: the learner's words, whatever they are.
        reading: its headings and concepts show how names and abbreviations are written (*DCF*, *NumPy*).
        fallback: used where the query has no letters or digits.
    """
    text = plain(query)
    if first := _FIRST_SENTENCE.match(text):
        text = first[1]
    text = re.sub(r",? (?:please|thanks|thank you)[.! ]*$", "", text, flags=re.IGNORECASE)
    said = _ASKING.sub("", text, count=1).strip(_EDGES)
    asked = bool(_ASKS.match(said)) or (text.endswith("?") and said == text.strip(_EDGES))
    text = said if any(c.isalnum() for c in said) else text.strip(_EDGES)
    if not any(c.isalnum() for c in text):
        return shorten(topic(fallback), COURSE_TITLE)
    text = shorten(text.rstrip("? "), COURSE_TITLE - 1)
    text = _as_written(text, reading)
    if text.isascii():
        text = title_case(text)
    return capitalised(text) + ("?" if asked else "")


def _as_written(text: str, reading: Iterable[Chapter]) -> str:
    """Return `text` with names and abbreviations written as the reading writes them."""
    said = {token.strip("“”\"'(),;:.").casefold() for token in text.split(" ")}
    forms: dict[str, str] = {}
    for chapter in reading:
        for heading in (*chapter.book.subjects, *chapter.key_concepts, *(s.title for s in chapter.sections)):
            for token in heading.split(" "):
                word = token.strip("“”\"'(),;:.?!")
                if word.casefold() in said and any(c.isupper() for c in word[1:]):
                    forms.setdefault(word.casefold(), word)
    return " ".join(_replaced(token, forms) for token in text.split(" "))


def _replaced(token: str, forms: Mapping[str, str]) -> str:
    core = token.strip("“”\"'(),;:.")
    form = forms.get(core.casefold()) if core.islower() else None
    if form is None and "/" in core and len(core) <= 3:
        form = core.upper()  # a/b
    return token.replace(core, form, 1) if form else token
