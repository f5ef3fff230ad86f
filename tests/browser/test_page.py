"""The page in a real Chromium on real servers: one asks for a course, watches it, interrupts it, reads it."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import CHROMIUM, MakeVisitor, ModelHouse, Visitor
from tests.running import RunningHouse

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]

COURSE_MS = 60_000


def ask(page: Page, query: str = "Learn DCF valuation", hours: str = "3") -> str:
    """Fill in the form and send it; return the course's id."""
    page.get_by_label("Topic or goal").fill(query)
    page.get_by_label("Hours").fill(hours)
    page.get_by_role("button", name="Write my course").click()
    return course_at(page)


def course_at(page: Page) -> str:
    page.wait_for_url(re.compile(r"/c/[0-9a-f-]{36}$"))
    return page.url.rsplit("/", 1)[1]


def wait_for(page: Page, status: str) -> None:
    page.locator(f"#course[data-status={status}]").wait_for(timeout=COURSE_MS)


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


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Press Tab until `target` has the focus, as somebody without a mouse does."""
    for _ in range(most):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached with {most} tabs")


# --- the journey --------------------------------------------------------------------------------------


def test_a_learner_gets_a_course_in_one_click(visitor: Visitor, running_house: RunningHouse) -> None:
    page = visitor.open("/")
    page.get_by_role("button", name="Learn DCF valuation").click()
    course_id = course_at(page)
    wait_for(page, "complete")

    assert as_titles(page) == stored_titles(running_house, course_id)
    for selector in (".part > header .minutes", ".section .minutes"):
        assert sum(map(minutes, page.locator(selector).all_text_contents())) == 120, selector
    widths = page.locator("#spines li").evaluate_all("(spines) => spines.map((spine) => spine.offsetWidth)")
    lengths = [minutes(text) for text in page.locator(".part > header .minutes").all_text_contents()]
    assert widths == pytest.approx([length / 120 * sum(widths) for length in lengths], abs=2)
    expect(page.locator("#asked")).to_contain_text("2 h · balanced · moderate pace")
    expect(page.locator("#phases .done")).to_have_count(5)
    expect(page.locator("#quality")).to_contain_text("2 h planned")
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

    title = page.locator("#title").inner_text()
    page.get_by_role("link", name="New course").click()
    page.locator("#recent").get_by_role("link", name=title).first.click()
    wait_for(page, "complete")
    assert page.url.endswith(course_id)
    assert as_titles(page) == stored_titles(running_house, course_id)


def test_wishes_reach_the_server(visitor: Visitor, running_house: RunningHouse) -> None:
    page = visitor.open("/")
    page.get_by_label("Depth").select_option("Technical")
    page.get_by_label("Pace").select_option("Quick")
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
    expect(page.locator("#course aside")).to_be_hidden()
    page.get_by_role("link", name="New course").click()
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
    expect(page.locator("#connection")).to_contain_text("Live")
    page.locator(".drafts li").first.wait_for()
    page.locator(".part .lines").first.wait_for()
    wait_for(page, "complete")
    expect(page.locator(".drafts li")).to_have_count(0)
    assert page.evaluate("shifts") == []


def test_a_reload_in_the_middle_and_a_second_device_see_all_of_it(
    model_visitor: Visitor, model_house: ModelHouse, make_visitor: MakeVisitor
) -> None:
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
    second_device = make_visitor(model_house.base_url).open(f"/c/{course_id}")
    wait_for(second_device, "complete")
    assert second_device.locator("#course").inner_text() == page.locator("#course").inner_text()


def test_cancel_and_try_again(model_visitor: Visitor, model_house: ModelHouse) -> None:
    page = model_visitor.open("/")
    course_id = ask(page)
    page.locator(".part").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, "error")
    expect(page.get_by_role("heading", name="Cancelled")).to_be_focused()  # not lost with the button
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
    expect(page.locator("#failure h2")).to_have_text("The author is not set up")
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


def test_screen_readers_hear_of_phases_not_of_every_section(model_visitor: Visitor) -> None:
    page = model_visitor.open("/")
    page.evaluate(
        """() => {
          window.heard = [];
          const note = () => heard.push(document.getElementById("spoken").textContent);
          new MutationObserver(note).observe(document.getElementById("spoken"), { childList: true });
        }"""
    )
    ask(page, hours="6")
    wait_for(page, "complete")
    expect(page.locator("#spoken")).to_contain_text("Your course is ready")
    heard = page.evaluate("heard")
    assert len(heard) == len(set(heard)) <= 5
    assert page.locator("[aria-live], [role=status], output").count() == 1


# --- without a mouse -----------------------------------------------------------------------------------


def test_the_whole_journey_works_with_the_keyboard_alone(
    visitor: Visitor, running_house: RunningHouse
) -> None:
    page = visitor.open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    query = page.get_by_label("Topic or goal")
    tab_to(page, query)
    page.keyboard.type("Learn DCF")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("valuation")
    expect(query).to_have_value("Learn DCF\nvaluation")
    tab_to(page, page.get_by_label("Pace"))
    page.keyboard.press("ArrowUp")
    tab_to(page, page.get_by_text("Style and notes"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Anything else worth knowing?"))
    page.keyboard.type("no calculus")
    page.keyboard.press("Shift+Tab")
    tab_to(page, page.get_by_role("button", name="Write my course"))
    page.keyboard.press("Enter")
    course_id = course_at(page)
    expect(page.locator("#title")).to_be_focused()
    wait_for(page, "complete")
    course = httpx2.get(f"{running_house.base_url}/courses/{course_id}").json()["course"]
    assert course["preferences"] == {"depth": "balanced", "pace": "quick", "additional_notes": "no calculus"}

    tab_to(page, page.locator("#spines a").last)
    page.keyboard.press("Enter")
    expect(page.locator(".part").last).to_be_in_viewport()
    page.locator("#title").focus()
    delete = page.get_by_role("button", name="Delete", exact=True)
    tab_to(page, delete)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Delete it"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What would you like to learn?")).to_be_focused()
    assert httpx2.get(f"{running_house.base_url}/courses/{course_id}").status_code == 404


def test_the_heading_says_the_topic_when_it_gets_the_focus(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.evaluate(
        """() => {
          window.heard = [];
          addEventListener("focusin", ({ target }) => heard.push(target.textContent));
        }"""
    )
    page.get_by_role("button", name="Learn DCF valuation").click()
    expect(page.locator("#title")).to_be_focused()
    assert page.evaluate("heard") == ["Learn DCF valuation", "Learn DCF valuation"]  # the chip, the heading


def test_enter_sends_the_query(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_label("Topic or goal").fill("Learn DCF valuation")
    page.keyboard.press("Enter")
    course_at(page)


# --- keeping, copying, deleting ------------------------------------------------------------------------


def test_a_recent_course_is_deleted_only_when_one_is_sure(
    visitor: Visitor, running_house: RunningHouse
) -> None:
    for query in ("Learn DCF valuation", "Learn statistics"):
        httpx2.post(f"{running_house.base_url}/courses", json={"query": query}).raise_for_status()
    page = visitor.open("/")
    rows = page.locator("#recent li")
    expect(rows.nth(1)).to_be_visible()
    href = rows.first.locator("a").get_attribute("href")
    assert href
    for answer in ("Keep it", "Delete it"):
        rows.first.get_by_role("button").click()
        page.get_by_role("button", name=answer).click()
    expect(page.locator(f"#recent a[href='{href}']")).to_have_count(0)
    expect(rows.first.get_by_role("button")).to_be_focused()
    expect(page.locator("#spoken")).to_contain_text("Deleted")
    gone = running_house.base_url + href.replace("/c/", "/courses/")
    assert httpx2.get(gone).status_code == 404


@pytest.mark.parametrize("secure", [True, False], ids=["secure", "plain-http"])
def test_a_course_is_copied_and_kept_as_markdown(
    make_visitor: MakeVisitor, running_house: RunningHouse, secure: bool
) -> None:
    visitor = make_visitor(running_house.base_url)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not secure:
        visitor.context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page = visitor.open("/")
    course_id = ask(page)
    wait_for(page, "complete")
    markdown = httpx2.get(f"{running_house.base_url}/courses/{course_id}.md").text
    page.evaluate("addEventListener('copy', () => { window.copied = document.activeElement.value; })")
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    copied = "navigator.clipboard.readText()" if secure else "copied"
    assert page.evaluate(copied) == markdown
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_text() == markdown
    assert download.value.suggested_filename.endswith(".md")


def test_on_paper_a_course_is_its_outline(visitor: Visitor) -> None:
    page = visitor.open("/")
    ask(page)
    wait_for(page, "complete")
    page.emulate_media(media="print")
    expect(page.locator(".section").first).to_be_visible()
    for left_out in (".masthead", "#course aside"):
        expect(page.locator(left_out)).to_be_hidden()


# --- written in a blink --------------------------------------------------------------------------------

WATCH_ANIMATIONS = """
  window.begun = 0;
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (frames, { delay = 0, duration }) {
    if (frames.opacity) window.begun += 1;
    window.longest = Math.max(window.longest ?? 0, delay + duration);
    return animate.apply(this, arguments);
  };
