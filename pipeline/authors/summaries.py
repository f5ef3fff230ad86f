"""What a section covers, in one to three sentences, and what its minutes are for.

Each sentence of a chapter's summary in the catalogue is told once in a course, in the section that it fits
best; the rest is said with headings alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import permutations

from pipeline.authors.asked import is_direct, questions_in
from pipeline.authors.concepts import as_written, concepts_in
from pipeline.authors.planning import Plan, PlannedSection
from pipeline.authors.relevance import Unit, said_by_section
from pipeline.authors.titles import clean, listed, plain, quoted, shorten
from pipeline.authors.wishes import Flavour, Wishes
from pipeline.authors.words import stems, vocabulary
from pipeline.outline import Chapter

MAX_SUMMARY = 700
NOTABLE_PRACTICE_MINUTES = 8
MOST_OF_A_CHAPTER = 0.6
WHOLE = 0.5
TIE = 0.1  # what a section's relevance counts where sentences fit equally well
MOST_PLACES = 12
MOST_TERMS = 4
MOST_QUESTIONS = 2
LISTING = 4  # pieces: a sentence that goes through a chapter
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"])")
_PIECE = re.compile(r"[;,]\s+(?:and\s+|or\s+)?")
_LEAD = re.compile(r"^(?:and|or)\s+")
_ASKS = re.compile(r"^(?:how|why|what|when|where|whether)\b")
_DEPENDS = re.compile(
    r"^(?:then|also|so|but|before|after|with|without|from|to|in|on|at|by|for|as|that|such|including|and|or)\b"
    r"|^(?:[a-z]+ed|along|alone|plus|its|where)\b|\b(?:it|they|them|this|these)\b"
    r"|^(?:adds|answers|applies|asks|begins|brings|builds|calculates|combines|compares|computes|considers|contrasts"
    r"|counts|covers|defines|describes|discusses|draws|ends|explains|extends|finds|finishes|gives|hears|helps|implements"
    r"|introduces|lets|lists|looks|makes|manages|meets|moves|offers|organizes|predicts|presents|previews|puts|raises"
    r"|reads|returns|reviews|sets|shows|solves|sorts|takes|tells|tests|tracks|traces|tries|turns|uses|walks|warns"
    r"|weighs|works)\b"
    r"|^[a-z]+(?<![su])s (?:the|a|an|how|why|what|which|both|each|his|her|their|its|up|into|on)\b"
)
"""Pieces that need the sentence they were cut from: half clauses, and verbs whose subject is the chapter."""
_INCLUDES = "This includes "
_OPENERS = ("Covers", "Works through", "Takes up", "Deals with")


def contexts(plan: Plan) -> dict[int, str]:
    """Return, by number of section in the course, the sentence of a chapter's summary that falls to it."""
    sections = [section for part in plan.parts for section in part.sections]
    of_chapter: dict[tuple[str, int], list[int]] = defaultdict(list)
    for at, section in enumerate(sections):
        lead = max(section.items, key=lambda item: item.unit.minutes)
        if not lead.again:
            of_chapter[lead.unit.place[:2]].append(at)
    told: dict[int, str] = {}
    for key, places in of_chapter.items():
        own = {at: [item.unit for item in sections[at].items if item.unit.place[:2] == key] for at in places}
        chapter = own[places[0]][0].chapter
        told |= _assigned(chapter, own)
        for at, units in own.items():
            if len(units) >= MOST_OF_A_CHAPTER * len(chapter.sections):
                continue
            if piece := _pieces(chapter, units):
                told[at] = piece
            elif len(_PIECE.split(told.get(at, ""))) >= LISTING:
                del told[at]  # it lists what is not read here
    return told


