"""How many parts and sections to ask for: within what the budget allows, around what the pace suggests."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pipeline.outline import Brief, Depth, Pace, parts_range, sections_range

PART_MINUTES_ASKED: Mapping[Pace, int] = {Pace.QUICK: 60, Pace.MODERATE: 80, Pace.THOROUGH: 100}
SECTION_MINUTES_ASKED: Mapping[Pace, int] = {Pace.QUICK: 15, Pace.MODERATE: 25, Pace.THOROUGH: 45}
OBJECTIVES_ASKED: Mapping[Depth, tuple[int, int]] = {
    Depth.OVERVIEW: (1, 3),
    Depth.BALANCED: (2, 4),
    Depth.TECHNICAL: (2, 4),
    Depth.EXPERT: (3, 5),
}
SPREAD = 0.25

Counts = tuple[int, int]


def parts_asked(brief: Brief) -> Counts:
    """Return the least and the largest number of parts to ask for."""
    pace = brief.preferences.pace or Pace.MODERATE
    return _around(brief.budget_minutes / PART_MINUTES_ASKED[pace], parts_range(brief.budget_minutes))


def sections_asked(brief: Brief, part_minutes: int) -> Counts:
    """Return the least and the largest number of sections to ask for in a part of `part_minutes`."""
    pace = brief.preferences.pace or Pace.MODERATE
    return _around(part_minutes / SECTION_MINUTES_ASKED[pace], sections_range(part_minutes))


def objectives_asked(brief: Brief) -> Counts:
    """Return the least and the largest number of objectives to ask for in a section."""
    return OBJECTIVES_ASKED[brief.preferences.depth or Depth.BALANCED]


def _around(wanted: float, allowed: Counts) -> Counts:
    """Return the whole numbers around `wanted`, as far as they are allowed."""
    least, most = allowed
    low = min(most, max(least, math.floor(wanted * (1 - SPREAD))))
    return low, min(most, max(low, math.ceil(wanted * (1 + SPREAD))))
