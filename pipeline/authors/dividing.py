"""Cutting an ordered row of items into runs of about equal weight, at the best joints.

Used twice: items into parts, and a part's items into sections. Dynamic programming over (cut, place), looking
only at places near where an even division would cut, so it takes milliseconds for the longest course.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

REACH = 0.8  # of the even weight of a run: how far from the even division a cut may lie
TOO_FEW = 50.0
TOO_MANY = 20.0


def divide(
    weights: Sequence[float],
    count: int,
    joints: Sequence[float],
    *,
    least: int = 1,
    most: float | None = None,
    slots: Sequence[float] | None = None,
    evenness: float = 1.0,
    targets: Sequence[float] | None = None,
    suits: Sequence[Sequence[float]] | None = None,
) -> list[range]:
    """Return `count` consecutive non-empty runs that cover all items.

    Args:
        weights: one per item, positive.
        count: runs, 1 to the number of items.
        joints: cost of cutting before item i (``joints[0]`` is never read); 0 is a good place, 1 a bad one.
        least: items a run should have; fewer only where it cannot be helped.
        most: slots a run should fill at most; more only where it cannot be helped.
        slots: how many each item takes; None: one each.
        evenness: how much even weights count against good places.
        targets: wanted weight of each run, in any unit; None: all the same.
        suits: ``suits[k][i]``, how well item i suits run k, 0 to 1; None: all the same.
    """
    total_items = len(weights)
    wanted = list(targets) if targets else [1.0] * count
    scale = sum(weights) / sum(wanted)
    wanted = [max(1e-9, want * scale) for want in wanted]
    ends = list(accumulate(weights, initial=0.0))
    filled = list(accumulate(slots or [1.0] * total_items, initial=0.0))
    ideal = list(accumulate(wanted, initial=0.0))
    least = max(1, min(least, total_items // count))
    gains = [list(accumulate(row, initial=0.0)) for row in suits] if suits else None

    def cost(run: int, start: int, end: int) -> float:
        size = (ends[end] - ends[start]) / wanted[run] - 1.0
        price = evenness * size * size + (joints[start] if start else 0.0)
        if end - start < least:
            price += TOO_FEW
        if most is not None and filled[end] - filled[start] > most:
            price += TOO_MANY * (filled[end] - filled[start] - most)
        if gains:
            price -= gains[run][end] - gains[run][start]
        return price

    best: dict[int, float] = {0: 0.0}
    came_from: list[dict[int, int]] = []
    for run in range(count):
        places = _places(ends, ideal, run + 1, count, least, wanted)
        reached: dict[int, float] = {}
        back: dict[int, int] = {}
        for end in places:
            for start, so_far in best.items():
                if start >= end:
                    continue
                price = so_far + cost(run, start, end)
                if end not in reached or price < reached[end]:
                    reached[end], back[end] = price, start
        best = reached
        came_from.append(back)
    cuts = [total_items]
    for back in reversed(came_from):
        cuts.append(back[cuts[-1]])
    return [range(start, end) for start, end in pairwise(reversed(cuts))]


def _places(
    ends: Sequence[float], ideal: Sequence[float], cut: int, count: int, least: int, wanted: Sequence[float]
) -> list[int]:
    """Return where cut number `cut` may lie: near its ideal place, with items enough on both sides."""
    total_items = len(ends) - 1
    if cut == count:
        return [total_items]
    low, high = cut * least, total_items - (count - cut) * least
    reach = REACH * max(wanted[cut - 1], wanted[cut])
    near = [i for i in range(low, high + 1) if abs(ends[i] - ideal[cut]) <= reach]
    nearest = min(range(low, high + 1), key=lambda i: abs(ends[i] - ideal[cut]))
    # The even places by number keep every cut reachable, however uneven the weights are.
    return sorted({*near, nearest, low, high, min(high, max(low, round(cut * total_items / count)))})
