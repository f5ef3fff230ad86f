"""The page in a real Chromium on real servers: one asks for a course, watches it, interrupts it, reads it."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CHROMIUM, MakeVisitor, ModelHouse, Visitor
from tests.running import RunningHouse

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]

COURSE_MS = 60_000
MOST_BYTES = 60_000


def ask(page: Page, query: str = "Learn DCF valuation", hours: str = "3") -> str:
    """Fill in the form and send it; return the course's id."""
    page.get_by_label("Topic or goal").fill(query)
    page.get_by_label("Hours").fill(hours)
    page.get_by_role("button", name="Write my course").click()
    page.wait_for_url(re.compile(r"/c/[0-9a-f-]{36}$"))
    return page.url.rsplit("/", 1)[1]


def wait_for(page: Page, status: str) -> None:
    page.locator(f"#course[data-status={status}]").wait_for(timeout=COURSE_MS)


def outline(page: Page) -> str:
    return page.locator("#parts").inner_text()


def as_titles(page: Page) -> list[list[str]]:
    parts = page.locator(".part").all()
    return [
        [part.locator("h2").inner_text(), *part.locator(".section h3 span:last-child").all_inner_texts()]
        for part in parts
    ]


def stored_titles(house: RunningHouse | ModelHouse, course_id: str) -> list[list[str]]:
    parts = httpx2.get(f"{house.base_url}/courses/{course_id}").json()["parts"]
    return [[part["title"], *(section["title"] for section in part["sections"])] for part in parts]


def minutes(text: str) -> int:
    hours, rest = re.fullmatch(r"(?:(\d+) h)?\s*(?:(\d+) min)?", text).groups(default="0")  # type: ignore[union-attr]
    return int(hours) * 60 + int(rest)


# --- the journey --------------------------------------------------------------------------------------


def test_a_learner_gets_a_course_in_one_click(visitor: Visitor, running_house: RunningHouse) -> None:
    page = visitor.open("/")
    page.get_by_role("button", name="Learn DCF valuation").click()
    page.get_by_role("button", name="Write my course").click()
    wait_for(page, "complete")

    course_id = page.url.rsplit("/c/", 1)[1]
    assert as_titles(page) == stored_titles(running_house, course_id)
    for selector in (".part > header .minutes", ".section .minutes", "#spines a > span:not(.spoken)"):
        assert sum(map(minutes, page.locator(selector).all_text_contents())) == 120, selector
    expect(page.locator("#asked")).to_contain_text("2 hours, 120 minutes")
    expect(page.locator("#phases .done")).to_have_count(5)
    expect(page.locator("#quality")).to_contain_text("Time covered by reading")
    expect(page).to_have_title(re.compile(r"Coursecast$"))

    sections = page.locator(".section").all()
    assert len(sections) >= 2
    for section in sections:
        expect(section.locator(".objectives li").first).to_be_visible()
        expect(section.locator(".sources a").first).to_be_visible()
    for link in page.locator(".sources a, #books a").all():
        assert link.get_attribute("href").startswith("https://")  # type: ignore[union-attr]
        assert link.get_attribute("target") == "_blank"
        assert "noopener" in link.get_attribute("rel").split()  # type: ignore[union-attr]
    expect(page.locator("#books a")).to_have_count(page.locator("#books li").count())

    title = page.locator("#course-title").inner_text()
    page.get_by_role("link", name="New course").click()
    page.locator("#recent").get_by_role("link", name=title).first.click()
    wait_for(page, "complete")
    assert page.url.endswith(course_id)
    assert as_titles(page) == stored_titles(running_house, course_id)


def test_wishes_reach_the_server(visitor: Visitor, running_house: RunningHouse) -> None:
    page = visitor.open("/")
    page.get_by_role("radio", name="Technical").check()
    page.get_by_role("radio", name="Quick").check()
    page.get_by_text("Style and notes").click()
    page.get_by_label("How should it be presented?").fill("examples first")
    page.get_by_label("Anything else worth knowing?").fill("no calculus")
    course_id = ask(page, hours="2")
    wait_for(page, "complete")
    course = httpx2.get(f"{running_house.base_url}/courses/{course_id}").json()["course"]
    assert course["preferences"] == {
        "depth": "technical",
        "pace": "quick",
        "presentation_style": "examples first",
        "additional_notes": "no calculus",
    }


def test_a_refused_request_is_explained_at_its_field(visitor: Visitor) -> None:
    visitor.expected = "status of 400"
    page = visitor.open("/")
    page.get_by_role("button", name="Write my course").click()
    expect(page.locator("#query-error")).to_be_visible()
    expect(page.get_by_label("Topic or goal")).to_be_focused()

    page.get_by_label("Topic or goal").fill("Learn DCF valuation")
    page.get_by_label("Hours").fill("400")
    page.get_by_role("button", name="Write my course").click()
    expect(page.locator("#hours-error")).to_contain_text("0.5 to 40")
    expect(page.get_by_label("Hours")).to_be_focused()
    expect(page.locator("#query-error")).to_be_hidden()
    ask(page, hours="0.5")
    wait_for(page, "complete")


