"""Headings inside sentences: *the net present value method*, *how firms raise capital*, *forecast sales*.

A heading is a noun phrase, a question, a statement or an order. :class:`Casing` says which, and gives the
words that fit after "Explain" (``noun``), or the verb phrase of a thing to do (``task``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from pipeline.authors.titles import ORDER_VERBS, SMALL_WORDS, clean, plain, split_topic, topic
from pipeline.authors.words import vocabulary, words
from pipeline.outline import Chapter

_SENTENCE = re.compile(r"(?<=[.!?:“])\s+")
_KEPT_LOWER = (
    SMALL_WORDS
    | frozenset(verb.casefold() for verb in ORDER_VERBS)
    | vocabulary(
        """
    about across after against all along among are around before behind being beneath beside between
    beyond both do does during each every has have how inside is it its more most much my near not
    one only other our out outside over some such that their them these they this those through
    throughout to together toward under until up upon using was were what when where which while who
    why with within without you your
    """
    )
)
_ORDINARY_ENDING = re.compile(
    r"(?:ing|ed|tion|sion|ment|ness|ity|ance|ence|ism|ist|ology|graphy|ical|ful|less|able|ible|ous|ive|ly|ers?"
    r"|ors?|ures?|ages?|als?|ants?|ents?|ies|ses|tes|ics?|ms|ds|ts|ks|ps|gs|ys|ls|ns|rs|es|ship|hood|ward|wide)$"
)
_ORDINARY_WORDS = vocabulary(files("pipeline").joinpath("authors/ordinary_words.txt").read_text("utf-8"))
"""Words of headings that are no names, for readings whose running text has not shown it: what the shipped
books' summaries and terms write small, and a few more.
"""
_NAMES = vocabulary(
    """
    Africa African Africans Alaska America American Americans Americas Arab Arabic Archimedes Asia
    Asian Athens Atlantic August Australia Augustus Babylon Bantu Bayes Bayesian Bernoulli Britain
    British Buddhism Buddhist Byzantine Canada Carnot China Chinese Christian Christianity
    Christians Church Clinton Congress Coulomb Daoism December Doppler Dutch Egypt Einstein England
    English Enlightenment Euler Europe European Europeans Excel Faraday February Fermi
    Fibonacci Fisher Fourier
    France French Freud Gauss Gaussian German Germany Git GitHub Google Greece Greek Greeks Hawaii
    Hebrews Hellenistic Hooke Hoover India Indian Indians Indigenous Indus Islam Islamic Italy
    January Japan Japanese Java JavaScript Jefferson Jewish Jews July June Jung Jupiter Jupyter Kant
    Kennedy Kepler Keynes Keynesian Kirchhoff Korea Kush Latin Lenz Lincoln London Marx Marxism
    Marxist Markov Mars Marshall Maslow Matplotlib Maxwell Mediterranean Mercury Mesopotamia Mexico
    Michigan Microsoft Mississippi Missouri Mongol Mongols Muslim Muslims Neolithic Newton Nixon
    November October Ohm Ottoman Ottomans Pacific Paleolithic Pandas Pascal Persia Persian Plato
    Pluto Poiseuille Poisson Portuguese Protestant Puritan Pythagorean Python Quarto Reagan
    Republican Roman Romans Rome Roosevelt Russia Russian Rust Saturn Seaborn September Shapley
    Socrates Soviet Spain Spanish Taylor Texas Turing Uranus Venn Venus Vietnam Weibull Wilson Young
    """
)
_QUESTION_WORD = r"(?:What|Why|How|When|Where|Who)"

_SPACED = re.compile(r" (?=[,;:.?!)])")
_UNITED = ("United Kingdom", "United Nations", "United States")
"""Names of ordinary words."""
_STATES = re.compile(r"\w (?:Can|Causes|Reveals?|Live|Drives|Goes|Makes|Affects|Leads) (?!of\b)\w")
_IS_STATED = re.compile(r"^[^,]*\w (?:Is|Are|is|are) \w")
"""Headings that are sentences: *Reference Cycles Can Leak Memory*, *Objects Are Mutable*."""

GERUND_BASES = vocabulary(
    """
    abstract accept access accumulate achieve add address adjust adopt allocate allow analyze
    animate apply approximate assess avoid become bring build buy calculate call categorize change
    check choose clarify classify combine communicate compare compile compute conduct connect
    consider construct control convert correct count craft create customize date deal debate debug
    decide decompose defend define delete deploy describe design detect determine develop diagnose
    dispatch distinguish divide draw edit encode enforce engage establish estimate evaluate explore
    express extend extract factor filter find fit fix focus forecast form format formulate gather
    generate graph group handle identify implement import improve install insure integrate interact
    interpret invert keep launch lengthen loop maintain make manage map maximize measure merge
    migrate minimize mitigate model modify motivate multiply name navigate obtain open organize
    overcome override pack parse perform plan predict prepare prevent process profile propose
    protect prove publish quantify query raise read recognize record redirect reduce refactor
    reflect regulate relate remove report represent research resolve respond review rewrite run save
    scale search secure select separate set shape simplify simulate solve sort split stain store
    substitute summarize synthesize take test think trace track transfer transform translate treat
    undo update use validate view visualize walk weigh widen work write
    """
)
_DOUBLING = vocabulary(
    """
    control debug fit format get map plan prefer refer run set split stop transfer
    """
)


def gerund(base: str) -> str:
    """Return the -ing form of a verb."""
    if base in _DOUBLING and base not in {"format"}:
        return base + base[-1] + "ing"
    if base.endswith("e") and not base.endswith(("ee", "ye", "oe")):
        return base[:-1] + "ing"
    return base + "ing"


_GERUNDS = {gerund(base): base for base in GERUND_BASES} | {"formatting": "format"}
_IDIOMS = re.compile(r"working (?!with|through|on |backward|forward)|building blocks|generating functions$")
_NOT_TASKS = frozenset(["operating", "accounting", "planning", "processing", "marketing", "testing"])


@dataclass(frozen=True, slots=True)
class Phrase:
    """A heading as words inside a sentence."""

    noun: str
    """Fits after "Explain": *bond valuation*, *how firms raise capital*."""
    task: str = ""
    """A verb phrase, where the heading names something to do: *choose between projects*."""
    asks: bool = False
    """`noun` is a clause (how, why, what …), not a noun phrase: it fits after few verbs."""


class Casing:
    """Knows which words of title-cased headings are names and keep their capitals.

    Learns from the running text of the reading (summaries, key concepts), where only names have capitals.
    """

    def __init__(self, reading: Sequence[Chapter]) -> None:
        lower: set[str] = set()
        upper: set[str] = set()
        terms: set[str] = set()
        for chapter in reading:
            for sentence in _SENTENCE.split(chapter.summary):
                _sort_by_case(words(sentence)[1:], lower, upper)
                lower.update(word for word in words(sentence)[:1] if word[0].islower())
            for concept in chapter.key_concepts:
                first, *rest = words(concept) or [""]
                _sort_by_case(rest, lower, terms)
                lower.update(word for word in [first] if word[:1].islower())
                # "Boston Massacre" is a name; "Smart pointers" is a term that begins with a capital.
                if rest and all(word[0].isupper() for word in (first, *rest)):
                    terms.add(first)
        self._lower = lower
        self._long_names = sorted({*_long_names(reading), *_UNITED})
        # Some books write all their terms with capitals, so that a term shows a name less surely.
        terms -= {word.capitalize() for word in _ORDINARY_WORDS}
        self._names = ((upper | terms) - {word.capitalize() for word in lower}) | _NAMES

    def inside(self, heading: str) -> str:
        """Return `heading` as it stands inside a sentence; names and acronyms keep their capitals."""
        text = plain(heading)
        for name in self._long_names:
            if name in text:
                before, _, after = text.partition(name)
                text = " ".join(f"{self.inside(before)} {name} {self.inside(after)}".split())
                return _SPACED.sub("", text)
        return " ".join(self._lowered(token) for token in text.split(" "))

    def _lowered(self, token: str) -> str:
        core = token.strip("“”\"'‘’(),;:?!.")
        bare = re.sub(r"[’']s?$", "", core)
        if (
            not core
            or not core[0].isupper()
            or any(c.isupper() or c.isdigit() for c in core[1:] if c not in "-–")
        ):
            parts = core.split("-")
            if len(parts) < 2 or any(part[1:] != part[1:].lower() for part in parts) or not core[0].isupper():
                return token
            return token.replace(core, "-".join(self._lowered(part) for part in parts), 1)
        if bare in self._names or core in self._names:
            return token
        if "-" in core:
            return token.replace(core, "-".join(self._lowered(part) for part in core.split("-")), 1)
        low = bare.casefold()
        if self._is_ordinary(low) or len(core) == 1:
            return token.replace(core, core if len(core) == 1 and core != "A" else core.casefold(), 1)
        return token

    def _is_ordinary(self, word: str) -> bool:
        """Return whether a word is none that keeps its capital inside a sentence; in doubt it is a name."""
        singular = word.rstrip("s")
        return (
            word in _KEPT_LOWER
            or not self._lower.isdisjoint((word, singular, f"{word}s"))
            or not _ORDINARY_WORDS.isdisjoint((word, singular))
            or _ORDINARY_ENDING.search(word) is not None
        )

    def phrase(self, heading: str) -> Phrase:
        """Return a heading of a book as words inside a sentence."""
        text = clean(heading)
        if "?" in text and topic(heading) == text:
            return self._question(text)
        text = topic(heading)
        head, tail = split_topic(text)
        if match := re.match(r"How to (\w+)(.*)$", head):
            return Phrase(noun=self.inside(head), task=self.inside(match[1] + match[2]), asks=True)
        if re.match(rf"{_QUESTION_WORD}\b", head):
            return Phrase(noun=self.inside(head), asks=True)
        if _STATES.search(head):
            return Phrase(noun=f"how {self.inside(head)}", asks=True)
        if _IS_STATED.search(head) and self.inside(head).partition(" ")[0] not in _GERUNDS:
            return Phrase(noun=f"what it means that {self.inside(head)}", asks=True)
        noun = re.sub(r"(?<=\S \S)(\S*) basics$", r"\1", self.inside(head))
        said_by_head = len(words(head)) > 1 and tail.split(" ")[0].endswith("ing")
        if tail and len(tail.split()) <= 6 and "(" not in text and not said_by_head:
            noun = f"{noun} ({self.inside(tail)})"
        first, _, rest = noun.partition(" ")
        base = _GERUNDS.get(first)
        if (
            base
            and rest
            and not _IDIOMS.match(noun)
            and not rest.startswith("to ")  # *writing to speak* is no order
            and (first not in _NOT_TASKS or rest.split(" ")[0] in {"a", "an", "the"})
        ):
            return Phrase(noun=noun, task=_bases(base, rest))
        return Phrase(noun=_with_article(noun))

    def _question(self, text: str) -> Phrase:
        asked = text.rstrip("?")
        if match := re.match(r"(Why|How) (Is|Are) (.+) (\w+)$", asked):
            what = f"{match[1].lower()} {self.inside(match[3])} {match[2].lower()} {match[4].lower()}"
            return Phrase(noun=what, asks=True)
        if match := re.match(r"(How|Why|When|Where) Do (.+)$", asked):
            return Phrase(noun=f"{match[1].lower()} {self.inside(match[2])}", asks=True)
        return Phrase(noun=f"the answer to “{text}”", asks=True)


def _long_names(reading: Iterable[Chapter]) -> Iterator[str]:
    """Yield names of several ordinary words, as running text has them: *Small Business Administration*."""
    for chapter in reading:
        for sentence in _SENTENCE.split(chapter.summary):
            yield from re.findall(r"(?<=[a-z,] )(?:[A-Z][a-z]+ )+[A-Z][a-z]+", sentence)


def _sort_by_case(found: Iterable[str], lower: set[str], upper: set[str]) -> None:
    """Add words to the set of those with a small or of those with a capital first letter."""
    for word in found:
        (lower if word[0].islower() else upper).add(word)


def _bases(base: str, rest: str) -> str:
    """Return a verb phrase with all verbs in base form (*define and prioritize stakeholders*), or nothing."""
    text = f"{base} {rest}"
    text = re.sub(r"(?<=[,;] )(?:and )?(\w+ing)\b", _base_of, text)
    text = re.sub(r"\b(?:and|or) (\w+ing)\b", _base_of, text)
    return "" if re.search(r"(?:,|\band|\bor) \w+ing\b", text) else text


def _base_of(match: re.Match[str]) -> str:
    word = match[1]
    base = _GERUNDS.get(word) or (f"{word[:-3]}e" if word.endswith("izing") else word)
    return match[0].replace(word, base)


def is_plural(noun: str) -> bool:
    """Return whether a noun phrase names more than one thing."""
    bare = re.sub(r"\s*\([^()]*\)", "", noun)
    before = re.split(_AFTER_HEAD, bare, maxsplit=1)[0]
    return " and " in before or (before.endswith("s") and not before.endswith(("ss", "us", "is", "series")))


_AFTER_HEAD = r"\s(?:of|in|for|with|from|to|on|by|under|between|as|versus|using)\s"
_NEEDS_THE = vocabulary(
    """
    method model approach principle theorem rule equation process cycle system test distribution
    curve theory frontier timing law hypothesis formula procedure framework algorithm limit constraint
    multiplier problem empire republic revolution war era age balance sheet statement effect market
    perspective
    """
)
_DETERMINERS = vocabulary(
    """
    the a an another its their your our this that these those some all any what how why one two
    """
)


def _with_article(noun: str) -> str:
    """Return a noun phrase with the article that a heading leaves out: *the net present value method*."""
    first = noun.split(" ", 1)[0]
    bare = re.sub(r"\s*\([^()]*\)", "", noun)
    if (
        first.casefold() in _DETERMINERS
        or " and " in bare
        or "," in bare
        or re.search(r"\d|’s\b|'s\b", first)
    ):
        return noun
    before = re.split(_AFTER_HEAD, bare, maxsplit=1)[0]
    head = before.split(" ")[-1].casefold()
    singular = not head.endswith("s") or head.endswith(("ss", "us", "is"))
    of_one = " of " in bare and bare.split(" of ", 1)[0] == before and singular
    return f"the {noun}" if head in _NEEDS_THE or (of_one and not head.endswith("ing")) else noun
