"""Whether a task is tried again: a table."""

import pytest

from pipeline.errors import (
    AuthorInvalidOutput,
    AuthorMisconfigured,
    AuthorUnavailable,
    CourseError,
    InternalError,
    NoRelevantBooks,
)
from pipeline.retry import POLICIES, Again, GiveUp, decide


@pytest.mark.parametrize(
    ("error", "attempt", "jitter", "wait_s"),
    [
        (AuthorUnavailable("away"), 1, 0.0, 0.25),
        (AuthorUnavailable("away"), 1, 1.0, 0.5),
        (AuthorUnavailable("away"), 3, 1.0, 2.0),
        (AuthorUnavailable("busy", retry_after_s=7), 1, 0.0, 7.0),
        (AuthorUnavailable("busy", retry_after_s=7), 1, 1.0, 7.7),
        (AuthorInvalidOutput("odd"), 4, 1.0, 4.0),
        (InternalError("bug"), 1, 1.0, 0.5),
        (AuthorUnavailable("away"), 5, 1.0, None),
        (InternalError("bug"), 2, 1.0, None),
        (NoRelevantBooks("none"), 1, 1.0, None),
        (AuthorMisconfigured("key"), 1, 1.0, None),
    ],
)
def test_decision(error: CourseError, attempt: int, jitter: float, wait_s: float | None) -> None:
    decision = decide("parts", error, attempt, jitter=jitter)
    if wait_s is None:
        assert decision == GiveUp(error)
    else:
        assert isinstance(decision, Again)
        assert decision.wait_s == pytest.approx(wait_s)


def test_waits_are_bounded() -> None:
    for verb, policy in POLICIES.items():
        decision = decide(verb, AuthorUnavailable("away"), policy.attempts - 1, jitter=1.0)
        assert isinstance(decision, Again)
        assert decision.wait_s <= policy.longest_wait_s
