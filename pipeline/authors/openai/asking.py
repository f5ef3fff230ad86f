"""Asking until the answer can be used: validated, mended, else asked again with what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import ValidationError

from pipeline.authors.openai.drafting import Drafting
from pipeline.authors.openai.endpoint import Endpoint, Request
from pipeline.authors.openai.prompts import Message, again
from pipeline.authors.openai.reply import objects_in
from pipeline.authors.openai.wire import Terms, Wire, schema, shortened
from pipeline.errors import AuthorInvalidOutput
from pipeline.ledger import Ledger

AGAIN_AT_MOST = 2
PROBLEMS_TOLD = 6

UNUSABLE = "The model's answer could not be used, also after asking again."

A = TypeVar("A", bound=Wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[A]):
    """What to ask, and what an answer has to look like."""

    course_id: str
    task: str
    name: str
    answer: type[A]
    terms: Terms
    messages: Sequence[Message]
    ledger: Ledger


class Unusable(Exception):
    """An answer that is not of the form asked for; the message tells the model why."""


async def ask(endpoint: Endpoint, question: Question[A], drafts: Drafting | None = None) -> A:
    """Return the answer to `question`, asked again at most AGAIN_AT_MOST times; book what had to be mended.

    Raises:
        AuthorInvalidOutput: no answer could be used.
        AuthorUnavailable, AuthorRefused, AuthorMisconfigured, BudgetExceeded: as the endpoint says.
    """
    request = Request(
        course_id=question.course_id,
        task=question.task,
        name=question.name,
        schema=schema(question.answer, question.terms),
        messages=question.messages,
        ledger=question.ledger,
    )
    problem: Unusable | None = None
    for tries in range(1 + AGAIN_AT_MOST):
        said = await endpoint.complete(request, drafts)
        try:
            answer, repairs = read(question.answer, question.terms, said.text)
        except Unusable as error:
            problem = error
            endpoint.disappointed()
            request = replace(request, messages=again(question.messages, said.text, str(error)))
        else:
            if tries:
                repairs = (
                    *repairs,
                    "The model was asked again, because its first answer had the wrong form.",
                )
            question.ledger.mended(question.task, repairs)
            return answer
    raise AuthorInvalidOutput(UNUSABLE) from problem


def read(answer: type[A], terms: Terms, text: str) -> tuple[A, tuple[str, ...]]:
    """Return the answer in a text, and what was mended in it.

    Raises:
        Unusable: there is none of this form.
    """
    problem = "There is no JSON object in it." if text.strip() else "It is empty."
    for found in objects_in(text):
        held = replace(terms, repairs=[])
        try:
            return answer.model_validate(found, context=held), tuple(held.repairs)
        except ValidationError as error:
            problem = _told(error)
    raise Unusable(problem)


def _told(error: ValidationError) -> str:
    """Return what is wrong in lines that a model can follow; nothing of its input but a field's name."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        f"- {'.'.join(map(str, found['loc'])) or 'the answer'}: {shortened(found['msg'], 200)}"
        for found in problems[:PROBLEMS_TOLD]
    ]
    left = len(problems) - len(lines)
    return "\n".join([*lines, f"- and {left} more"] if left else lines)
