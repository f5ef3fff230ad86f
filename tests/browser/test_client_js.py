"""The JavaScript client in a real Chromium: interrupted viewers see what an undisturbed one sees."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import node
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.proxy import Proxy, proxy_to
from tests.browser.writing import Course, Desk
from tests.processes import ROOT

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]

STATIC = ROOT / "static"
QUICK = {
    "firstMs": 300,
    "silenceMs": 20_000,
    "browserRetryMs": 4_000,
    "climbMs": 60_000,
    "backoffMs": 100,
    "longestBackoffMs": 400,
}
"""Timing for tests: what waits for a timer in life waits for tenths of a second here."""

VIEWER = """
  window.viewers = {};
  window.watch = async (name, id, options = {}) => {
    const { watchCourse } = await import("/static/coursecast.js");
    const { emptyCourse, fold, foldDraft } = await import("/static/course.js");
    const viewer = { log: [], drafts: [], ends: [], errors: [], connections: [], resets: 0 };
    window.viewers[name] = viewer;
    viewer.course = emptyCourse(id);
    viewer.handle = watchCourse(id, {
      ...options,
      onUpdate: (message) => { viewer.log.push(message); viewer.course = fold(viewer.course, message); },
      onDraft: (draft) => {
        viewer.drafts.push(draft.value);
        viewer.course = foldDraft(viewer.course, draft);
      },
      onReset: () => { viewer.resets += 1; viewer.log = []; viewer.course = emptyCourse(id); },
      onEnd: (end) => viewer.ends.push(end),
      onError: ({ status, message }) => viewer.errors.push(status),
      onConnection: (connection) => viewer.connections.push(connection),
    });
  };
