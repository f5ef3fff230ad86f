"""Headings of books, and titles of courses."""

from __future__ import annotations

import pytest

from pipeline.authors.titles import course_title, listed, plain, quoted, shorten, title_case, topic
from tests.unit.readings import DCF_READING


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("Learn DCF valuation", "DCF Valuation"),
        ("learn dcf valuation", "DCF Valuation"),
        ("how the Roman republic fell", "How the Roman Republic Fell"),
        ("statistics for A/B tests", "Statistics for A/B Tests"),
        ("why do we sleep", "Why Do We Sleep?"),
        ("I want to learn about supply and demand", "Supply and Demand"),
        ("Can you teach me python for data analysis?", "Python for Data Analysis"),
        ("What is money?", "What Is Money?"),
        ("Teach me about the French Revolution, please!", "The French Revolution"),
        ("<b>double-entry</b> bookkeeping 📚", "Double-Entry Bookkeeping"),
        ("Buchführung für Anfänger", "Buchführung für Anfänger"),
        ("🙂🙂", "Stocks and Stock Valuation"),
    ],
)
def test_the_course_is_called_after_the_query(query: str, title: str) -> None:
    assert course_title(query, DCF_READING, "Stocks and Stock Valuation") == title


@pytest.mark.parametrize(
    ("heading", "about"),
    [
        ("8.1 Perpetuities", "Perpetuities"),
        ("LO 8.1 Perpetuities", "Perpetuities"),
        ("What Is Finance?", "Finance"),
        ("Describe and Prepare Closing Entries for a Business", "Closing Entries for a Business"),
        ("Time Value of Money II: Equal Multiple Payments", "Time Value of Money: Equal Multiple Payments"),
        ("In Depth: k-Means Clustering", "k-Means Clustering"),
        ("Introduction to Whole Numbers", "Whole Numbers"),
        ("Who Is a Leader? Trait Approaches to Leadership", "Trait Approaches to Leadership"),
        ("pH and pOH", "pH and pOH"),
        (
            "Fighting the Good Fight in World War II, 1941-1945",
            "Fighting the Good Fight in World War II, 1941-1945",
        ),
    ],
)
def test_a_heading_is_stripped_to_its_topic(heading: str, about: str) -> None:
    assert topic(heading) == about


def test_a_long_title_is_cut_at_a_word_that_can_end_it() -> None:
    assert shorten("The Costs and Benefits of the Environmental Laws", 30) == "The Costs and Benefits"
    assert len(shorten("x" * 500)) == 120


def test_title_case_keeps_names_and_code_as_they_are() -> None:
    assert (
        title_case("reading from files with __init__ and NumPy")
        == "Reading from Files with __init__ and NumPy"
    )
    assert title_case("The Role of the Board within a Company") == "The Role of the Board within a Company"


def test_lists_and_quotations_read_well() -> None:
    assert listed(["stocks", "bonds", "cash"]) == "stocks, bonds and cash"
    assert listed(["stocks and bonds", "cash"]) == "stocks and bonds, and cash"
    assert quoted("A “Text”") == "“A ‘Text’”"


@pytest.mark.parametrize("text", ["<b>bold</b>", "&lt;b&gt;bold", "bo\u200bld\n\n", "bold 🎓"])
def test_plain_text_is_one_printable_line_without_markup(text: str) -> None:
    assert "bold" in plain(text).replace(" ", "")
    assert plain(text).isprintable()
    assert "<" not in plain(text)


@pytest.mark.parametrize("piece", ["please ", "i want to ", "<a ", "1.1.", "&lt;", "(", "all about ", "a, "])
def test_no_query_takes_long_to_name(piece: str) -> None:
    assert len(course_title((piece * 2_000)[:2_000])) <= 120
