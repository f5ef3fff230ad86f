"""What a model is asked to answer: wire models, their JSON schemas, and the repairs that code can make.

A wire model has no defaults, as strict JSON schemas demand. What differs from call to call (how many items a
list may have, which ids may be chosen) is in :class:`Terms`: :func:`schema` writes it into the JSON schema,
and validation holds an answer to it whether or not the server enforced the schema.

Odd things on purpose:

* Lengths of texts are in the descriptions only: servers differ in whether they accept ``maxLength``.
* Validation mends what needs no judgement (surplus items, numbers out of range, over-long texts, a bare
  string where an object was asked for) and says so in ``Terms.repairs``. The rest is an error, which the
  model is told.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

BLOOM_LEVELS = ("remember", "understand", "apply", "analyze", "evaluate", "create")
"""Anderson and Krathwohl (2001)."""
LARGEST_WEIGHT = 10
LOOKED_AT = 4  # times its limit: what of an over-long text is looked at, so that a huge one costs no time


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one answer must keep to, by field name; and what had to be mended in it."""

    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """The least and the largest number of items of a list."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values a text may have."""
    tolerated: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Where validation takes more, or fewer, than the schema asks for."""
    repairs: list[str] = field(default_factory=list)

    def mended(self, sentence: str) -> None:
        """Note a repair, once."""
        if sentence not in self.repairs:
            self.repairs.append(sentence)


def _terms(info: ValidationInfo) -> Terms:
    return cast(Terms, info.context)


def clean(text: str) -> str:
    """Return `text` as one line without control characters and lone surrogates: what a database can keep."""
    if text.isprintable():  # nearly always: the rest is slow
        return " ".join(text.split())
    kept = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    return " ".join("".join(kept).split())


def shortened(text: str, most: int) -> str:
    """Return `text` cut at a word to at most `most` characters, an ellipsis among them."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head).rstrip(" ,;:–—-") + "…"


def _tidy(most: int, *, least: int = 1) -> AfterValidator:
    """Return what makes a text one of `least` to `most` characters."""

    def tidy(value: str, info: ValidationInfo) -> str:
        text = clean(value[: LOOKED_AT * most])
        if len(text) < least:
            raise ValueError("must not be empty")
        if len(text) > most or len(value) > LOOKED_AT * most:
            _terms(info).mended("Over-long texts were cut.")
        return shortened(text, most)

    return AfterValidator(tidy)


def _weight(value: Any, info: ValidationInfo) -> int:
    """Return a whole number in range, whatever a model calls a weight."""
    try:
        number = round(float(value))
    except (TypeError, ValueError, OverflowError):
        number = 0
    weight = min(LARGEST_WEIGHT, max(1, number))
    if weight != value:
        _terms(info).mended("Weights that were no whole numbers from 1 to 10 were replaced.")
    return weight


def _position(value: Any) -> int:
    """Return a position, 0 for what is none: whoever reads it ignores positions that do not exist."""
    return value if isinstance(value, int) else 0


def _level(value: Any, info: ValidationInfo) -> Any:
    level = value.strip().lower() if isinstance(value, str) else value
    if level in BLOOM_LEVELS:
        return level
    _terms(info).mended("Objectives without a known level were taken to be about understanding.")
    return "understand"


Title = Annotated[str, _tidy(120)]
Sentences = Annotated[str, _tidy(700)]
Sentence = Annotated[str, _tidy(300)]
Reason = Annotated[str, _tidy(300, least=0)]
Weight = Annotated[int, Field(ge=1, le=LARGEST_WEIGHT), BeforeValidator(_weight)]
Position = Annotated[int, BeforeValidator(_position)]
Level = Annotated[
    Literal["remember", "understand", "apply", "analyze", "evaluate", "create"], BeforeValidator(_level)
]


