"""Valid instances of any JSON schema, made up deterministically: what the test model "writes".

The same schema, seed and vocabulary give the same instance. Values drawn from one ``enum`` do not repeat
within an answer while unused ones are left. Not supported: ``pattern``, ``not``, ``if``, tuples.
"""

from __future__ import annotations

import json
import math
import random
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEEPEST = 12
LONG_STRING = 4_000

_TITLES = (
    "Foundations of {a}",
    "Working with {a} and {b}",
    "From {a} to {b}",
    "Measuring {a}",
    "How {a} shapes {b}",
    "Reading {a} critically",
    "{a} in practice",
    "Comparing {a} with {b}",
)
_SENTENCES = (
    "It shows how {a} and {b} belong together.",
    "The learner meets {a} and sees what it says about {b}.",
    "It builds on {a} and prepares for {b}.",
    "It compares {a} with {b} on a worked case.",
)
_VERBS = ("Explain", "Compute", "Compare", "Apply", "Interpret", "Design", "Evaluate")
_PHRASE = re.compile(r"\b[A-Z][\w’]+(?:(?: (?:of|and|the|for|in|to))? [A-Z][\w’]+)+")
_COMMON = frozenset({"before", "answer", "course", "minutes", "should", "through", "because", "without"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What a careless model does to its answer."""

    repeat_choices: bool = False
    """Fill each list with one and the same ``enum`` value."""
    unknown_choices: bool = False
    """Invent values instead of choosing from an ``enum`` of strings."""
    surplus_items: bool = False
    """More items than ``maxItems``."""
    long_strings: bool = False
    odd_numbers: bool = False
    """Zero, negative numbers and numbers in quotes where integers are asked for."""


def vocabulary(text: str, *, most: int = 120) -> tuple[str, ...]:
    """Return what a text is about, each thing once, in order: its capitalised phrases, or longer words."""
    phrases = [phrase for phrase in _PHRASE.findall(text) if len(phrase) <= 40]
    words = [word for word in re.findall(r"[^\W\d_]{6,18}", text.lower()) if word not in _COMMON]
    found = tuple(dict.fromkeys(phrases if len(phrases) > 8 else words))
    return found[:most] or ("things", "matters")


def instance(schema: Mapping[str, Any], *, seed: str, words: Sequence[str], quirks: Quirks = Quirks()) -> Any:
    """Return a value that `schema` accepts (one that it may not, where `quirks` say so)."""
    return _Writer(schema, random.Random(seed), words, quirks).value(schema, name="", depth=0)


class _Writer:
    def __init__(
        self, root: Mapping[str, Any], rng: random.Random, words: Sequence[str], quirks: Quirks
    ) -> None:
        self._root = root
        self._rng = rng
        self._words = words
        self._quirks = quirks
        self._decks: dict[str, list[Any]] = {}
        self._texts: set[str] = set()

    def value(self, schema: Any, *, name: str, depth: int, taken: frozenset[str] = frozenset()) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], taken)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self.value(self._branch(schema[union], depth), name=name, depth=depth + 1, taken=taken)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        match kind:
            case "object":
                return self._object(schema, depth, taken)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return self._string(schema, name)
            case "integer" | "number":
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return self._rng.random() < 0.5
            case "null":
                return None
        return self._object(schema, depth, taken) if "properties" in schema else self._string(schema, name)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        if schema is True or schema == {}:
            return {"type": "string"}
        merged = dict(schema)
        while "$ref" in merged:
            target: Any = self._root
            for step in merged.pop("$ref").removeprefix("#").strip("/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")] if step else target
            merged = {**target, **merged}
        for piece in merged.pop("allOf", ()):
            merged = {**self._resolved(piece), **merged}
        return merged

    def _branch(self, branches: Sequence[Any], depth: int) -> Any:
        nothing = [b for b in branches if self._resolved(b).get("type") == "null"]
        if nothing and (depth >= DEEPEST or len(branches) == len(nothing)):
            return nothing[0]
        return self._rng.choice([b for b in branches if b not in nothing])

    def _choice(self, choices: Sequence[Any], taken: frozenset[str]) -> Any:
        if self._quirks.unknown_choices and all(isinstance(c, str) for c in choices):
            return f"invented/{self._rng.randrange(1000)}"
        if self._quirks.repeat_choices:
            return choices[0]
        deck = self._decks.setdefault(json.dumps(choices), [])
        free = [c for c in deck if json.dumps(c) not in taken]
        if not free:
            deck[:] = self._rng.sample(list(choices), len(choices))
            free = [c for c in deck if json.dumps(c) not in taken] or deck
        deck.remove(free[-1])
        return free[-1]

    def _object(self, schema: Mapping[str, Any], depth: int, taken: frozenset[str]) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties", {})
        required = schema.get("required", ())
        wanted = [p for p in properties if p in required or depth < 3]
        return {p: self.value(properties[p], name=p, depth=depth + 1, taken=taken) for p in wanted}

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        low = schema.get("minItems", 0)
        high = schema.get("maxItems", low + 3)
        if depth >= DEEPEST:
            high = low
        count = self._rng.randint(max(low, min(1, high)), max(low, min(high, low + 6)))
        if self._quirks.surplus_items and high > 1:
            count = high + 2
        items: list[Any] = []
        for _ in range(4 * count):
            taken = frozenset(_leaves(items))
            item = self.value(schema.get("items", {}), name=name, depth=depth + 1, taken=taken)
            if not (schema.get("uniqueItems") and item in items):
                items.append(item)
            if len(items) == count:
                break
        return items

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> Any:
        if self._quirks.odd_numbers:
            return self._rng.choice([0, -3, "4", 2.5, None])
        step = schema.get("multipleOf", 1 if whole else None)
        low, high = schema.get("minimum"), schema.get("maximum")
        nudge = step or 1e-6
        if "exclusiveMinimum" in schema:
            low = schema["exclusiveMinimum"] + nudge
        if "exclusiveMaximum" in schema:
            high = schema["exclusiveMaximum"] - nudge
        if low is None:
            low = 1 if high is None else high - 9
        if high is None:
            high = low + 9
        if step:
            first, last = math.ceil(low / step), math.floor(high / step)
            return self._rng.randint(first, max(first, last)) * step
        return self._rng.uniform(low, high)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        match schema.get("format"):
            case "date":
                return "2024-05-17"
            case "date-time":
                return "2024-05-17T09:30:00Z"
            case "uuid":
                return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
            case "email":
                return "learner@example.org"
            case "uri":
                return "https://example.org/"
        text = self._fresh(name)
        if self._quirks.long_strings:
            text = (text + " ") * (LONG_STRING // len(text))
        shortest = schema.get("minLength", 0)
        while len(text) < shortest:
            text = f"{text} {self._rng.choice(self._words)}"
        if not self._quirks.long_strings:
            text = text[: schema.get("maxLength", len(text))]
        return text

    def _fresh(self, name: str) -> str:
        """Return a text that this answer does not have yet, if a few tries find one."""
        text = self._text(name)
        for _ in range(8):
            if text not in self._texts:
                break
            text = self._text(name)
        self._texts.add(text)
        return text

    def _text(self, name: str) -> str:
        a, b = self._rng.choice(self._words), self._rng.choice(self._words)
        if "title" in name:
            made = self._rng.choice(_TITLES).format(a=a, b=b)
        elif "objective" in name:
            made = f"{self._rng.choice(_VERBS)} {a} with the help of {b}"
        elif any(hint in name for hint in ("summary", "why", "note", "description")):
            made = self._rng.choice(_SENTENCES).format(a=a, b=b)
        else:
            made = f"{a} and {b}"
        return made[0].upper() + made[1:]


def _leaves(value: Iterable[Any]) -> Iterator[str]:
    """Yield scalars of a list, as JSON."""
    for item in value:
        if isinstance(item, dict):
            yield from _leaves(item.values())
        elif isinstance(item, list):
            yield from _leaves(item)
        else:
            yield json.dumps(item)
