"""The measures of rankings, by hand."""

from __future__ import annotations

import math

import pytest

from tests.bench.search_metrics import accepted_outside, ndcg, recall

A, B, C, D = (("book", number) for number in range(4))


def test_the_best_order_has_all_the_gain() -> None:
    assert ndcg([A, B, C], {A: 2, B: 1}) == 1.0
    assert ndcg([C, D], {A: 2}) == 0.0


def test_gain_falls_with_the_place() -> None:
    assert ndcg([C, A], {A: 2}) == pytest.approx(1 / math.log2(3))
    assert ndcg([B, A], {A: 2, B: 1}) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))


def test_recall_counts_what_is_among_the_first() -> None:
    assert recall([A, C, B], {A: 2, B: 1}, depth=2) == 0.5
    assert recall([A, B], {A: 2, B: 1, C: 1}, depth=2) == 1.0


def test_the_threshold_refuses_the_share_asked_for() -> None:
    covered = [float(n) for n in range(100)]
    assert accepted_outside(covered, [4.0, 5.0, 6.0, 7.0], 0.05) == 0.75
