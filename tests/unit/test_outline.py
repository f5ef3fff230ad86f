"""The time budget: minutes add up exactly, within their bounds, whatever the weights."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.outline import Brief, allocate, parts_range, reading_minutes, sections_range


@pytest.mark.parametrize(
    ("hours", "minutes"),
    [(0.5, 30), (1.75, 105), (2.0, 120), (6.5, 390), (40.0, 2400), (0.508, 30), (0.5084, 31)],
)
def test_budget_rounds_half_up_to_whole_minutes(hours: float, minutes: int) -> None:
    assert Brief(query="anything", hours=hours).budget_minutes == minutes


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (30, (1, 1)),
        (119, (1, 1)),
        (120, (2, 3)),
        (240, (2, 3)),
        (241, (3, 8)),
        (390, (4, 13)),
        (2400, (20, 80)),
    ],
)
def test_parts_follow_the_length_of_the_course(minutes: int, expected: tuple[int, int]) -> None:
    assert parts_range(minutes) == expected


@given(st.integers(30, 2400))
def test_every_allowed_number_of_parts_can_hold_the_budget(minutes: int) -> None:
    low, high = parts_range(minutes)
    assert 1 <= low <= high
    if minutes > 240:
        for count in (low, high):
            allocate(minutes, [1] * count, least=30, most=120)


@given(st.integers(10, 120))
def test_every_allowed_number_of_sections_can_hold_the_part(minutes: int) -> None:
    low, high = sections_range(minutes)
    for count in {low, high}:
        shares = allocate(minutes, [1] * count, least=10, most=90)
        assert sum(shares) == minutes


weights = st.lists(
    st.one_of(st.integers(-5, 1000), st.floats(allow_nan=True, allow_infinity=True)), min_size=1, max_size=30
)


@given(weights, st.integers(0, 3000))
def test_shares_add_up_to_the_total_whatever_the_weights(weights: list[float], total: int) -> None:
    shares = allocate(total, weights)
    assert sum(shares) == total
    assert all(share >= 0 for share in shares)


@given(weights, st.integers(0, 20), st.integers(0, 100), st.data())
def test_shares_keep_their_bounds(weights: list[float], least: int, span: int, data: st.DataObject) -> None:
    most = least + span
    total = data.draw(st.integers(least * len(weights), most * len(weights)))
    shares = allocate(total, weights, least=least, most=most)
    assert sum(shares) == total
    assert all(least <= share <= most for share in shares)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=10), st.integers(100, 3000))
def test_without_bounds_no_share_is_off_by_a_minute_or_more(weights: list[int], total: int) -> None:
    for share, weight in zip(allocate(total, weights), weights, strict=True):
        assert abs(share - total * weight / sum(weights)) < 1


def test_bounds_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        allocate(25, [1, 1, 1], least=10)
    with pytest.raises(ValueError, match="nothing"):
        allocate(25, [])


def test_reading_takes_at_least_a_minute() -> None:
    assert reading_minutes(0) == 1
    assert reading_minutes(2_000) == 10
    assert math.isclose(reading_minutes(2_513), 13)
