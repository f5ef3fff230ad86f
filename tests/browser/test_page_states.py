"""Every state of the page, for everybody: axe, any screen, any text, no jumps, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline import errors
from pipeline.requests import Requests
from tests.browser.conftest import ARGUMENTS, CHROMIUM, WATCH_THE_PAGE, Visitor
from tests.browser.writing import Course, Desk

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]

STATIC = Path(__file__).parent.parent.parent / "static"
SCREENSHOTS = Path(__file__).parent / "screenshots"
MOST_BYTES = 60_000
WIDTHS = {360: 780, 1280: 900, 2560: 1440}


@pytest.fixture(scope="module")
def browser(newsdesk: Desk) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


MakeVisitor = Callable[..., Visitor]


@pytest.fixture
def make_visitor(browser: Browser, newsdesk: Desk) -> Iterator[MakeVisitor]:
    """Return a visitor; the test fails on whatever their browser complained about."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        context = browser.new_context(base_url=newsdesk.web.base_url, **options)
        context.add_init_script(WATCH_THE_PAGE)
        visitors.append(Visitor(context, newsdesk.web.base_url))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [visitor.unexpected() for visitor in visitors] == [[] for _ in visitors]


# --- the states ---------------------------------------------------------------------------------------


def typed(title: str, summary: str) -> dict[str, Any]:
    return {"sections": [{"title": "What a share is worth"}, {"title": title, "content_summary": summary}]}


class Journey:
    """Brings one page into each of its states, in the order of a course's life."""

    def __init__(self, page: Page, newsdesk: Desk) -> None:
        self.page = page
        self._desk = newsdesk
        self._course: Course = newsdesk.course(parts=4)

    def states(self) -> Iterator[str]:
        """Yield the name of each state, once the page is in it."""
        for step in (self._start, self._refused, self._new, self._planned, self._written, self._finished):
            yield step()
        yield self._sure()
        for step in (self._stopped, self._missing):
            yield step()

    def _start(self) -> str:
        self.page.goto("/")
        self.page.locator("#recent li").first.wait_for()
        return "start"

    def _refused(self) -> str:
        self.page.get_by_text("Style and notes").click()
        self.page.get_by_label("Topic or goal").fill(" ")
        self.page.get_by_role("button", name="Write my course").click()
        self.page.locator("#query-error").wait_for()
        return "refused"

    def _new(self) -> str:
        self.page.goto(f"/c/{self._course.id}")
        self._wait("Reading your request")
        return "new"

    def _planned(self) -> str:
        self._course.to(3)
        self._course.draft(
            "parts", 1, {"parts": [{"title": "Time value of money", "why": "It comes first."}]}
        )
        self.page.locator("#plan li").nth(1).wait_for()
        return "books"

    def _written(self) -> str:
        self._course.to(5)
        self._course.draft("sections:1", 2, typed("Discounting", "What a later payment is worth today."))
        self.page.locator(".part .drafts li").nth(2).wait_for()
        return "writing"

    def _finished(self) -> str:
        self._course.finish()
        self.page.locator("#course[data-status=complete]").wait_for()
        return "finished"

    def _sure(self) -> str:
        self.page.get_by_role("button", name="Delete", exact=True).click()
        self.page.get_by_role("button", name="Keep it").wait_for()
        return "sure"

    def _stopped(self) -> str:
        stopped = self._desk.course()
        stopped.to(5)
        httpx2.post(f"{self._desk.web.base_url}/courses/{stopped.id}/cancel").raise_for_status()
        self.page.goto(f"/c/{stopped.id}")
        self.page.locator("#failure").wait_for()
        return "stopped"

    def _missing(self) -> str:
        self.page.goto("/c/00000000-0000-4000-8000-000000000000")
        self._wait("There is no such course")
        return "missing"

    def _wait(self, text: str) -> None:
        expect(self.page.locator("#course").get_by_text(text)).to_be_visible()


def test_a_course_that_goes_missing_while_it_is_watched_leaves_no_ways_into_it(
    make_visitor: MakeVisitor, newsdesk: Desk
) -> None:
    visitor = make_visitor()
    visitor.expected = "status of 404"
    course = newsdesk.course()
    course.to(5)
    page = visitor.open(f"/c/{course.id}")
    expect(page.locator("#spines .written").first).to_be_visible()
    newsdesk.run(lambda: Requests(newsdesk.pool).delete(course.id, caller="local"))  # nobody is told
    expect(page.locator("#title")).to_have_text("There is no such course", timeout=20_000)
    assert page.locator("#course :is(a, button):visible").count() == 0


