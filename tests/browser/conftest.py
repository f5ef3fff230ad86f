"""A real Chromium on the real page, with everything it complains about noted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from pydantic import SecretStr

from pipeline.backing import Backing
from pipeline.settings import AuthorName, Settings
from tests.browser.writing import Desk, desk
from tests.conftest import MakeDatabase
from tests.openai_server.client import ModelProcess
from tests.processes import Web, run_web, run_worker
from tests.running import RunningHouse

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MODEL_REDIS_DB = 3
"""Not that of the other house: each worker takes the jobs of its own Redis database."""
DESK_REDIS_DB = 4
PLAIN = "http://plain.test"
"""An origin that is no secure context."""

WATCH_THE_PAGE = """
  addEventListener("securitypolicyviolation", (event) =>
    console.error("CSP", event.violatedDirective, event.blockedURI));
  window.shifts = [];  // each with what moved, from where to where
  const place = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
  const moved = ({ node, previousRect, currentRect }) =>
    `${node?.nodeName}.${node?.className}#${node?.id}: ${place(previousRect)} → ${place(currentRect)}`;
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, value, sources, startTime } of list.getEntries()) {
      if (!hadRecentInput) shifts.push([Math.round(startTime), value, ...sources.map(moved)]);
    }
  }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def newsdesk(
    backing: Backing, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A server without a worker: the tests write its courses. Pages of PLAIN may call it."""
    settings = Settings(
        database_url=module_database_url,
        redis_url=backing.redis_url.replace("db=0", f"db={DESK_REDIS_DB}"),
        home=tmp_path_factory.mktemp("home"),
        allowed_origins=(PLAIN,),
    )
    with desk(settings) as found:
        yield found


class ModelHouse:
    """A server and a worker whose author is the test model, which does as it is told."""

    def __init__(self, web: Web, model: str) -> None:
        self.web = web
        self.base_url = web.base_url
        self._model = model

    def configure(self, **behaviour: Any) -> None:
        """Set fields of :class:`tests.openai_server.Behaviour` for the calls that begin from now on."""
        httpx2.post(f"{self._model}/control", json=behaviour).raise_for_status()


@pytest.fixture(scope="module")
def _model_house(
    backing: Backing,
    make_database: MakeDatabase,
    model_process: ModelProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ModelHouse]:
    with make_database() as database_url:
        settings = Settings(
            database_url=database_url,
            redis_url=backing.redis_url.replace("db=0", f"db={MODEL_REDIS_DB}"),
            home=tmp_path_factory.mktemp("model-home"),
            author_choice=AuthorName.OPENAI,
            openai_api_key=SecretStr("test-key"),
            openai_base_url=f"{model_process.address}/v1",
        )
        with run_web(settings) as web, run_worker(settings):
            yield ModelHouse(web, model_process.address)


@pytest.fixture
def model_house(_model_house: ModelHouse) -> ModelHouse:
    """The house with the test model: it answers in pieces, slowly enough to be watched and interrupted."""
    _model_house.configure(reset=True)
    _model_house.configure(delay_s=0.2, chunk_delay_s=0.03)
    return _model_house


@pytest.fixture(scope="module")
def chromium(running_house: RunningHouse, _model_house: ModelHouse) -> Iterator[Browser]:
    """The browser. The houses come first: Playwright keeps an event loop, and they need one to start."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A person at a browser of their own."""

    context: BrowserContext
    base_url: str
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, uncaught errors, policy violations, requests to other hosts."""
    expected: str | None = None
    """Complaints that match this are part of the test."""

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", self._on_request)
        page.goto(path)
        return page

    def unexpected(self) -> list[str]:
        return [c for c in self.complaints if self.expected is None or not re.search(self.expected, c)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.base_url).netloc:
            self.complaints.append(f"request to {request.url}")


MakeVisitor = Callable[..., Visitor]


@pytest.fixture
def make_visitor(chromium: Browser) -> Iterator[MakeVisitor]:
    """Return a visitor of a house; the test fails on whatever their browser complained about."""
    visitors: list[Visitor] = []

    def make(base_url: str, **options: Any) -> Visitor:
        context = chromium.new_context(base_url=base_url, **options)
        context.set_default_timeout(20_000)
        context.add_init_script(WATCH_THE_PAGE)
        visitors.append(Visitor(context, base_url))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [visitor.unexpected() for visitor in visitors] == [[] for _ in visitors]


@pytest.fixture
def visitor(make_visitor: MakeVisitor, running_house: RunningHouse) -> Visitor:
    """A visitor of the house whose author is the library."""
    return make_visitor(running_house.base_url)


@pytest.fixture
def model_visitor(make_visitor: MakeVisitor, model_house: ModelHouse) -> Visitor:
    """A visitor of the house whose author is the test model."""
    return make_visitor(model_house.base_url)