def _pieces(chapter: Chapter, units: Sequence[Unit]) -> str:
    """Return what a chapter's summary lists about some of its sections and about no other; empty: nothing.

    *Greece and Rome: the Greek city-state, the Roman Republic and its internal struggles, …* says of the
    section *The Roman Republic* that it includes its internal struggles.
    """
    cited = {unit.index for unit in units}
    headings = [stems(section.title) for section in chapter.sections]
    own: list[str] = []
    for sentence in _SENTENCE.split(plain(chapter.summary)):
        listing = sentence.rstrip(".").partition(": ")[2] or sentence.rstrip(".").partition(", ")[2]
        pieces = [_LEAD.sub("", piece).strip() for piece in _PIECE.split(listing)]
        for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
            said = stems(piece)
            fits = [len(said & heading) for heading in headings]
            best = max(fits, default=0)
            nearest = {i for i, fit in enumerate(fits) if fit == best}
            own_words = said - frozenset().union(*(headings[i] for i in nearest))
            whole = not _DEPENDS.search(piece) and not (_ASKS.match(piece) and _DEPENDS.match(following))
            if best and nearest <= cited and own_words and whole:
                own.append(piece)
    if not own:
        return ""
    asking = [piece for piece in own if _ASKS.match(piece)]
    if asking:
        return f"It tells {listed(asking[:2])}."
    return f"{_INCLUDES}{listed(own[:3])}."


def _assigned(chapter: Chapter, units_at: dict[int, list[Unit]]) -> dict[int, str]:
    """Give each sentence of a chapter's summary to one section, so that together they fit best."""
    read = {unit.index for units in units_at.values() for unit in units}
    sentences = [
        sentence
        for sentence in _SENTENCE.split(plain(chapter.summary))
        if sentence and not _is_of_another(sentence, chapter, read)
    ]
    places = list(units_at)
    named = [frozenset().union(*(unit.stems for unit in units_at[at])) for at in places]
    fits = [[_fit(stems(sentence), named, i) for i in range(len(places))] for sentence in sentences]
    for i, at in enumerate(places):
        units = units_at[at]
        for row in fits:
            if not row[i] and len(units) >= MOST_OF_A_CHAPTER * len(chapter.sections):
                row[i] = WHOLE  # it is about the chapter, and so is the section
            row[i] += TIE * max(unit.relevance for unit in units) if row[i] else 0.0
    spots = [*range(len(places)), *([-1] * len(sentences))]  # -1: told nowhere
    best = max(
        dict.fromkeys(permutations(spots[-MOST_PLACES:], len(sentences))),
        key=lambda way: sum(row[i] for row, i in zip(fits, way, strict=True) if i >= 0),
        default=(),
    )
    return {
        places[i]: _standing_alone(sentence)
        for sentence, row, i in zip(sentences, fits, best, strict=True)
        if i >= 0 and row[i]
    }


def _is_of_another(sentence: str, chapter: Chapter, read: AbstractSet[int]) -> bool:
    """Return whether some piece of a sentence tells of a section that is not read, by that section's heading,
    its key concepts and the questions that it answers.
    """
    said = said_by_section(chapter)
    shared = Counter(word for words in said.values() for word in words)
    for piece in _PIECE.split(sentence):
        fits = {i: sum(1 / shared[w] for w in stems(piece) & words) for i, words in said.items()}
        best = max(fits.values(), default=0.0)
        if best and all(fits[i] < best for i in read & fits.keys()):
            return True
    return False


def _fit(sentence: frozenset[str], named: Sequence[frozenset[str]], at: int) -> float:
    """Return how much a sentence names of a section's headings; what others name, too, counts less."""
    return sum(1 / sum(word in other for other in named) for word in sorted(sentence & named[at]))


def _standing_alone(sentence: str) -> str:
    """Return a sentence that leaned on the one before it, or spoke of the chapter's end, by itself."""
    sentence = re.sub(r"^(?:Also|Then|Finally,?)\s+(?=\S)", "", sentence)
    sentence = re.sub(r"^(?:Ends|Closes|Finishes|Concludes) with\b", "Includes", sentence)
    return sentence[:1].upper() + sentence[1:]


