"""What the documents say of the course, drawn from its tables: ``python -m pipeline.course_docs PIECE``.

Pieces: ``states`` (a Mermaid diagram), ``stages``, ``events`` and ``errors`` (Markdown tables). The blocks
in the documents that name such a command hold its output, and a test compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from pipeline import events as ev
from pipeline import requests
from pipeline.course import PENDING, STAGES, TRANSITIONS, Phase, Stage, Status
from pipeline.errors import CourseError
from pipeline.outline import Value

_BEGIN = Stage.REQUESTED
_OVER = Stage.STORED
_BESIDE_TASKS = (
    (requests.CANCELLED, "Somebody asked for it with `POST …/cancel`."),
    (requests.CRASHED, "Run after run died without getting the course any further."),
)
"""Codes of failures that no task raises."""


def states() -> str:
    """Return the state machine as a Mermaid state diagram: the stages, and the events between them."""
    inside = [f"[*] --> {_BEGIN}"]
    outside = [f"[*] --> {Status.PROCESSING} : {_type(ev.CourseRequested)}"]
    # What leads back to its own stage comes last: drawn so, its label is in nobody's way.
    for event, (before, after) in sorted(TRANSITIONS.items(), key=lambda item: item[1][0] is item[1][1]):
        if after is _OVER:
            inside.append(f"{before} --> [*]")
            outside.append(f"{Status.PROCESSING} --> {after} : {_type(event)}")
        else:
            inside.append(f"{before} --> {after} : {_type(event)}")
    outside += [
        f"{Status.PROCESSING} --> stopped : {_type(ev.CourseFailed)}",
        # By way of a point of its own: Mermaid would draw two arrows between the same two over each other.
        f"stopped --> resumed : {_type(ev.CourseResumed)}",
        f"resumed --> {Status.PROCESSING}",
        f"{_OVER} --> [*]",
    ]
    lines = [
        "stateDiagram-v2",
        "    state resumed <<choice>>",
        f"    state {Status.PROCESSING} {{",
        *(f"        {arrow}" for arrow in inside),
        "    }",
        *(f"    {arrow}" for arrow in outside),
    ]
    return "\n".join(["```mermaid", *lines, "```"])


def stages() -> str:
    """Return the table of stages: how each is entered, how it shows, what runs in it."""
    rows = []
    for stage, view in STAGES.items():
        entered = [
            _type(event) for event, (before, after) in TRANSITIONS.items() if before is not after is stage
        ]
        verb = PENDING[stage]
        runs = "nothing" if verb is None else f"`{verb}`"
        if verb == "sections":
            runs = "`sections:0` … `sections:n`, at once"
        rows.append(
            (
                f"`{stage}`",
                _code(entered or [_type(ev.CourseRequested)]),
                _stage_shown(stage),
                str(view.percent),
                runs,
            )
        )
    return _table(("stage", "entered by", "status · phase", "percent from", "what runs in it"), rows)


def events() -> str:
    """Return the table of events: payload beside the status view, the view's status and phase, meaning."""
    rows = [
        (f"`{_type(event)}`", _code(_payload(event)) or "–", _shown(event), _first_line(event))
        for event in ev.EVENT_TYPES
    ]
    return _table(("event", "payload beside the status view", "status · phase", "what happened"), rows)


def errors() -> str:
    """Return the table of error codes that a stopped course can have."""
    rows = [
        (f"`{error.code}`", _yes(error.retryable), _yes(error.resumable), _first_line(error))
        for error in _with_own_code(CourseError)
    ]
    rows += [(f"`{code}`", _yes(False), _yes(True), text) for code, text in _BESIDE_TASKS]
    header = ("`error_code`", "task is tried again by itself", "`POST …/retry` goes on", "why")
    return _table(header, rows)


PIECES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"states": states, "stages": stages, "events": events, "errors": errors}
)


def _type(event: type[Value]) -> str:
    return str(event.model_fields["type"].default)


def _payload(event: type[Value]) -> list[str]:
    return [name for name in event.model_fields if name != "type"]


def _shown(event: type[Value]) -> str:
    if event is ev.CourseFailed:
        return f"{Status.ERROR} · {Phase.ERROR}"
    if event is ev.CourseResumed:
        return f"{Status.PROCESSING} · where it stopped"
    return _stage_shown(next((after for cls, (_, after) in TRANSITIONS.items() if cls is event), _BEGIN))


def _stage_shown(stage: Stage) -> str:
    status = Status.COMPLETE if stage is _OVER else Status.PROCESSING
    return f"{status} · {STAGES[stage].phase}"


def _with_own_code(error: type[CourseError]) -> Iterator[type[CourseError]]:
    """Yield the classes below `error` that name a code of their own, in the order of the tree."""
    for below in error.__subclasses__():
        if "code" in vars(below):
            yield below
        yield from _with_own_code(below)


def _first_line(documented: type) -> str:
    return (documented.__doc__ or "").splitlines()[0].replace("``", "`")


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    for piece in sys.argv[1:]:
        print(PIECES[piece]())