"""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_is_written_in_a_blink_is_shown_within_two_seconds(
    make_visitor: MakeVisitor, running_house: RunningHouse, motion: Any
) -> None:
    visitor = make_visitor(running_house.base_url, reduced_motion=motion)
    visitor.context.add_init_script(WATCH_ANIMATIONS)
    page = visitor.open("/")
    course_id = ask(page, hours="40")
    wait_for(page, "complete")
    assert as_titles(page) == stored_titles(running_house, course_id)  # all there, whatever fades in
    if motion == "reduce":
        assert page.evaluate("begun + document.getAnimations().length") == 0
    else:
        assert page.evaluate("begun") > 20
        assert page.evaluate("longest") <= 2_000
    page.reload()
    wait_for(page, "complete")
    assert page.evaluate("begun") == 0  # it is not new any more


def test_every_example_is_covered_by_the_library(visitor: Visitor, running_house: RunningHouse) -> None:
    examples = visitor.open("/").locator(".chip").all_inner_texts()
    assert len(examples) >= 3
    with httpx2.Client(base_url=running_house.base_url) as http:
        made = [http.post("/courses", json={"query": text}).json()["course_id"] for text in examples]
        deadline = time.monotonic() + 20
        for course_id in made:
            while (view := http.get(f"/courses/{course_id}/status").json())["status"] == "processing":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert view["status"] == "complete"
