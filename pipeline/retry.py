"""Whether a failed task is tried again: a pure function of (error, attempt)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.errors import AuthorInvalidOutput, CourseError, InternalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How often and how far apart the tries of one task are, within one run.

    Attempts count from 1. The wait before attempt ``n + 1`` is ``first_wait_s * 2**(n - 1)``, at most
    ``longest_wait_s``; jitter draws it from the upper half of that, so that a thousand courses that failed
    together do not come back together. No attempt begins later than ``deadline_s`` after the first.
    """

    attempts: int
    deadline_s: float
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Again:
    """Try the task again after ``wait_s`` seconds."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The course fails with this error."""

    error: CourseError


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "embed": Policy(attempts=5, deadline_s=120),
        "search": Policy(attempts=5, deadline_s=120),
        "parts": Policy(attempts=5, deadline_s=900),
        "sections": Policy(attempts=5, deadline_s=1_200),
        "review": Policy(attempts=4, deadline_s=600),
        "store": Policy(attempts=5, deadline_s=120),
    }
)
_ATTEMPTS_AFTER_A_BUG = 2  # it seldom goes away by itself, but a lost race does
_ATTEMPTS_WITH_BAD_ANSWERS = 2  # an author asks again by itself within each


def decide(
    verb: str, error: CourseError, attempt: int, *, jitter: float, elapsed_s: float = 0.0
) -> Again | GiveUp:
    """Return what to do after attempt number `attempt` of a task failed with `error`.

    Args:
        verb: the task's verb, a key of ``POLICIES``.
        error: what it raised.
        attempt: the attempt that failed, from 1.
        jitter: a random number, 0 to 1, from the caller: the function itself is pure.
        elapsed_s: time since the task's first attempt began, in seconds.
    """
    policy = POLICIES[verb]
    if not error.retryable or attempt >= min(policy.attempts, _most_attempts(error)):
        return GiveUp(error)
    wait_s = min(policy.longest_wait_s, policy.first_wait_s * 2 ** (attempt - 1))
    wait_s *= 0.5 + 0.5 * jitter
    if error.retry_after_s is not None:
        # What the other side asked for, plus jitter so that all do not obey at the same instant.
        wait_s = max(wait_s, error.retry_after_s * (1 + 0.1 * jitter))
    return GiveUp(error) if elapsed_s + wait_s > policy.deadline_s else Again(wait_s)


def _most_attempts(error: CourseError) -> float:
    if isinstance(error, InternalError):
        return _ATTEMPTS_AFTER_A_BUG
    return _ATTEMPTS_WITH_BAD_ANSWERS if isinstance(error, AuthorInvalidOutput) else math.inf