SETTLED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  while (document.querySelector("[style*=translate]")) await frame();
  await Promise.all(document.getAnimations()
    .filter((animation) => animation.effect.getTiming().iterations !== Infinity)
    .map((animation) => animation.finished.catch(() => {})));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_for_everybody_on_every_screen(
    make_visitor: MakeVisitor, newsdesk: Desk, scheme: Any
) -> None:
    """WCAG 2.2 AA as far as axe can tell, nothing wider than the screen, and pictures to be looked at."""
    visitor = make_visitor(color_scheme=scheme)
    visitor.expected = "status of 404"
    page = visitor.open("/")
    SCREENSHOTS.mkdir(exist_ok=True)
    violations: dict[str, str] = {}
    for state in Journey(page, newsdesk).states():
        page.evaluate(SETTLED)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=SCREENSHOTS / f"{state}-{width}-{scheme}.png")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (state, width)
            if width < 2560:
                found = Axe().run(page, options={"runOnly": AXE_TAGS})
                if found.violations_count:
                    violations[f"{state} {width}"] = found.generate_report()
    assert not violations, "\n".join(f"{where}: {what}" for where, what in violations.items())


AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def test_every_error_code_has_words_of_its_own(make_visitor: MakeVisitor) -> None:
    def below(kind: type[errors.CourseError]) -> Iterator[type[errors.CourseError]]:
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    codes = {"cancelled", "crashed", *(kind.code for kind in below(errors.CourseError))}
    words = (
        make_visitor()
        .open("/")
        .evaluate(
            """async (codes) => {
          const { failureText } = await import("/static/words.js");
          return Object.fromEntries([...codes, "?"].map((code) => [code, failureText({ error_code: code })]));
        }""",
            sorted(codes),
        )
    )
    assert len(set(words.values())) == len(codes) + 1, words


# --- nothing jumps --------------------------------------------------------------------------------------


def plan(newsdesk: Desk, make_visitor: MakeVisitor, width: int = 1280, **options: Any) -> tuple[Course, Page]:
    """A course of forty hours up to its parts, and somebody who watches it."""
    course = newsdesk.course(parts=24)
    viewport = {"width": width, "height": WIDTHS[width]}
    page = make_visitor(viewport=viewport, **options).open(f"/c/{course.id}")
    expect(page.locator("#now")).to_have_text("Reading your request…")
    course.to(3)
    for n in range(1, 8):
        course.draft("parts", n, {"parts": [{"title": f"Part {i}", "why": "x" * 90} for i in range(n)]})
    course.step()
    expect(page.locator(".part")).to_have_count(24)
    return course, page


def write(course: Course, page: Page) -> None:
    """Let all its sections stream in, with drafts, and settle."""
    for part in range(24):
        course.draft(f"sections:{part}", 8 + part, typed("A title", "A summary that is typed " * part))
        course.step()
    expect(page.locator(".part .lines")).to_have_count(0)
    page.evaluate(SETTLED)


def finish(course: Course, page: Page) -> None:
    course.finish()
    page.locator("#course[data-status=complete]").wait_for()
    page.evaluate(SETTLED)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_jumps_while_a_long_course_streams_in(
    make_visitor: MakeVisitor, newsdesk: Desk, width: int, motion: Any
) -> None:
    course, page = plan(newsdesk, make_visitor, width, reduced_motion=motion)
    write(course, page)
    assert page.evaluate("shifts") == []
    finish(course, page)
    # Without motion, parts shorter than the screen give back at the end what was kept free for them.
    spare = 0.05 if motion == "reduce" else 0
    assert page.evaluate("shifts.reduce((sum, [, value]) => sum + value, 0)") <= spare


HEIGHTS = "() => ['#title', '.part'].map((place) => document.querySelector(place).offsetHeight)"


def test_room_is_kept_on_a_screen_only_and_for_parts_while_they_are_written(
    make_visitor: MakeVisitor, newsdesk: Desk
) -> None:
    """Without motion; the heading keeps its room, since giving it back would move all that is read."""
    course, page = plan(newsdesk, make_visitor, 360, reduced_motion="reduce")
    write(course, page)
    page.emulate_media(media="print")
    on_paper = page.evaluate(HEIGHTS)
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(HEIGHTS) == on_paper
    page.emulate_media(media="screen")
    finish(course, page)
    _, part = page.evaluate(HEIGHTS)
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(HEIGHTS)[1] == part


DRAW_A_REVIEW = """async () => {
  const { emptyCourse } = await import("/static/course.js");
  const { drawCourse } = await import("/static/view.js");
  const part = (title, part_index) => {
    const texts = { part_index, title, why: "", content_summary: "" };
    const section = { ...texts, order_index: 0, learning_objectives: [], prerequisites: [], sources: [] };
    return { ...texts, sections: [section] };
  };
  const course = (...titles) => ({ ...emptyCourse("c"), parts: titles.map(part) });
  const turns = [];
  for (const next of [course("old", "old", "old", "old"), course("new", "old", "new", "new")]) {
    for (let more = true; more; ) {
      more = drawCourse(next, new Map());
      turns.push([...document.querySelectorAll(".section h3")].map((title) => title.lastChild.textContent));
    }
  }
  return turns;
}"""