def content_summary(plan: Plan, section: PlannedSection, order: int, context: str) -> str:
    """Return what a section covers and how its minutes are meant, in one to three sentences.

    Args:
        plan: the whole plan.
        section: the section.
        order: its number in the course, from 0.
        context: the sentence of its chapter's summary that falls to it; empty where none does.
    """
    units = [item.unit for item in section.items]
    nouns = list(dict.fromkeys(plan.casing.phrase(unit.heading).noun for unit in units))
    sentences = []
    if all(item.again for item in section.items):
        sentences.append(f"Returns to {listed(nouns)}, read before, to practice without the text first.")
    else:
        openers = [opener for opener in _OPENERS if not context.startswith(opener)]
        opener = openers[order % len(openers)]
        more = context.removeprefix(_INCLUDES).rstrip(".")
        if len(units) == 1 and context.startswith(_INCLUDES) and units[0].stems <= stems(more):
            nouns, context = [more], ""  # it says the heading, and more
        sentences.append(f"{opener} {listed(nouns)}.")
        if stems(context) - stems(sentences[0]):
            sentences.append(context)
        elif asked := questions_in(units)[1:]:  # the first is an objective
            sentences.append(_answers(asked[:MOST_QUESTIONS]))
        elif terms := _new_terms(plan, units):
            some = "Its terms:" if len(terms) > 1 else "Its main term is"
            sentences.append(f"{some} {listed(terms[:MOST_TERMS])}.")
    if len(sentences) == 1 and len(units) == 1 and units[0].section:
        sentences.append(f"It is part of the chapter {quoted(clean(units[0].chapter.title))}.")
    sentences.append(_use_of_time(plan.wishes, section, units, order))
    return shorten(" ".join(filter(None, sentences)), MAX_SUMMARY)


def _answers(asked: Sequence[str]) -> str:
    """Return what people ask that is answered here: those that ask outright, or else those that do not."""
    direct = [question for question in asked if is_direct(question)]
    if direct:
        return f"It answers {listed([quoted(f'{question}?') for question in direct])}."
    return f"It tells {listed(list(asked))}."


def _new_terms(plan: Plan, units: Sequence[Unit]) -> list[str]:
    """Return the key concepts of what is read that its headings do not name, as they stand in a sentence."""
    said = frozenset().union(*(unit.stems for unit in units))
    return [quoted(as_written(term, plan.casing)) for term in concepts_in(units) if stems(term) - said]


def _use_of_time(wishes: Wishes, section: PlannedSection, units: Sequence[Unit], turn: int) -> str:
    reading = section.reading
    practice = section.minutes - reading
    if practice < -3:
        lead = max(units, key=lambda unit: unit.relevance)
        return (
            f"Reading all of it takes about {reading} minutes, more than this sitting has: "
            f"begin with {quoted(clean(lead.heading))}."
            if len(units) > 1
            else f"Reading all of it takes about {reading} minutes, more than this sitting has."
        )
    if practice < NOTABLE_PRACTICE_MINUTES and not wishes.practical:
        return ""
    rest = _activity(wishes, units, turn)
    return f"Reading takes about {reading} of the {section.minutes} minutes; the rest is for {rest}."


def _activity(wishes: Wishes, units: Sequence[Unit], turn: int) -> str:
    """Return what the minutes beside reading are for, in the learner's style and the subject's."""
    subjects = {word.casefold() for unit in units for s in unit.chapter.book.subjects for word in s.split()}
    if Flavour.RECALL in wishes.flavours:
        return "answering questions on it from memory"
    if Flavour.DISCUSSION in wishes.flavours:
        return "arguing its points for and against"
    if Flavour.PICTURES in wishes.flavours:
        return "drawing its ideas as a diagram of your own"
    if Flavour.EXAMPLES in wishes.flavours:
        return "finding examples of your own"
    if wishes.practical:
        return "a small project of your own" if subjects & _CODE else "working a case of your own"
    choices = next((said for words, said in _ACTIVITIES if subjects & words), _NOTES)
    return choices[turn % len(choices)]


_CODE = frozenset(["programming", "python", "rust", "javascript", "r", "git"])
_NOTES = ("notes in your own words", "retelling it from memory", "writing down what is still unclear")
_ACTIVITIES = (
    (_CODE, ("typing in its code and changing it", "a small program of your own")),
    (
        vocabulary("finance accounting statistics mathematics algebra physics chemistry"),
        ("working examples by hand", "a problem of your own", "redoing its examples from memory"),
    ),
    (
        frozenset(["writing", "composition"]),
        ("writing a page of your own with it", "revising a text of your own with it"),
    ),
)