def test_a_topic_outside_the_library_is_told_and_can_be_changed(visitor: Visitor) -> None:
    page = visitor.open("/")
    ask(page, "xylophone qwertzuiop zzyzx", hours="1")
    wait_for(page, "error")
    expect(page.locator("#failure")).to_contain_text("Not in the library")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    page.get_by_role("link", name="Change the request").click()
    expect(page.get_by_label("Topic or goal")).to_have_value("xylophone qwertzuiop zzyzx")
    expect(page.get_by_label("Hours")).to_have_value("1")


def test_an_unknown_course_leads_home(visitor: Visitor) -> None:
    visitor.expected = "status of 404"
    page = visitor.open("/c/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="There is no such course")).to_be_visible()
    page.get_by_role("link", name="Ask for a new course").click()
    expect(page.get_by_label("Topic or goal")).to_be_visible()


def test_back_and_forward_keep_their_pages(visitor: Visitor) -> None:
    page = visitor.open("/")
    ask(page)
    wait_for(page, "complete")
    page.locator("#spines a").last.click()
    wait_for(page, "complete")
    page.go_back()
    page.go_back()
    expect(page.get_by_label("Topic or goal")).to_be_visible()
    page.go_forward()
    wait_for(page, "complete")


# --- while it is being written ------------------------------------------------------------------------


def test_titles_are_seen_being_typed_and_nothing_jumps(model_visitor: Visitor) -> None:
    page = model_visitor.open("/")
    ask(page)
    expect(page.locator("#connection")).to_have_text("Live")
    page.locator(".drafts li").first.wait_for()
    page.locator(".part.waiting").first.wait_for()
    wait_for(page, "complete")
    expect(page.locator(".drafts li")).to_have_count(0)
    assert page.evaluate("shifted") == 0


def test_a_reload_in_the_middle_sees_all_of_it(model_visitor: Visitor, model_house: ModelHouse) -> None:
    undisturbed = model_visitor.open("/")
    course_id = ask(undisturbed)
    page = model_visitor.open(f"/c/{course_id}")
    page.locator(".part").first.wait_for()
    page.reload()
    expect(page.locator("#course")).to_have_attribute("data-status", "processing")
    wait_for(page, "complete")
    wait_for(undisturbed, "complete")
    assert as_titles(page) == stored_titles(model_house, course_id)
    assert page.locator("#course").inner_text() == undisturbed.locator("#course").inner_text()


def test_cancel_and_try_again(model_visitor: Visitor, model_house: ModelHouse) -> None:
    page = model_visitor.open("/")
    course_id = ask(page)
    page.locator(".part").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, "error")
    expect(page.locator("#failure")).to_contain_text("Cancelled")
    expect(page.locator(".drafts li")).to_have_count(0)
    expect(page.locator("#phases .stopped")).to_have_text(re.compile("Writing"))

    page.get_by_role("button", name="Try again").click()
    wait_for(page, "complete")
    expect(page.locator("#failure")).to_be_hidden()
    assert as_titles(page) == stored_titles(model_house, course_id)


def test_a_failure_is_told_in_words_and_retried(model_visitor: Visitor, model_house: ModelHouse) -> None:
    model_house.configure(fail_always={"kind": "status", "status": 401, "task": "sections"})
    page = model_visitor.open("/")
    course_id = ask(page)
    wait_for(page, "error")
    view = httpx2.get(f"{model_house.base_url}/courses/{course_id}/status").json()
    expect(page.locator("#failure p")).to_have_text(view["error"])
    model_house.configure(fail_always=None)
    page.get_by_role("button", name="Try again").click()
    wait_for(page, "complete")
    assert as_titles(page) == stored_titles(model_house, course_id)


def test_a_server_that_dies_and_comes_back_is_forgiven(
    model_visitor: Visitor, model_house: ModelHouse
) -> None:
    model_visitor.expected = "ERR_"
    page = model_visitor.open("/")
    course_id = ask(page)
    page.locator(".part").first.wait_for()
    model_house.web.kill()
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    model_house.web.restart()
    model_house.web.wait_ready()
    wait_for(page, "complete")
    assert as_titles(page) == stored_titles(model_house, course_id)


def test_a_blocked_stream_falls_back_to_polling(model_visitor: Visitor, model_house: ModelHouse) -> None:
    model_visitor.expected = "ERR_"
    model_visitor.context.route("**/events*", lambda route: route.abort())
    model_house.configure(delay_s=1)
    page = model_visitor.open("/")
    course_id = ask(page)
    expect(page.locator("#connection")).to_have_text("Checking every few seconds")
    wait_for(page, "complete")
    assert as_titles(page) == stored_titles(model_house, course_id)


# --- what models and books say is text ----------------------------------------------------------------

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"