def test_what_a_review_changes_is_drawn_part_by_part(make_visitor: MakeVisitor) -> None:
    """All of it in one frame took longer than any other task of a long course."""
    assert make_visitor().open("/").evaluate(DRAW_A_REVIEW) == [
        ["old"],
        ["old", "old"],
        ["old", "old", "old"],
        ["old", "old", "old", "old"],
        ["new", "old", "old", "old"],
        ["new", "old", "new", "old"],
        ["new", "old", "new", "new"],
    ]


WATCH_WHAT_IS_READ = """(selector) => {
  const element = document.querySelector(selector);
  element.scrollIntoView({ behavior: "instant" });
  window.tops = [];
  const look = () => requestAnimationFrame(() => setTimeout(() => {
    tops.push(element.getBoundingClientRect().top);
    look();
  }));
  look();
}"""


def test_what_is_read_stays_in_its_place(make_visitor: MakeVisitor, newsdesk: Desk) -> None:
    course, page = plan(newsdesk, make_visitor)
    page.evaluate(SETTLED)
    page.evaluate(WATCH_WHAT_IS_READ, "#part-9")
    write(course, page)
    finish(course, page)
    tops = page.evaluate("tops")
    assert max(tops) - min(tops) < 3


# --- what models and books say is text ------------------------------------------------------------------

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
  const parts = [{ ...part, sections: [section] }, { ...part, part_index: 1, sections: [] }];
  const log = [
    { type: "course_requested" },
    { type: "book_summaries_found", books: [{ book_id: "b", book_title: hostile, score: 1, chapters: [
      { chapter_number: 1, chapter_title: hostile, score: 1 }] }] },
    { type: "parts_generated", parts: [part, { ...part, part_index: 1 }] },
    { type: "part_sections_generated", part_index: 0, sections: [section] },
    { type: "outline_reviewed", title: hostile, author: hostile, parts, quality: { notes: [hostile] },
      changes: [hostile] },
    { type: "course_failed", status: "error", error: hostile, error_code: hostile, retryable: true },
  ];
  document.getElementById("start").hidden = true;
  document.getElementById("course").hidden = false;
  let course = emptyCourse("c");
  log.forEach((message, i) => {
    course = fold(course, { seq: i + 1, at: "2026-01-01T00:00:00Z", status: "processing", hours: 1,
      query: hostile, phase: "generating_sections", progress: { percent: 50, parts_done: 1 }, ...message });
    const value = { sections: [{ title: hostile }] };
    if (i === 3) course = foldDraft(course, { task: "sections:1", value });
    drawCourse(course, new Map([["b", "javascript:alert(5)"]]), false);
    if (i === 3) window.draft = document.querySelector(".part .lines li").textContent;
  });
}"""


@pytest.mark.parametrize(
    "text", [HOSTILE, "\u202eright to left עברית عربي", "W" * 10_000], ids=["markup", "bidi", "long"]
)
def test_text_of_models_never_becomes_markup(make_visitor: MakeVisitor, text: str) -> None:
    page = make_visitor(viewport={"width": 360, "height": 800}).open("/")
    page.evaluate(DRAW_HOSTILE, text)
    shown = text if len(text) <= 2_000 else f"{text[:2_000]}…"  # or it takes seconds to lay out
    for place in ("#title", ".section h3 span:last-child", "#failure > p", ".part:last-child h2"):
        expect(page.locator(place)).to_have_text(shown)
    assert page.evaluate("draft") == shown
    assert page.locator("#course :is(img, script, iframe)").count() == 0
    links = [link.get_attribute("href") for link in page.locator("#course a[target]").all()]
    assert links == ["https://books.example/1"]
    assert "javascript:alert(3)" in page.locator(".where").first.inner_text()  # to be read, not opened
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_text_that_runs_the_other_way_keeps_to_itself(make_visitor: MakeVisitor) -> None:
    page = make_visitor().open("/")
    page.evaluate(DRAW_HOSTILE, "שלום")
    directions = page.evaluate(
        """(places) => places.map((place) => {
          const { direction, unicodeBidi } = getComputedStyle(document.querySelector(place));
          return [direction, unicodeBidi === "isolate" || unicodeBidi === "plaintext"];
        })""",
        ["#title", ".part h2", ".section h3 span:last-child", ".section .minutes", ".where"],
    )
    assert directions[:3] == [["rtl", True]] * 3
    assert [direction for direction, _ in directions[3:]] == ["ltr", "ltr"]
    assert page.locator(".where bdi").count() >= 2


# --- light, and from here --------------------------------------------------------------------------------


def test_the_page_is_light() -> None:
    sizes = {file.name: file.stat().st_size for file in STATIC.iterdir() if file.suffix in SHIPPED}
    assert sum(sizes.values()) <= MOST_BYTES, sizes


SHIPPED = {".html", ".js", ".css", ".svg"}


def test_the_policy_allows_no_inline_code_and_no_other_host(newsdesk: Desk) -> None:
    policy = httpx2.get(f"{newsdesk.web.base_url}/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "http:" not in policy
    assert "require-trusted-types-for 'script'" in policy
