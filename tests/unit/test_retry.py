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
        (AuthorInvalidOutput("odd"), 1, 1.0, 0.5),
        (AuthorInvalidOutput("odd"), 2, 1.0, None),
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


@pytest.mark.parametrize(("elapsed_s", "again"), [(0, True), (890, True), (899.9, False)])
def test_no_attempt_begins_after_the_deadline(elapsed_s: float, again: bool) -> None:
    decision = decide("parts", AuthorUnavailable("away"), 1, jitter=1.0, elapsed_s=elapsed_s)
    assert isinstance(decision, Again) is again


def test_who_asks_for_a_longer_wait_than_there_is_time_for_is_not_waited_for() -> None:
    error = AuthorUnavailable("busy", retry_after_s=86_400)
    assert decide("parts", error, 1, jitter=0.0) == GiveUp(error)