class Wire(BaseModel):
    """Base of what a model answers: every field required, unknown ones ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _within_terms(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Hold a field to the terms: surplus items go unseen, missing ones are an error."""
        name, terms = str(info.field_name), _terms(info)
        if name in terms.counts and isinstance(value, list):
            least, most = terms.tolerated.get(name, terms.counts[name])
            if len(value) > most:
                terms.mended(f"Surplus {name} were left out.")
            value = value[:most]
            if len(value) < least:
                raise ValueError(f"must have at least {least} items, and has {len(value)}")
        valid = handler(value)
        if name in terms.choices and valid not in terms.choices[name]:
            raise ValueError(f"{shortened(str(valid), 80)!r} is not one of the ids to choose from")
        return valid


class WirePart(Wire):
    """A part of the course."""

    title: Title
    """What the part is about. At most 120 characters."""
    why: Sentences
    """Why a learner needs it at this place, in one or two sentences. At most 700 characters."""
    weight: Weight
    """Length relative to the other parts."""


class PartsAnswer(Wire):
    """The parts of a course, in the order they are studied."""

    parts: list[WirePart]


class WireObjective(Wire):
    """What a learner can do afterwards."""

    level: Level
    """Level of Bloom's revised taxonomy."""
    objective: Sentence
    """Begins with a verb whose doing can be seen: compute, compare, explain. At most 300 characters."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"objective": value, "level": "understand"} if isinstance(value, str) else value


class WireSource(Wire):
    """A place in the library."""

    source: str
    """An id of the library, exactly as it stands there."""
    why: Reason
    """What the learner finds there for this section, in one sentence. At most 300 characters."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"source": value, "why": ""} if isinstance(value, str) else value


class WireSection(Wire):
    """What is studied in one sitting."""

    title: Title
    """Not the title of another section. At most 120 characters."""
    summary: Sentences
    """What is studied, in two or three sentences. At most 700 characters."""
    objectives: list[WireObjective]
    builds_on: list[Position]
    """Which earlier sections of this answer it needs: 1 for the first. Empty where none."""
    sources: list[WireSource]
    """What to read, the most useful first."""
    weight: Weight
    """Length relative to the other sections."""


class SectionsAnswer(Wire):
    """The sections of one part, in the order they are studied."""

    sections: list[WireSection]


class WireRename(Wire):
    """A better title and summary for a section."""

    section: str
    """The number of the section, such as 2.1."""
    title: Title
    """At most 120 characters."""
    summary: Sentences
    """At most 700 characters."""


class ReviewAnswer(Wire):
    """An editor's verdict on the outline."""

    title: Title
    """Title of the whole course: short, about its topic. At most 120 characters."""
    notes: list[Sentence]
    """What is weak about the outline, a sentence each. Empty where nothing is."""
    renamed: list[WireRename]
    """Only sections whose title is unclear, misleading or like another's. Usually none."""


# --- schemas ------------------------------------------------------------------------------------------


def schema(answer: type[Wire], terms: Terms) -> dict[str, Any]:
    """Return the strict JSON schema of an answer: no references, every field required, terms included."""
    plain = _plain(answer)
    strict: dict[str, Any] = _strict(plain, plain.get("$defs", {}), terms)
    return strict


@cache
def _plain(answer: type[Wire]) -> dict[str, Any]:
    return answer.model_json_schema()


def _strict(node: Mapping[str, Any], definitions: Mapping[str, Any], terms: Terms, name: str = "") -> Any:
    if "$ref" in node:
        return _strict(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions, terms, name)
    kept = {key: node[key] for key in _KEPT if key in node}
    if "properties" in node:
        kept["properties"] = {
            key: _strict(inner, definitions, terms, key) for key, inner in node["properties"].items()
        }
        kept["required"] = list(node["properties"])
        kept["additionalProperties"] = False
    if "items" in node:
        kept["items"] = _strict(node["items"], definitions, terms)
    if name in terms.counts:
        kept["minItems"], kept["maxItems"] = terms.counts[name]
    if name in terms.choices:
        kept["enum"] = list(terms.choices[name])
    return kept


_KEPT = ("type", "description", "enum", "minimum", "maximum")
