"""A course's books: what is counted, what is still to be written, where the budget ends."""

import pytest

from pipeline.errors import BudgetExceeded
from pipeline.ledger import NOTHING, Bookings, Ledger, Tokens


def test_what_earlier_runs_spent_counts() -> None:
    ledger = Ledger(Bookings(tokens=Tokens(prompt=100, completion=10, calls=1)))
    ledger.spend(prompt=50, completion=5)
    assert ledger.tokens == Tokens(prompt=150, completion=15, calls=2)
    assert ledger.unwritten().tokens == Tokens(prompt=50, completion=5, calls=1)


def test_what_is_written_is_not_written_again() -> None:
    ledger = Ledger()
    ledger.spend(prompt=50, completion=5)
    ledger.mended("parts", ["Surplus parts were left out."])
    first = ledger.unwritten()
    ledger.spend(prompt=7, completion=1)  # while the first is on its way
    ledger.written(first)
    assert ledger.unwritten() == Bookings(tokens=Tokens(prompt=7, completion=1, calls=1))
    ledger.written(ledger.unwritten())
    assert ledger.unwritten() == NOTHING


def test_repairs_are_told_once_and_a_later_answer_replaces_an_earlier_one() -> None:
    ledger = Ledger(Bookings(repairs={"sections:1": ["A.", "B."], "parts": ["A."]}))
    assert ledger.repairs == ("A.", "B.")
    ledger.mended("sections:1", [])
    assert ledger.repairs == ("A.",)
    assert ledger.unwritten() == Bookings(repairs={"sections:1": ()})


def test_prompts_under_way_hold_their_place_in_the_budget() -> None:
    ledger = Ledger(limit=100)
    with ledger.call(60):
        with pytest.raises(BudgetExceeded), ledger.call(60):
            pass
        with ledger.call(40):
            pass
    with ledger.call(100):
        pass


def test_what_was_spent_is_gone_from_the_budget() -> None:
    ledger = Ledger(Bookings(tokens=Tokens(prompt=80, completion=15, calls=1)), limit=100)
    with ledger.call(5):
        pass
    with pytest.raises(BudgetExceeded), ledger.call(6):
        pass
