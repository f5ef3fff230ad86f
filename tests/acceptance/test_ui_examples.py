"""The examples of docs/ui-integration.md, run as the document says: on another origin, in a real browser.

The pages come from ``localhost:5173``, where front-end tools serve them, and talk to ``localhost:8000``. The
browser is told which ports these are today; the files are used as they are.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from tests import node
from tests.acceptance.conftest import PAGES
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.gated import GatedCourse, Stage
from tests.processes import ROOT, Web

EXAMPLES = ROOT / "docs/examples"
DOCUMENT = (ROOT / "docs/ui-integration.md").read_text("utf-8")

expect.set_options(timeout=20_000)
pytestmark = pytest.mark.asyncio(loop_scope="session")
in_a_browser = [
    pytest.mark.chromium,
    pytest.mark.node,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
    pytest.mark.skipif(node.IS_MISSING, reason=node.REASON),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A front-end developer's project: the examples, the client copied beside them, the React page built."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
    (folder / "coursecast").mkdir()
    for name in clients_files():
        shutil.copy(ROOT / "static" / name, folder / "coursecast" / name)
    (folder / "favicon.ico").touch()
    (folder / "react.html").write_text(
        '<!doctype html><html lang="en"><title>React</title><div id="root"></div>'
        '<script type="module" src="built.js"></script>'
    )
    build = ["course-page.jsx", "--bundle", "--format=esm", "--jsx=automatic", "--outfile=built.js"]
    subprocess.run(
        [node.NODE, node.PACKAGES / "node_modules/esbuild/bin/esbuild", *build, "--log-level=warning"],
        cwd=folder,
        env={**os.environ, "NODE_PATH": str(node.PACKAGES / "node_modules")},
        check=True,
        timeout=60,
    )
    return folder


def clients_files() -> list[str]:
    """Return the files that the document says to copy."""
    sentence = re.search(r"^Copy (.+?) into", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert sentence
    return re.findall(r"`([\w.]+)`", sentence[1])


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site_port(site: Path) -> Iterator[int]:
    handler = functools.partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(loop_scope="session")
async def page(web: Web, site_port: int) -> AsyncIterator[Page]:
    """A page of the other origin; the test fails on whatever its console complains about."""
    rules = f"MAP localhost:5173 127.0.0.1:{site_port}, MAP localhost:8000 127.0.0.1:{web.port}"
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, f"--host-resolver-rules={rules}"]
        )
        opened = await browser.new_page(base_url=PAGES)
        opened.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        await browser.close()
    assert complaints == []


async def ask(page: Page, stage: Stage, query: str = "Learn DCF valuation") -> GatedCourse:
    """Fill in the form and send it; return the course that the page asked for."""
    await page.get_by_label("What would you like to learn?").fill(query)
    await page.get_by_label("Hours").fill("3")
    async with page.expect_response(lambda r: r.request.method == "POST" and r.status == 202) as asked:
        await page.get_by_role("button", name="Write my course").click()
    return stage.adopt((await (await asked.value).json())["course_id"])


async def watch_it_grow(page: Page, course: GatedCourse, web: Web) -> None:
    """Let a course through step by step; the page shows each before the next is made."""
    says = page.get_by_role("status")
    await expect(says).to_have_text("Your request is in. Reading it…")
    course.begin()
    course.step()
    await expect(says).to_have_text("Looking for books about it…")
    course.step()
    await expect(says).to_have_text("Planning the parts…")
    course.step()
    await expect(says).to_have_text("Writing: 0 of 3 parts done…")
    await expect(page.locator("li li")).to_have_text(["A draft of the test"] * 3)
    for done in (1, 2):
        course.step()
        await expect(says).to_have_text(f"Writing: {done} of 3 parts done…")
        await expect(page.locator("li li", has_text="A draft")).to_have_count(3 - done)
    course.step()
    await expect(says).to_have_text("Checking the whole outline…")
    course.step()
    await assert_complete(page, course, web)


async def assert_complete(page: Page, course: GatedCourse, web: Web) -> None:
    await expect(page.get_by_role("status")).to_have_text("Your course is ready.")
    async with httpx.AsyncClient(base_url=web.base_url) as http:
        finished = (await http.get(f"/courses/{course.course_id}")).json()
    await expect(page.get_by_role("heading", level=2)).to_have_text(finished["course"]["title"])
    await expect(page.locator("li li")).to_have_text([section["title"] for section in finished["sections"]])
    await expect(page.get_by_role("progressbar")).to_have_js_property("value", 100)


# --- pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [
    pytest.param("/course.html", id="plain JavaScript", marks=in_a_browser),
    pytest.param("/react.html", id="React", marks=in_a_browser),
])  # fmt: skip
async def test_a_page_shows_each_step_before_the_next_is_made(
    page: Page, stage: Stage, web: Web, address: str
) -> None:
    await page.goto(address)
    await watch_it_grow(page, await ask(page, stage), web)
    await page.get_by_role("button", name="Cancel").wait_for(state="hidden")
    course = await ask(page, stage)
    course.begin()
    course.step()
    await expect(page.get_by_role("status")).to_have_text("Looking for books about it…")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("status")).to_have_text("You cancelled this course.")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("status")).to_have_text("Looking for books about it…")
    again = stage.adopt(course.course_id)
    again.begin()
    again.run_free()
    await assert_complete(page, again, web)
    course = await ask(page, stage, "zzxqv flurbish grobnak")
    course.begin()
    course.run_free()
    await expect(page.get_by_role("status")).to_contain_text("The library has no books about this.")
    await expect(page.get_by_role("button", name="Go on")).to_have_count(0)


@pytest.mark.parametrize("_", [pytest.param("", id="EventSource", marks=in_a_browser)])
async def test_a_stream_is_followed_with_what_browsers_have(
    page: Page, stage: Stage, web: Web, _: str
) -> None:
    course = await stage.course(web.base_url)
    course.begin()
    course.run_free()
    await page.goto("/course.html")
    script = """async (id) => {
      const { follow } = await import("/event-source.js");
      const seen = [];
      return new Promise((done) => follow("http://localhost:8000", id, (event, { seq }) => {
        seen.push([event, seq]);
        if (event === "end") done(seen);
      }));
    }"""
    *seen, end = await page.evaluate(script, course.course_id)
    assert [seq for event, seq in seen if event == "update"] == list(range(1, 11))
    assert end == ["end", 10]


# --- programs ---------------------------------------------------------------------------------------------

POLL = """
import { poll } from "./poll.js";
const [origin, id] = process.argv.slice(1);
await poll(origin, id, ({ status, seq }) => console.log(JSON.stringify([status, seq])));
"""
MANY = """
import { followMany } from "./many-courses.js";
const [origin, ...ids] = process.argv.slice(1);
let left = ids.length;
const many = followMany(origin, (event, { course_id, seq }) => {
  if (event !== "draft") console.log(JSON.stringify([event, ids.indexOf(course_id), seq]));
  if (event === "end" && --left === 0) many.close();
});
for (const id of ids) many.add(id);
"""


class Program:
    """An example that runs by itself, and what it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    @classmethod
    async def started(cls, *command: str, cwd: Path) -> Program:
        return cls(await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=asyncio.subprocess.PIPE))

    @classmethod
    async def script(cls, source: str, *arguments: str) -> Program:
        return await cls.started(
            node.NODE, "--input-type=module", "-e", source, "--", *arguments, cwd=EXAMPLES
        )

    async def says(self) -> str:
        assert self._process.stdout
        self.lines.append((await self._process.stdout.readline()).decode().strip())
        return self.lines[-1]

    async def ended(self) -> list[str]:
        """Read it to its end; return all it printed."""
        while await self.says():
            pass
        assert await self._process.wait() == 0
        return self.lines[:-1]


