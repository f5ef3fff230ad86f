"""Whether a failed task is tried again: a pure function of (error, attempt)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.errors import CourseError, InternalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How often and how far apart the tries of one task are, within one run.

    Attempts count from 1. The wait before attempt ``n + 1`` is ``first_wait_s * 2**(n - 1)``, at most
    ``longest_wait_s``; jitter draws it from the upper half of that, so that a thousand courses that failed
    together do not come back together.
    """

    attempts: int
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
        "embed": Policy(attempts=5),
        "search": Policy(attempts=5),
        "parts": Policy(attempts=5),
        "sections": Policy(attempts=5),
        "review": Policy(attempts=4),
        "store": Policy(attempts=5),
    }
)
_BUG = Policy(attempts=2)  # a bug seldom goes away by itself, but a lost race does


def decide(verb: str, error: CourseError, attempt: int, *, jitter: float) -> Again | GiveUp:
    """Return what to do after attempt number `attempt` of a task failed with `error`.

    Args:
        verb: the task's verb, a key of ``POLICIES``.
        error: what it raised.
        attempt: the attempt that failed, from 1.
        jitter: a random number, 0 to 1, from the caller: the function itself is pure.
    """
    policy = _BUG if isinstance(error, InternalError) else POLICIES[verb]
    if not error.retryable or attempt >= policy.attempts:
        return GiveUp(error)
    wait_s = min(policy.longest_wait_s, policy.first_wait_s * 2 ** (attempt - 1))
    wait_s *= 0.5 + 0.5 * jitter
    if error.retry_after_s is not None:
        # What the other side asked for, plus jitter so that all do not obey at the same instant.
        wait_s = max(wait_s, error.retry_after_s * (1 + 0.1 * jitter))
    return Again(wait_s)
