"""The state machine: every schedule of work, failure, cancel and retry leads to a well-formed log."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import course as machine
from pipeline import events as ev
from pipeline.course import IllegalTransition, Phase, Stage, State, Status, Task
from pipeline.outline import FoundBook, FoundChapter, Part, Preferences, Section, Source, WrittenPart

COURSE_ID = "0b7c7f5e-9c34-4d6a-8f65-0c1b7a6f6d01"


def requested() -> ev.CourseRequested:
    return ev.CourseRequested(query="Learn DCF valuation", hours=2.0, preferences=Preferences())


def section(part_index: int) -> Section:
    source = Source(
        book_id="principles-finance-2e",
        book_title="Principles of Finance",
        chapter_number=8,
        chapter_title="Time Value of Money II: Equal Multiple Payments",
        section_title="Perpetuities",
        url="https://openstax.org/details/books/principles-finance-2e",
        minutes=6,
        why="It defines a perpetuity.",
    )
    return Section(
        section_id=COURSE_ID,
        part_index=part_index,
        order_index=0,
        title="Perpetuities",
        content_summary="What a perpetuity is.",
        learning_objectives=("Calculate the value of a perpetuity.",),
        estimated_minutes=30,
        sources=(source,),
    )


def result_of(task: Task, state: State, parts_count: int = 3) -> ev.Event:
    """The event that a task results in."""
    match task.verb:
        case "embed":
            return ev.EmbeddingGenerated(model="static", dimensions=256)
        case "search":
            chapter = FoundChapter(chapter_number=8, chapter_title="Time Value of Money II", score=0.8)
            book = FoundBook(
                book_id="principles-finance-2e",
                book_title="Principles of Finance",
                score=0.8,
                chapters=(chapter,),
            )
            return ev.BookSummariesFound(books=(book,))
        case "parts":
            parts = (
                Part(part_index=i, title=f"Topic {i}", why="It comes next.", estimated_minutes=30)
                for i in range(parts_count)
            )
            return ev.PartsGenerated(parts=tuple(parts))
        case "sections":
            assert task.part_index is not None
            return ev.PartSectionsGenerated(part_index=task.part_index, sections=(section(task.part_index),))
        case "review":
            return ev.OutlineReviewed(
                title="DCF Valuation", parts=state.written_parts, quality={}, changes=(), author="library"
            )
    return ev.CourseStored(title=state.title, estimated_hours=2.0)


def run_to(stop: Callable[[State], bool], parts_count: int = 3) -> list[ev.Event]:
    log: list[ev.Event] = [requested()]
    state = machine.begin(COURSE_ID, requested())
    while not stop(state) and (tasks := machine.pending(state)):
        event = result_of(tasks[0], state, parts_count)
        log.append(event)
        state = machine.apply(state, event)
        if (derived := machine.derived(state)) is not None:
            log.append(derived)
            state = machine.apply(state, derived)
    return log


def whole_log() -> list[ev.Event]:
    return run_to(lambda state: state.status is not Status.PROCESSING)


def test_a_course_without_trouble_goes_through_all_phases() -> None:
    log = whole_log()
    assert [event.type for event in log] == [
        "course_requested",
        "embedding_generated",
        "book_summaries_found",
        "parts_generated",
        *["part_sections_generated"] * 3,
        "all_parts_complete",
        "outline_reviewed",
        "course_stored",
    ]
    views = [machine.status_view(machine.fold(COURSE_ID, log[: i + 1])) for i in range(len(log))]
    assert [view["phase"] for view in views] == [
        "initializing",
        "searching_books",
        "generating_sections",
        "generating_sections",
        *["generating_sections"] * 3,
        "reviewing_outline",
        "reviewing_outline",
        "complete",
    ]
    assert views[-1]["status"] == "complete"
    assert views[-1]["progress"]["title"] == "DCF Valuation"


def test_the_status_view_is_the_contracts() -> None:
    log = run_to(lambda state: len(state.sections) == 1)
    state = machine.fold(COURSE_ID, log)
    assert machine.status_view(state) == {
        "course_id": COURSE_ID,
        "status": "processing",
        "phase": "generating_sections",
        "seq": 5,
        "progress": {"parts_count": 3, "parts_done": 1, "sections_count": 1, "percent": 55},
        "query": "Learn DCF valuation",
        "hours": 2.0,
    }


def test_all_sections_are_pending_at_once_and_in_any_order() -> None:
    state = machine.fold(COURSE_ID, run_to(lambda state: state.stage is Stage.PLANNED))
    assert [str(task) for task in machine.pending(state)] == ["sections:0", "sections:1", "sections:2"]
    state = machine.apply(state, result_of(Task("sections", 2), state))
    assert [str(task) for task in machine.pending(state)] == ["sections:0", "sections:1"]


def test_a_failure_stops_the_work_and_a_retry_goes_on_from_there() -> None:
    log = run_to(lambda state: len(state.sections) == 2)
    failed = ev.CourseFailed(
        error="The model did not answer.",
        error_code="author_unavailable",
        failed_phase="generating_sections",
        retryable=True,
    )
    state = machine.apply(machine.fold(COURSE_ID, log), failed)
    view = machine.status_view(state)
    assert (view["status"], view["phase"], view["error_code"]) == ("error", "error", "author_unavailable")
    assert machine.pending(state) == ()
    assert view["progress"]["percent"] == machine.percent(machine.fold(COURSE_ID, log))
    state = machine.apply(state, ev.CourseResumed())
    assert state.phase is Phase.GENERATING_SECTIONS
    assert [str(task) for task in machine.pending(state)] == ["sections:2"]
    assert "error" not in machine.status_view(state)


def test_what_cannot_follow_is_refused() -> None:
    complete = machine.fold(COURSE_ID, whole_log())
    failure = ev.CourseFailed(error="e", error_code="c", failed_phase="p", retryable=False)
    with pytest.raises(IllegalTransition):
        machine.apply(complete, failure)
    stopped = machine.apply(machine.begin(COURSE_ID, requested()), failure)
    with pytest.raises(IllegalTransition):
        machine.apply(stopped, ev.CourseResumed())
    with pytest.raises(IllegalTransition):
        machine.apply(stopped, ev.EmbeddingGenerated(model="static", dimensions=256))
    with pytest.raises(IllegalTransition):
        machine.fold(COURSE_ID, [ev.CourseResumed()])
    with pytest.raises(IllegalTransition):
        machine.fold(COURSE_ID, [])


def test_a_result_cannot_come_twice() -> None:
    state = machine.fold(COURSE_ID, run_to(lambda state: len(state.sections) == 1))
    with pytest.raises(IllegalTransition):
        machine.apply(state, result_of(Task("sections", 0), state))
    with pytest.raises(IllegalTransition):
        machine.apply(state, result_of(Task("parts"), state))


class Store:
    """A course row with its log in memory, with the checks that the database makes under the row lock."""

    def __init__(self) -> None:
        self.log: list[ev.Event] = [requested()]
        self.fence = 0
        self.tasks: set[str] = set()

    @property
    def state(self) -> State:
        return machine.fold(COURSE_ID, self.log)

    def append(self, fence: int, expected: int, event: ev.Event, task: Task | None) -> bool:
        if fence != self.fence or expected != len(self.log) or self.state.status is not Status.PROCESSING:
            return False
        if task is not None and str(task) in self.tasks:
            return False
        state = machine.apply(self.state, event)
        self.log.append(event)
        if task is not None:
            self.tasks.add(str(task))
        if (derived := machine.derived(state)) is not None:
            self.log.append(derived)
        return True


@settings(max_examples=300)
@given(st.data(), st.integers(1, 5))
def test_every_schedule_leaves_a_well_formed_log(data: st.DataObject, parts_count: int) -> None:
    """Runs come and go (crash before and after the commit), parts finish in any order, stale runs go on
    writing, callers cancel and retry: the log stays without gap or duplicate, and the course completes."""
    store = Store()
    runs = [(0, store.state)]  # (fence, what that run believes the state is)
    for _ in range(data.draw(st.integers(0, 40))):
        match data.draw(st.sampled_from(["work", "work", "work", "claim", "cancel", "retry", "stale"])):
            case "work" | "stale" as who:
                index = len(runs) - 1 if who == "work" else data.draw(st.integers(0, len(runs) - 1))
                fence, believed = runs[index]
                tasks = machine.pending(believed)
                if not tasks:
                    continue
                task = data.draw(st.sampled_from(tasks))
                event = result_of(task, believed, parts_count)
                wrote = store.append(fence, believed.seq, event, task)
                knows = data.draw(st.booleans())  # False: the COMMIT's fate is unknown, or the run died
                if wrote and knows:
                    runs[index] = (fence, store.state)
                elif not wrote:
                    assert (
                        fence != store.fence
                        or believed.seq != len(store.log)
                        or not machine.pending(store.state)
                    )
            case "claim":
                store.fence += 1
                runs.append((store.fence, store.state))
            case "cancel":
                if store.state.status is Status.PROCESSING:
                    failed = ev.CourseFailed(
                        error="c", error_code="cancelled", failed_phase="p", retryable=True
                    )
                    store.log.append(failed)
                    store.fence += 1
            case "retry":
                if store.state.failure is not None:
                    store.log.append(ev.CourseResumed())
                    store.fence += 1
    if store.state.failure is not None:
        store.log.append(ev.CourseResumed())
    store.fence += 1
    while tasks := machine.pending(store.state):
        task = data.draw(st.sampled_from(tasks))
        assert store.append(store.fence, len(store.log), result_of(task, store.state, parts_count), task)

    assert store.state.status is Status.COMPLETE
    assert len(store.state.parts) == parts_count
    types = [event.type for event in store.log]
    assert types[0] == "course_requested"
    assert types[-1] == "course_stored"
    for once in ("parts_generated", "all_parts_complete", "outline_reviewed", "course_stored"):
        assert types.count(once) == 1
    assert types.count("part_sections_generated") == parts_count
    percents = [machine.percent(machine.fold(COURSE_ID, store.log[:i])) for i in range(1, len(types) + 1)]
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_a_message_gives_its_event_back() -> None:
    log = whole_log()
    for i, event in enumerate(log):
        head, tail = machine.message_around_time(machine.fold(COURSE_ID, log[: i + 1]), event)
        message = json.loads(head + "2026-11-24T06:00:00.000000Z" + tail)
        assert list(message)[:3] == ["seq", "type", "at"]
        assert message["seq"] == i + 1
        assert ev.event_from_message(message) == event


def test_reviewed_parts_replace_the_written_ones() -> None:
    log = run_to(lambda state: state.stage is Stage.WRITTEN)
    state = machine.fold(COURSE_ID, log)
    mended = tuple(
        WrittenPart(**{**part.model_dump(), "title": f"Mended {part.part_index}"})
        for part in state.written_parts
    )
    review = ev.OutlineReviewed(
        title="T", parts=mended, quality={"notes": []}, changes=("titles",), author="m"
    )
    state = machine.apply(state, review)
    assert [part.title for part in state.written_parts] == ["Mended 0", "Mended 1", "Mended 2"]
