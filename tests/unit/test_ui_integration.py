"""docs/ui-integration.md has everything: each example, each phase, each way in which something goes wrong."""

from __future__ import annotations

import re
from typing import get_args

from pipeline import course_docs
from server.wire import PhaseName
from tests.processes import ROOT

EXAMPLES = ROOT / "docs/examples"
DOCUMENT = (ROOT / "docs/ui-integration.md").read_text("utf-8")
WORDS = (EXAMPLES / "words.js").read_text("utf-8")


def code(*houses: str) -> str:
    return "\n".join(path.read_text("utf-8") for house in houses for path in (ROOT / house).rglob("*.py"))


def words(table: str) -> set[str]:
    """Return the keys of a table in words.js."""
    body = re.search(rf"^const {table} = {{\n(.*?)^}};", WORDS, re.MULTILINE | re.DOTALL)
    assert body
    return set(re.findall(r"^  (\w+):", body[1], re.MULTILINE))


def rows(section: str) -> set[str]:
    """Return the codes in the first column of the table of a section."""
    text = DOCUMENT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| \d{3} `(\w+)` \|", text, re.MULTILINE))


def test_the_document_shows_every_example() -> None:
    shown = re.findall(r"<!-- begin: docs/examples/(\S+) -->", DOCUMENT)
    assert sorted(shown) == sorted(path.name for path in EXAMPLES.iterdir())


def test_there_are_words_for_every_phase_and_every_reason_to_stop() -> None:
    assert words("PHASES") == set(get_args(PhaseName)) - {"error"}
    assert words("FAILURES") == set(re.findall(r"^\| `(\w+)` \| (?:yes|no)", course_docs.errors(), re.M))
    assert words("REFUSALS") - {"unreachable"} <= rows("When a request is refused")


def test_the_document_explains_every_refusal_and_none_that_is_not() -> None:
    refusals = set(re.findall(r"ApiError\(\s*\d{3},\s*\"(\w+)\"", code("server")))
    explained = rows("When a request is refused")
    assert refusals <= explained
    assert all(f'"{word}"' in code("server", "pipeline") for word in explained)
