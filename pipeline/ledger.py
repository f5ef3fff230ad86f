"""A course's ledger: the tokens its model calls took, and what had to be mended in the answers.

An author books here while it works; the run writes what is new into the course row in the statement that
appends its next event, so the books are as durable as the log and cost no statement of their own. What a
run had booked since its last event is lost with it when it is killed or cancelled: calls of tasks that
never came to a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.errors import BudgetExceeded

SPENT = "The course would need more of the model's tokens than one course may spend here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What model calls took."""

    prompt: int = 0
    completion: int = 0
    calls: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together: what a limit counts."""
        return self.prompt + self.completion

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            calls=self.calls + other.calls,
        )

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(
            prompt=self.prompt - other.prompt,
            completion=self.completion - other.completion,
            calls=self.calls - other.calls,
        )


NO_TOKENS = Tokens()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookings:
    """What a course row holds of the ledger, or what is to be added to it."""

    tokens: Tokens = NO_TOKENS
    repairs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What had to be mended, by task: ``sections:2``."""


NOTHING = Bookings()


class Ledger:
    """The books of one run of a course, on top of what earlier runs have written.

    Args:
        before: what the course row holds.
        limit: most tokens the course may spend; None: any number.
    """

    def __init__(self, before: Bookings = NOTHING, *, limit: int | None = None) -> None:
        self._limit = limit
        self._tokens = before.tokens
        self._repairs = {task: tuple(said) for task, said in before.repairs.items()}
        self._written = before
        self._under_way = 0

    @property
    def tokens(self) -> Tokens:
        """All that the course has spent, in this run and before."""
        return self._tokens

    @property
    def repairs(self) -> tuple[str, ...]:
        """What had to be mended, each sentence once, in the order of the tasks' names."""
        by_task = (self._repairs[task] for task in sorted(self._repairs))
        return tuple(dict.fromkeys(sentence for sentences in by_task for sentence in sentences))

    @contextmanager
    def call(self, prompt_tokens: int) -> Iterator[None]:
        """Hold the place of a call's prompt in the budget while the call is under way.

        Calls of one course run at once: without this each would find the budget as it was before all of
        them. The answers are counted when they are there, so the last calls may still exceed it by those.

        Args:
            prompt_tokens: an estimate.

        Raises:
            BudgetExceeded: the prompt alone goes beyond what is left.
        """
        if self._limit is not None and self._tokens.total + self._under_way + prompt_tokens > self._limit:
            raise BudgetExceeded(SPENT)
        self._under_way += prompt_tokens
        try:
            yield
        finally:
            self._under_way -= prompt_tokens

    def spend(self, *, prompt: int, completion: int) -> None:
        """Book the tokens of one call."""
        self._tokens += Tokens(prompt=prompt, completion=completion, calls=1)

    def mended(self, task: str, repairs: Iterable[str]) -> None:
        """Book what had to be mended in the answer to a task, in place of an earlier answer's."""
        self._repairs[task] = tuple(repairs)

    def unwritten(self) -> Bookings:
        """Return what the course row does not have yet."""
        known = self._written.repairs
        return Bookings(
            tokens=self._tokens - self._written.tokens,
            repairs={
                task: said for task, said in self._repairs.items() if said != tuple(known.get(task, ()))
            },
        )

    def written(self, bookings: Bookings) -> None:
        """Note that `bookings` are on the course row now."""
        self._written = Bookings(
            tokens=self._written.tokens + bookings.tokens,
            repairs={**self._written.repairs, **bookings.repairs},
        )