DRAW_HOSTILE = """async (hostile) => {
  const { emptyCourse, fold, foldDraft } = await import("/static/course.js");
  const { drawCourse } = await import("/static/view.js");
  const section = {
    part_index: 0, order_index: 0, title: hostile, content_summary: hostile, learning_objectives: [hostile],
    prerequisites: [hostile], estimated_minutes: 60,
    sources: ["javascript:alert(3)", "data:text/html,<script>alert(4)</script>", "https://books.example/1"]
      .map((url) => ({ url, book_title: hostile, chapter_number: 1, chapter_title: hostile, minutes: 5,
        why: hostile })),
  };
  const part = { part_index: 0, title: hostile, why: hostile, estimated_minutes: 60 };
  const log = [
    { type: "course_requested" },
    { type: "book_summaries_found", books: [{ book_id: "b", book_title: hostile, score: 1, chapters: [
      { chapter_number: 1, chapter_title: hostile, score: 1 }] }] },
    { type: "parts_generated", parts: [part, { ...part, part_index: 1 }] },
    { type: "part_sections_generated", part_index: 0, sections: [section] },
  ];
  let course = emptyCourse("c");
  log.forEach((message, i) => {
    course = fold(course, { seq: i + 1, at: "2026-01-01T00:00:00Z", status: "processing", hours: 1,
      query: hostile, phase: "generating_sections", progress: { percent: 50, parts_done: 1 }, ...message });
  });
  course = foldDraft(course, { task: "sections:1", value: { sections: [{ title: hostile }] } });
  document.getElementById("course").hidden = false;
  drawCourse(course, new Map([["b", "javascript:alert(5)"]]));
}"""


@pytest.mark.parametrize("text", [HOSTILE, "\u202eright to left עברית عربي", "W" * 10_000])
def test_text_of_models_never_becomes_markup(visitor: Visitor, text: str) -> None:
    page = visitor.open("/")
    page.set_viewport_size({"width": 360, "height": 800})
    page.evaluate(DRAW_HOSTILE, text)
    expect(page.locator(".section h3 span").last).to_have_text(text)
    expect(page.locator(".part.waiting .drafts li")).to_have_text(text)
    assert page.locator("#course :is(img, script, iframe)").count() == 0
    links = [link.get_attribute("href") for link in page.locator("#course a[target]").all()]
    assert links == ["https://books.example/1"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- the client's cursor ------------------------------------------------------------------------------


def test_messages_count_once_and_in_order(visitor: Visitor) -> None:
    verdicts = visitor.open("/").evaluate(
        """async () => {
          const { Cursor } = await import("/static/coursecast.js");
          const cursor = new Cursor();
          const take = (seq) => cursor.take({ seq, status: "processing", type: "?" });
          return [1, 1, 3, 2, 3, 2].map(take);
        }"""
    )
    assert verdicts == ["next", "seen", "gap", "next", "next", "seen"]


def test_stale_drafts_are_dropped(visitor: Visitor) -> None:
    news: dict[str, Any] = visitor.open("/").evaluate(
        """async () => {
          const { Cursor } = await import("/static/coursecast.js");
          const cursor = new Cursor();
          const draft = (task, fence, n) => cursor.takeDraft({ task, fence, n });
          const message = (seq, type, status = "processing") =>
            cursor.take({ seq, type, status, part_index: 0 });
          return {
            first: draft("parts", 1, 1),
            repeated: draft("parts", 1, 1),
            newer: draft("parts", 1, 2),
            older: draft("parts", 1, 1),
            "of another task": draft("sections:0", 1, 1),
            "of a newer run": draft("sections:0", 2, 1),
            "of an older run": draft("sections:0", 1, 9),
            "of a finished task": (message(1, "part_sections_generated"), draft("sections:0", 2, 2)),
            "of a stopped course": (message(2, "course_failed", "error"), draft("sections:1", 2, 3)),
            "of a resumed course": (message(3, "course_resumed"), draft("sections:1", 3, 1)),
          };
        }"""
    )
    shown = {name for name, is_news in news.items() if is_news}
    assert shown == {"first", "newer", "of another task", "of a newer run", "of a resumed course"}


# --- for every screen ---------------------------------------------------------------------------------


def test_the_page_is_light_and_needs_no_other_host(
    make_visitor: MakeVisitor, running_house: RunningHouse
) -> None:
    visitor = make_visitor(running_house.base_url)
    sizes: dict[str, int] = {}
    visitor.context.on(
        "response",
        lambda r: (
            sizes.update({r.url: len(r.body())}) if "/static/" in r.url or r.url.endswith("/") else None
        ),
    )
    page = visitor.open("/")
    page.wait_for_load_state("networkidle")
    assert len(sizes) >= 6
    assert sum(sizes.values()) <= MOST_BYTES, sizes


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
def test_nothing_is_wider_than_the_screen(
    make_visitor: MakeVisitor, running_house: RunningHouse, width: int
) -> None:
    page = make_visitor(running_house.base_url, viewport={"width": width, "height": 900}).open("/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ask(page, hours="40")
    wait_for(page, "complete")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