async def test_programs_follow_a_course_over_a_server_that_dies(stage: Stage, web: Web) -> None:
    courses = [await stage.course(web.base_url) for _ in range(3)]
    ids = [course.course_id for course in courses]
    polling = await Program.script(POLL, web.base_url, ids[0])
    many = await Program.script(MANY, web.base_url, *ids[1:])
    python = await Program.started(
        sys.executable, "watch.py", web.base_url, "Learn DCF valuation", cwd=EXAMPLES
    )
    async with asyncio.timeout(60):
        assert await polling.says() == '["processing",1]'
        assert await python.says() == "1 course_requested 5"
        assert sorted([await many.says(), await many.says()]) == ['["update",0,1]', '["update",1,1]']
        async with httpx.AsyncClient(base_url=web.base_url) as http:
            (newest,) = (await http.get("/courses?limit=1")).json()["courses"]
        web.kill()
        for course in [*courses, stage.adopt(newest["course_id"])]:
            course.begin()
            course.run_free()
        web.restart()
        await asyncio.to_thread(web.wait_ready)
        polled, followed, printed = await asyncio.gather(polling.ended(), many.ended(), python.ended())
    assert polled[-1] == '["complete",10]'
    for index in (0, 1):
        mine = [line for line in followed if line.split(",")[1] == str(index)]
        assert mine == [f'["update",{index},{seq}]' for seq in range(1, 11)] + [f'["end",{index},10]']
    assert [int(line.split()[0]) for line in printed] == list(range(1, len(printed) + 1))
    assert printed[-1].endswith("course_stored 100")
