"""The table of failures in docs/authors.md has the sentences and codes that the code has."""

import re
from pathlib import Path

from pipeline import errors, ledger
from pipeline.authors.openai import asking, failures, reply

TEXT = (Path(__file__).parent.parent.parent / "docs/authors.md").read_text("utf-8")
TABLE = TEXT.partition("## Failures")[2].partition("## Spend")[0]


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


def test_every_sentence_is_told_as_the_code_tells_it() -> None:
    ours = {value for name, value in vars(failures).items() if name.isupper() and isinstance(value, str)}
    ours |= {asking.UNUSABLE, reply.TOO_MUCH, reply.CUT_OFF, ledger.SPENT}
    assert {row[3] for row in rows()} == ours


def test_every_code_exists() -> None:
    known = {error.code for error in vars(errors).values() if hasattr(error, "code")}
    codes = {re.sub("`", "", row[1]) for row in rows()}
    assert codes <= known
    assert {"author_misconfigured", "author_refused", "author_unavailable", "author_invalid_output"} <= codes
