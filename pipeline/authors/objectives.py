"""What a learner can do after a section: measurable statements that begin with a verb of Bloom's taxonomy.

The verb follows from what the cited heading names (a quantity, a method, code, something to do, a question),
from its subject and from the depth asked for; the object is the heading or a key concept in its own words.
The sentences are in :mod:`pipeline.authors.frames`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.authors.asked import is_direct, own_question, questions_in
from pipeline.authors.concepts import as_written, concepts_in
from pipeline.authors.frames import (
    AGAIN,
    ANSWER,
    ANSWER_AGAIN,
    BEARS,
    CLAUSE,
    CODE_SUBJECTS,
    COUNTED_SUBJECTS,
    MEASURABLE,
    OTHERS_DO,
    PAIR,
    SPARE,
    SUBJECT_KINDS,
    TASK,
    TASK_OF_OTHERS,
    TASK_TOLD,
    TERMS,
    Frames,
    Kind,
)
from pipeline.authors.phrases import Phrase, is_plural
from pipeline.authors.planning import Plan, PlannedSection
from pipeline.authors.relevance import Unit
from pipeline.authors.titles import clean, is_order, listed, quoted, shorten
from pipeline.authors.words import stems
from pipeline.outline import Depth

MAX_OBJECTIVE = 220
MOST_TERMS = 3
LEAST = 2
"""Objectives of a section: what fits any reading comes in only below that."""

_QUANTITY = re.compile(
    r"""\b(?:ratios?|(?:net\ )?present\ value|future\ value|expected\ value|rates?\ of\ return
        |effective\ rates?|mean|median|standard\ deviation|variances?|probabilit(?:y|ies)|elasticity|margin
        |payback|coefficients?
        |amortization|depreciation|cost\ of\ capital|intervals?|annuit(?:y|ies)|perpetuit(?:y|ies)
        |break-even\ point|derivatives?|integrals?|determinants?|unit\ costs?|overhead\ rate
        |cost\ of\ goods\ sold|(?:simple|compound)\ interest|percentiles?|slopes?|areas?|volumes?|velocity
        |acceleration|momentum|averages?|payments?|measures\ of\ (?:center|spread|position))$""",
    re.VERBOSE,
)
_METHOD = re.compile(
    r"\b(?:methods?|models?|tests?|testing|techniques?|procedures?|algorithms?|approach(?:es)?|analysis|analyses|theorems?"
    r"|rules?|formulas?|strateg(?:y|ies)|frameworks?|equations?|principles?|classification|clustering|regression"
    r"|distributions?|sampling|matrix|matrices)$"
)
_ABOUT = re.compile(
    r"^(?:the )?(?:risks?|roles?|importance|characteristics|types|history|applications|causes|effects)\b"
)
_AFTER = re.compile(r"\s(?:in|for|with|from|to|on|by|under|between|needed|used|based|using)\s")
_CONTRAST = re.compile(r"^(?!now )(.+?) (?:versus|vs\.?) (.+)$")


def kind_of(noun: str, unit: Unit) -> Kind:
    """Return what the noun phrase of a heading names, or else how its subject is worked with."""
    subjects = {word for subject in unit.chapter.book.subjects for word in subject.casefold().split()}
    bare = re.sub(r"\s*\([^()]*\)", "", noun)
    if _CONTRAST.match(bare):
        return Kind.CONTRAST
    bare = _AFTER.split(bare, maxsplit=1)[0]
    if subjects & COUNTED_SUBJECTS and _QUANTITY.search(bare) and not _ABOUT.match(bare):
        return Kind.QUANTITY
    if _METHOD.search(bare) and not _ABOUT.match(bare):
        return Kind.METHOD
    if subjects & CODE_SUBJECTS:
        return Kind.CODE
    return next((kind for words, kind in SUBJECT_KINDS if subjects & words), Kind.MATTER)


def objectives(plan: Plan, section: PlannedSection, subject: str, frames: Frames) -> tuple[str, ...]:
    """Return two to four objectives of a section.

    Args:
        plan: the whole plan.
        section: the section.
        subject: the course's title.
        frames: the sentences that earlier sections of this course have used.
    """
    wanted = 2 if section.minutes <= 15 else 4 if section.minutes >= 45 or len(section.items) >= 4 else 3
    units = [item.unit for item in section.items]
    phrases = [plan.casing.phrase(unit.heading) for unit in units]
    kept: dict[str, str] = {}
    if all(item.again for item in section.items):
        _keep(kept, _again(units, phrases, frames), wanted)
    else:
        writer = _Writer(plan, units, phrases, subject, frames)
        _keep(kept, writer.telling(), wanted)
        _keep(kept, writer.spare(), LEAST)
    return tuple(kept.values())


def _keep(kept: dict[str, str], made: Iterator[str], wanted: int) -> None:
    """Add statements, each once, until there are `wanted`; no more are made than that."""
    while len(kept) < wanted and (text := next(made, None)) is not None:
        statement = shorten(text[:1].upper() + text[1:], MAX_OBJECTIVE)
        kept.setdefault(statement.casefold(), statement)


class _Writer:
    """Writes the objectives of one section."""

    def __init__(
        self, plan: Plan, units: Sequence[Unit], phrases: Sequence[Phrase], subject: str, frames: Frames
    ) -> None:
        self._plan = plan
        self._depth = plan.wishes.depth
        self._units = units
        self._phrases = phrases
        self._subject = subject
        self._frames = frames

    def telling(self) -> Iterator[str]:
        """Yield objectives, most telling first: the learner's own question, what the best heading has one do,
        what people ask, concepts, other headings, what connects them.
        """
        ranked = sorted(range(len(self._units)), key=lambda i: (-self._units[i].relevance, i))
        lead = sorted(ranked[:2])
        first = self._phrases[lead[0]]
        asked = questions_in(self._units)
        if self._is_best and (own := own_question(self._plan.brief.query)):
            yield self._of_question(own)
        told = lead[0] if not asked or self._is_done(lead[0]) else None
        if told is not None:
            yield self._of_heading(told)
        if self._plan.wishes.practical:
            yield self._practice(lead[0])
        yield from map(self._of_question, asked[:1])
        if terms := concepts_in(self._units):
            yield self._of_terms(terms, first)
        for i in (*lead, *ranked[2:]):
            if i != told:
                yield self._of_heading(i)
        nouns = [p.noun for p in (self._phrases[i] for i in sorted(ranked[:3])) if _stands_in_a_pair(p)]
        if len(nouns) > 1:
            yield _filled(self._frames.pick(PAIR[self._depth]), nouns[0], nouns[1])

    @property
    def _is_best(self) -> bool:
        """Return whether the reading that answers the query best is in this section, for the first time."""
        best = max((item.unit for part in self._plan.parts for item in part.items), key=lambda u: u.relevance)
        return best in self._units

    def _is_done(self, i: int) -> bool:
        """Return whether a heading names something to do, or to work out."""
        phrase = self._phrases[i]
        worked = kind_of(phrase.noun, self._units[i]) in (Kind.QUANTITY, Kind.METHOD, Kind.PROBLEMS)
        return is_order(self._units[i].heading) or bool(phrase.task) or worked

    def spare(self) -> Iterator[str]:
        """Yield what can be asked about any reading."""
        best = max(range(len(self._units)), key=lambda i: (self._units[i].relevance, -i))
        first = self._phrases[best]
        yield self._spare(first)
        plural = is_plural(first.noun) and not first.asks
        bears = "bear" if plural else "bears"
        yield f"{BEARS[self._depth]} {first.noun} {bears} on {quoted(self._subject)}"
        yield f"Summarize the main points about {first.noun} from memory"

    def _of_heading(self, i: int) -> str:
        unit, phrase, depth = self._units[i], self._phrases[i], self._depth
        if is_order(unit.heading) and depth is not Depth.OVERVIEW:
            return self._plan.casing.inside(clean(unit.heading))
        if phrase.task:
            return self._of_task(phrase, unit)
        if phrase.asks:
            return self._frames.pick(CLAUSE[depth]).format(phrase.noun)
        kind = kind_of(phrase.noun, unit)
        if kind is Kind.CONTRAST and (match := _CONTRAST.match(phrase.noun)):
            return f"Compare {match[1]} with {match[2]}"
        return _filled(self._frames.of_heading(depth, kind), phrase.noun)

    def _of_question(self, question: str) -> str:
        frames = ANSWER if is_direct(question) else CLAUSE
        return self._frames.pick(frames[self._depth]).format(question)

    def _of_task(self, phrase: Phrase, unit: Unit) -> str:
        told = TASK if phrase.task.split()[0] in MEASURABLE else TASK_TOLD
        if kind_of(phrase.noun, unit) in OTHERS_DO:
            told = TASK_OF_OTHERS
        return self._frames.pick(told.get(self._depth, TASK[self._depth])).format(phrase.task)

    def _of_terms(self, terms: Sequence[str], about: Phrase) -> str:
        names = [quoted(as_written(term, self._plan.casing)) for term in terms[:MOST_TERMS]]
        says_it_all = all(stems(term) <= stems(about.noun) for term in terms[:MOST_TERMS])
        alone = about.asks or about.task or says_it_all
        text = self._frames.pick([f for f in TERMS[self._depth] if not alone or "{1}" not in f])
        one = len(names) == 1
        text = text.format(listed(names), about.noun, s="s" if one and not is_plural(terms[0]) else "")
        return text.replace(" of each", "").replace(" each ", " ") if one else text

    def _practice(self, i: int) -> str:
        unit, phrase = self._units[i], self._phrases[i]
        if phrase.task:
            return f"Demonstrate on a case of your own how to {phrase.task}"
        if phrase.asks:
            return f"Demonstrate {phrase.noun}"
        if kind_of(phrase.noun, unit) is Kind.CODE:
            return f"Build a small project of your own that uses {phrase.noun}"
        return f"Apply {phrase.noun} in a small project of your own"

    def _spare(self, phrase: Phrase) -> str:
        if phrase.task:
            return f"Describe a case in which it matters to {phrase.task}"
        return self._frames.pick(SPARE[self._depth]).format(phrase.noun)


def _stands_in_a_pair(phrase: Phrase) -> bool:
    return not (phrase.asks or phrase.task or " and " in phrase.noun or "," in phrase.noun)


def _filled(template: str, noun: str, *others: str) -> str:
    """Return `template` with a noun phrase in it and the words that have to agree with it."""
    plural = is_plural(noun)
    return template.format(
        noun,
        *others,
        it="them" if plural else "it",
        it_tells="they tell" if plural else "it tells",
        s="" if plural else "s",
        changes="change" if plural else "changes",
        gives="give" if plural else "gives",
        **{"is": "are" if plural else "is"},
    )


def _again(units: Sequence[Unit], phrases: Sequence[Phrase], frames: Frames) -> Iterator[str]:
    yield from (ANSWER_AGAIN.format(asked) for asked in questions_in(units) if is_direct(asked))
    for _ in range(len(AGAIN)):
        for phrase in phrases:
            yield frames.pick(AGAIN).format(phrase.noun)