"""


class Viewer:
    """A tab that watches a course."""

    def __init__(self, page: Page, course: Course, name: str, **options: Any) -> None:
        self.page, self.course, self.name = page, course, name
        options = {"timing": QUICK, **options}
        page.evaluate("([name, id, options]) => watch(name, id, options)", [name, course.id, options])

    def get(self, what: str) -> Any:
        return self.page.evaluate(f"(name) => viewers[name].{what}", self.name)

    def wait(self, what: str, timeout_ms: float = 30_000) -> None:
        """Wait until an expression about the viewer `v` is true."""
        self.page.wait_for_function(
            f"(name) => {{ const v = viewers[name]; return {what}; }}",
            arg=self.name,
            timeout=timeout_ms,
            polling=20,
        )

    def wait_seq(self, seq: int | None = None) -> None:
        self.wait(f"v.log.length >= {seq or self.course.seq}")

    def wait_live(self, transport: str) -> None:
        self.wait(f"v.handle.connection.transport === '{transport}'")
        self.wait_state("live", "polling")

    def wait_state(self, *states: str) -> None:
        self.wait(f"{list(states)}.includes(v.handle.connection.state)")

    def assert_undisturbed(self, log: list[dict[str, Any]]) -> None:
        """Each message once and in order, and the fold is that of the whole log."""
        assert self.get("log") == log
        plain = """async ([id, log]) => {
          const { emptyCourse, fold } = await import("/static/course.js");
          return log.reduce(fold, emptyCourse(id));
        }"""
        assert self.get("course") == self.page.evaluate(plain, [self.course.id, log])
        assert [end["status"] for end in self.get("ends")] == [log[-1]["status"]]
        assert self.get("errors") == []


def logged(newsdesk: Desk, course: Course) -> list[dict[str, Any]]:
    view = httpx2.get(f"{newsdesk.web.base_url}/courses/{course.id}/status?after=0").json()
    assert not view["more"]
    return list(view["events"])


@pytest.fixture(scope="module")
def browser(newsdesk: Desk) -> Iterator[Browser]:
    arguments = [*ARGUMENTS, "--host-resolver-rules=MAP plain.test 127.0.0.1"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def proxy(newsdesk: Desk) -> Iterator[Proxy]:
    with proxy_to(newsdesk.web.port) as found:
        yield found


@pytest.fixture
def context(browser: Browser, proxy: Proxy) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=proxy.url)
    made.add_init_script(VIEWER)
    made.set_default_timeout(30_000)
    yield made
    made.close()


MakeViewer = Callable[..., Viewer]


@pytest.fixture
def view(context: BrowserContext) -> MakeViewer:
    """Return a function that opens a tab with a viewer in it."""

    def make(course: Course, *, name: str = "v", page: Page | None = None, **options: Any) -> Viewer:
        if page is None:
            page = context.new_page()
            page.goto("/healthz")
        return Viewer(page, course, name, **options)

    return make


# --- undisturbed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", [None, "sse", "websocket", "long-poll", "polling"])
def test_each_transport_brings_the_whole_course(
    view: MakeViewer, newsdesk: Desk, transport: str | None
) -> None:
    course = newsdesk.course()
    course.to(3)
    viewer = view(course, **({"transport": transport} if transport else {}))
    viewer.wait_seq()
    viewer.wait_live(transport or "sse")
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))
    assert viewer.get("handle.connection.state") == "closed"


def test_polling_is_paced_by_the_server_and_conditional(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy
) -> None:
    course = newsdesk.course()
    viewer = view(course, transport="polling")
    viewer.wait_seq()
    viewer.page.wait_for_timeout(2_300)
    course.finish()
    viewer.wait("v.ends.length")
    polls = proxy.asked("/status ")
    assert len(polls) in (2, 3)
    assert "if-none-match: w/" in polls[1].lower()
    viewer.assert_undisturbed(logged(newsdesk, course))


def test_a_cursor_beyond_the_log_starts_it_anew(view: MakeViewer, newsdesk: Desk) -> None:
    course = newsdesk.course()
    course.finish()
    viewers = [
        view(course, after=99, **options)
        for options in ({}, {"transport": "sse"}, {"transport": "websocket"}, {"transport": "long-poll"})
    ]
    for viewer in viewers:
        viewer.wait("v.ends.length")
        assert viewer.get("resets") == 1
        viewer.assert_undisturbed(logged(newsdesk, course))


@pytest.mark.parametrize("transport", [None, "sse", "websocket", "long-poll", "polling"])
def test_who_has_everything_is_told_the_end_and_who_asks_for_nothing_that_it_is_not_there(
    view: MakeViewer, newsdesk: Desk, transport: str | None
) -> None:
    options = {"transport": transport} if transport else {}
    course = newsdesk.course()
    course.finish()
    viewer = view(course, after=course.seq, **options)
    viewer.wait("v.ends.length")
    assert viewer.get("log") == []
    assert viewer.get("ends") == [{"course_id": course.id, "seq": course.seq, "status": "complete"}]

    course.id = "00000000-0000-4000-8000-000000000000"
    unknown = view(course, page=viewer.page, name="unknown", **options)
    unknown.wait("v.errors.length")
    assert unknown.get("errors") == [404]
    assert unknown.get("ends") == []


def test_a_course_that_was_stopped_and_retried_can_be_watched_on(view: MakeViewer, newsdesk: Desk) -> None:
    course = newsdesk.course()
    course.to(4)
    viewer = view(course)
    viewer.wait_seq()
    httpx2.post(f"{newsdesk.web.base_url}/courses/{course.id}/cancel").raise_for_status()
    viewer.wait("v.ends.length")
    assert viewer.get("course.status") == "error"

    httpx2.post(f"{newsdesk.web.base_url}/courses/{course.id}/retry").raise_for_status()
    again = view(course, page=viewer.page, name="again", after=viewer.get("handle.cursor"))
    again.wait("v.log.length")
    course.take_again()
    course.finish()
    again.wait("v.ends.length")
    assert viewer.get("log") + again.get("log") == logged(newsdesk, course)
    assert [end["status"] for end in again.get("ends")] == ["complete"]


@pytest.mark.parametrize("transport", [None, "sse", "websocket"])
def test_stale_drafts_are_dropped(view: MakeViewer, newsdesk: Desk, transport: str | None) -> None:
    course = newsdesk.course()
    course.to(3)
    viewer = view(course, **({"transport": transport} if transport else {}))
    viewer.wait_seq()
    viewer.wait_live(transport or "sse")
    course.draft("parts", 1, "first")
    viewer.wait("v.drafts.length === 1")
    course.draft("parts", 1, "repeated")
    course.draft("parts", 9, "of an older run", fence=0)
    course.step()
    course.draft("parts", 10, "of a finished task")
    course.draft("sections:0", 11, "of the next task")
    viewer.wait("v.drafts.includes('of the next task')")
    assert viewer.get("drafts") == ["first", "of the next task"]
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))


# --- interrupted --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "refused", "left"),
    [
        ("refuses", "/events", "websocket"),
        ("refuses", "/ws", "sse"),
        ("refuses", "/events|/ws", "long-poll"),
        ("refuses", "/events|/ws|wait_s=[1-9]", "polling"),
        ("buffers", "/events", "websocket"),
        ("buffers", "/events|/ws", "long-poll"),
    ],
)
def test_what_a_proxy_refuses_or_keeps_back_comes_another_way(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy, how: str, refused: str, left: str
) -> None:
    setattr(proxy, how, refused)
    course = newsdesk.course()
    course.to(3)
    viewer = view(course)
    viewer.wait_seq()
    viewer.wait_live(left)
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))


def test_news_that_a_proxy_keeps_back_on_a_quiet_stream_are_missed_soon(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy
) -> None:
    proxy.buffers = "/events"
    course = newsdesk.course()
    course.to(3)
    viewer = view(course, after=3)
    viewer.wait("v.handle.connection.state === 'live' || v.connections.length > 0")
    course.step()
    viewer.wait("v.log.length === 1")
    viewer.wait_live("websocket")


def test_a_better_transport_is_taken_again_when_it_comes_through(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy
) -> None:
    proxy.refuses = "/events|/ws|wait_s=[1-9]"
    course = newsdesk.course()
    viewer = view(course, timing=QUICK | {"climbMs": 800})
    viewer.wait_live("polling")
    for refused, path, transport in (("/events|wait_s=[1-9]", "/ws", "websocket"), (None, "/events", "sse")):
        proxy.refuses = refused
        proxy.forget()
        proxy.wait_for(path)
        course.step()  # a connection is taken for better once something comes over it
        viewer.wait_live(transport)
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))


def test_a_server_that_is_killed_and_comes_back_is_forgiven(view: MakeViewer, newsdesk: Desk) -> None:
    course = newsdesk.course()
    course.to(2)
    viewers: dict[str | None, Viewer] = {None: view(course)}
    for transport in ("sse", "websocket", "long-poll", "polling"):
        viewers[transport] = view(course, page=viewers[None].page, name=transport, transport=transport)
    for viewer in viewers.values():
        viewer.wait_seq()
    newsdesk.web.kill()
    course.to(4)
    for viewer in viewers.values():
        viewer.wait_state("waiting")
        assert viewer.get("ends") == []
    newsdesk.web.restart()
    newsdesk.web.wait_ready()
    for viewer in viewers.values():
        viewer.wait_seq()
    course.finish()
    for viewer in viewers.values():
        viewer.wait("v.ends.length")
        viewer.assert_undisturbed(logged(newsdesk, course))


def test_a_network_that_goes_and_comes_back_is_noticed_at_once(
    view: MakeViewer, newsdesk: Desk, context: BrowserContext, proxy: Proxy
) -> None:
    course = newsdesk.course()
    course.to(2)
    patient = QUICK | {"browserRetryMs": 500, "backoffMs": 600_000, "longestBackoffMs": 600_000}
    viewer = view(course, timing=patient)
    viewer.wait_live("sse")
    proxy.cut = True
    context.set_offline(True)
    proxy.drop()
    viewer.wait("v.handle.connection.state === 'offline' && v.handle.connection.retryAt")
    course.to(4)
    proxy.cut = False
    context.set_offline(False)
    viewer.wait_seq()
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))


def test_a_tab_that_is_looked_at_again_does_not_wait(view: MakeViewer, newsdesk: Desk, proxy: Proxy) -> None:
    course = newsdesk.course()
    patient = QUICK | {"browserRetryMs": 300, "backoffMs": 600_000, "longestBackoffMs": 600_000}
    viewer = view(course, timing=patient)
    viewer.wait_live("sse")
    proxy.cut = True
    proxy.drop()
    viewer.wait("v.handle.connection.retryAt")
    proxy.cut = False
    course.step()
    viewer.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    viewer.wait_seq()


def test_an_event_source_that_the_browser_closed_for_good_is_made_anew(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy
) -> None:
    course = newsdesk.course()
    viewer = view(course, transport="sse")
    viewer.wait_live("sse")
    proxy.refuses = "/events"
    proxy.drop("/events")
    viewer.wait_state("waiting")
    viewer.wait("v.handle.connection.retryAt")
    proxy.refuses = None
    course.step()
    viewer.wait_seq()
    viewer.wait_live("sse")


@pytest.mark.parametrize("transport", ["sse", "websocket", "long-poll"])
def test_a_stream_that_ends_is_no_end(view: MakeViewer, newsdesk: Desk, proxy: Proxy, transport: str) -> None:
    course = newsdesk.course()
    viewer = view(course, transport=transport)
    viewer.wait_seq()
    viewer.wait_live(transport)
    proxy.drop("/events|/ws|wait_s")
    viewer.wait_state("waiting", "connecting")
    assert viewer.get("ends") == []
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))


def test_a_gap_is_read_before_anything_after_it(
    view: MakeViewer, newsdesk: Desk, context: BrowserContext
) -> None:
    def forgetful(route: Any) -> None:
        server = route.connect_to_server()
        server.on_message(lambda message: route.send(message) if '"seq":3,"type"' not in message else None)

    context.route_web_socket("**/ws", forgetful)
    course = newsdesk.course()
    viewer = view(course, transport="websocket")
    viewer.wait_seq()
    course.finish()
    viewer.wait("v.ends.length")
    viewer.assert_undisturbed(logged(newsdesk, course))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1000, "v.log.length && !v.ends.length && !v.errors.length && v.connections.length > 3"),
        (1012, "v.log.length && !v.errors.length && v.connections.length > 3"),
        (4400, "v.errors[0] === 400"),
        (4401, "v.errors[0] === 401"),
        (4404, "v.errors[0] === 404"),
        (4429, "!v.errors.length && v.handle.connection.retryAt - Date.now() > 9000"),
    ],
)
def test_close_codes_say_whether_to_come_back(
    view: MakeViewer, newsdesk: Desk, context: BrowserContext, code: int, expected: str
) -> None:
    context.route_web_socket("**/ws", lambda route: route.close(code=code, reason="because"))
    viewer = view(newsdesk.course(), transport="websocket")
    viewer.wait(expected)


def test_retry_after_is_honoured(view: MakeViewer, newsdesk: Desk, context: BrowserContext) -> None:
    asked = []

    def busy(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(
            status=503, headers={"Retry-After": "7"}, json={"error": {"code": "busy", "message": "Busy"}}
        )

    context.route("**/status*", busy)
    viewer = view(newsdesk.course(), transport="polling")
    viewer.wait("v.handle.connection.retryAt")
    assert viewer.get("handle.connection.retryAt - Date.now()") > 6_000
    assert len(asked) == 1


def test_callbacks_that_throw_are_reported_and_do_not_stop_the_watch(
    view: MakeViewer, newsdesk: Desk
) -> None:
    course = newsdesk.course()
    viewer = view(course)
    viewer.wait_seq()
    reported: list[str] = []
    viewer.page.on("pageerror", lambda error: reported.append(str(error)))
    viewer.page.evaluate("() => { viewers.v.log.push = () => { throw new Error('mine') } }")
    course.step()
    course.finish()
    viewer.wait("v.ends.length")
    assert len(reported) == course.seq - 1


# --- many tabs ----------------------------------------------------------------------------------------


def test_ten_tabs_share_one_connection_and_lose_nothing_when_the_leading_one_goes(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy
) -> None:
    course = newsdesk.course()
    course.to(2)
    viewers = [view(course) for _ in range(9)]
    for viewer in viewers:
        viewer.wait_live("sse")
        viewer.wait_seq()
    course.to(4)
    viewers.append(view(course))  # late
    for viewer in viewers:
        viewer.wait_seq()
    assert proxy.most_streams == 1
    course.draft("sections:0", 1, "seen by all")
    for viewer in viewers:
        viewer.wait("v.drafts.length === 1")

    leader = viewers.pop(0)
    leader.page.close()
    course.step()
    for viewer in viewers:
        viewer.wait_seq()
    proxy.wait_for("/events")
    assert len(proxy.streams) == 1
    newsdesk.web.kill()
    course.step()
    for viewer in viewers:
        viewer.wait_state("waiting")
    newsdesk.web.restart()
    newsdesk.web.wait_ready()
    for viewer in viewers:
        viewer.wait_seq()
    proxy.wait_for("/events")
    assert len(proxy.streams) == 1
    course.finish()
    log = logged(newsdesk, course)
    for viewer in viewers:
        viewer.wait("v.ends.length")
        viewer.assert_undisturbed(log)


def test_tabs_on_different_courses_share_one_socket(view: MakeViewer, newsdesk: Desk, proxy: Proxy) -> None:
    courses = [newsdesk.course() for _ in range(4)]
    viewers = [view(course) for course in courses]
    for viewer in viewers:
        viewer.wait_live("websocket")
        viewer.wait_seq()
    assert [name.split()[1] for name in proxy.streams] == ["/ws"]
    for viewer in viewers:
        viewer.course.finish()
        viewer.wait("v.ends.length")
        viewer.assert_undisturbed(logged(newsdesk, viewer.course))


def test_the_connection_is_closed_when_the_last_tab_stops_to_watch(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy
) -> None:
    course = newsdesk.course()
    first, second = view(course), view(course)
    for viewer in (first, second):
        viewer.wait_live("sse")
    first.page.evaluate("viewers.v.handle.close()")
    course.step()
    second.wait_seq()
    assert len(proxy.streams) == 1
    second.page.evaluate("viewers.v.handle.close()")
    proxy.wait_for_none()


def test_a_tab_whose_leader_hangs_goes_its_own_way_and_comes_back(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy, context: BrowserContext
) -> None:
    course = newsdesk.course()
    leader = view(course)
    leader.wait_live("sse")
    tab = view(course, timing=QUICK | {"silenceMs": 1_500, "climbMs": 500})
    tab.wait_live("sse")
    debugger = context.new_cdp_session(leader.page)
    debugger.send("Debugger.enable")
    with leader.page.expect_event("console"):
        leader.page.evaluate("setTimeout(() => { console.log('hangs'); debugger; })")
    tab.wait_live("websocket")
    course.step()
    tab.wait_seq()
    debugger.send("Debugger.resume")
    debugger.send("Debugger.disable")
    tab.wait_live("sse")
    course.finish()
    log = logged(newsdesk, course)
    for viewer in (leader, tab):
        viewer.wait("v.ends.length")
        viewer.assert_undisturbed(log)


def test_tabs_that_may_not_share_are_all_live(
    view: MakeViewer, newsdesk: Desk, proxy: Proxy, context: BrowserContext
) -> None:
    course = newsdesk.course()
    viewers = []
    for _ in range(8):
        page = context.new_page()
        page.goto(f"http://plain.test:{proxy.port}/healthz")
        viewers.append(view(course, page=page))
    assert viewers[0].page.evaluate("isSecureContext") is False
    for viewer in viewers:
        viewer.wait_live("websocket")
    course.finish()
    for viewer in viewers:
        viewer.wait("v.ends.length")
        viewer.assert_undisturbed(logged(newsdesk, course))


# --- for who takes it home ----------------------------------------------------------------------------

TYPED = """
import { CoursecastError, Cursor, createCourse, watchCourse } from "./coursecast.js";
import type { Connection, Message } from "./coursecast.js";

