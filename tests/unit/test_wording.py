"""Requests become topics, abbreviations become words."""

from __future__ import annotations

import pytest

from pipeline.library.wording import subject, topic_words


@pytest.mark.parametrize(
    ("asked", "about"),
    [
        ("Learn DCF valuation", "discounted cash flow valuation"),
        ("I'd like to learn about the basics of dcf for beginners", "discounted cash flow"),
        ("how to motivate employees", "motivate employees"),
        ("a short course on Roman law", "Roman law"),
        ("Python for absolute beginners", "Python"),
        ("ML basics", "machine learning"),
        ("M&A and P&L", "mergers and acquisitions and profit and loss income statement"),
        ("What the US asks of us", "What the United States asks of us"),
        ("learning disabilities", "learning disabilities"),
        ("Understanding Ownership", "Understanding Ownership"),
        ("Of Course I Still Love You", "Of Course I Still Love You"),
    ],
)
def test_the_subject_is_what_is_asked_about(asked: str, about: str) -> None:
    assert subject(asked) == about


@pytest.mark.parametrize("text", ["learn", "how to", "a", "", "…", "🙂", "for beginners", "101"])
def test_something_is_left_of_every_text(text: str) -> None:
    assert subject(text) == text


def test_words_that_name_no_topic_are_not_looked_for() -> None:
    assert topic_words("I'm trying to become a much better manager, what's the best way?") == "a manager the"
    assert topic_words("how does inflation really work") == "inflation"
    assert topic_words("why? because of that!") == "because of"


def test_asking_over_and_over_is_still_asking() -> None:
    assert subject("please please teach me how to learn to " * 50 + "knit") == "knit"
