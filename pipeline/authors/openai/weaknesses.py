"""What is weak about an outline by its quality report: what a model is asked to criticise it for."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.outline import Quality

ENOUGH_COVERAGE = 0.5
ENOUGH_ORDER = 0.5
ENOUGH_BALANCE = 0.4


def weaknesses(figures: Quality) -> Iterator[str]:
    """Yield a sentence for each figure that is below what a sound outline has, and the report's own notes."""
    if figures["concept_coverage"] < ENOUGH_COVERAGE:
        share = figures["concept_coverage"]
        yield f"Of the key concepts of the most relevant chapters, only {share:.0%} are covered."
    if figures["order_agreement"] < ENOUGH_ORDER:
        yield "Reading from one book often comes in another order than in the book."
    if figures["parts_balance"] < ENOUGH_BALANCE:
        yield "The parts differ much in length."
    if figures["titles_repeated"]:
        yield "Some sections have the same title."
    yield from figures["notes"]
