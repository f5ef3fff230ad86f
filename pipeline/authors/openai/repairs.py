"""What had to be mended in a model's answers, on its way to the quality report."""

from __future__ import annotations

from collections import OrderedDict


class Repairs:
    """What had to be mended in answers, kept in memory until the review reports it.

    A course whose earlier phases ran in another process reports only what was mended in this one. Bounded:
    courses that never come to their review are forgotten, oldest first.
    """

    MOST_COURSES = 4_096

    def __init__(self) -> None:
        self._notes: OrderedDict[str, dict[str, tuple[str, ...]]] = OrderedDict()

    def note(self, course_id: str, task: str, repairs: tuple[str, ...]) -> None:
        """Keep what was mended in the answer to a task, in place of an earlier answer's."""
        self._notes.setdefault(course_id, {})[task] = repairs
        self._notes.move_to_end(course_id)
        if len(self._notes) > self.MOST_COURSES:
            self._notes.popitem(last=False)

    def take(self, course_id: str) -> list[str]:
        """Return each sentence once, and forget the course."""
        by_task = self._notes.pop(course_id, {})
        return list(dict.fromkeys(sentence for repairs in by_task.values() for sentence in repairs))