async function show(): Promise<void> {
  const { course_id } = await createCourse({ query: "Cash flows", preferences: { depth: "technical" } });
  const watch = watchCourse(course_id, {
    after: 3,
    transport: ["sse", "polling"],
    onUpdate: (message: Message) => console.log(message.progress.percent),
    onEnd: ({ status }) => console.log(status === "complete"),
    onError: (error: CoursecastError) => console.log(error.status),
    onConnection: ({ state, retryAt }: Connection) => console.log(state === "waiting" && retryAt),
  });
  console.log(watch.cursor + 1, watch.connection.lastEventAt);
  console.log(new Cursor().takeDraft({ task: "parts", fence: 1, n: 1 }));
  watch.close();
  // @ts-expect-error there is no such depth
  await createCourse({ query: "Learn DCF valuation", preferences: { depth: "deep" } });
  // @ts-expect-error there is no such transport
  watchCourse(course_id, { transport: "pigeon" });
}
show();
"""


@pytest.mark.node
@pytest.mark.skipif(node.IS_MISSING, reason=node.REASON)
def test_the_types_are_those_that_a_typescript_project_needs(tmp_path: Path) -> None:
    for name in ("coursecast.js", "coursecast.d.ts"):
        shutil.copy(STATIC / name, tmp_path)
    (tmp_path / "typed.ts").write_text(TYPED)
    compiler = node.PACKAGES / "node_modules/typescript/bin/tsc"
    options = [
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
    ]
    checked = subprocess.run(
        [node.NODE, compiler, *options, "--lib", "es2022,dom", "typed.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_types_name_what_the_module_exports(view: MakeViewer, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/healthz")
    exported = page.evaluate("async () => Object.keys(await import('/static/coursecast.js'))")
    declared = re.findall(
        r"^export (?:class|function) (\w+)", (STATIC / "coursecast.d.ts").read_text(), re.MULTILINE
    )
    assert sorted(exported) == sorted(declared)
