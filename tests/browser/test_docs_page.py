"""The reference at ``/docs`` in a real browser: the whole document is on it, under the strict policy."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from server.openapi import document
from tests.running import RunningHouse

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def page(running_house: RunningHouse) -> Iterator[Page]:
    """A phone-sized page of the server; what the browser complains about fails the test."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=running_house.base_url, viewport={"width": 360, "height": 800})
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert complaints == []


def test_every_route_and_schema_is_there(page: Page) -> None:
    page.goto("/docs")
    doc = document()
    operations = [op["operationId"] for item in doc["paths"].values() for op in _operations(item)]
    expect(page.locator("details.operation")).to_have_count(len(operations))
    for operation_id in operations:
        assert page.locator(f"details.operation[id='{operation_id}']").count() == 1
    expect(page.locator("details.schema")).to_have_count(len(doc["components"]["schemas"]))
    expect(page.locator("#notice")).to_be_hidden()


def test_an_address_opens_what_it_names(page: Page) -> None:
    page.goto("/docs#createCourse")
    operation = page.locator("#createCourse")
    expect(operation).to_have_attribute("open", "")
    expect(operation.get_by_text("Idempotency-Key", exact=True)).to_be_visible()
    expect(operation.locator("pre")).to_contain_text("-X POST")


def test_schemas_open_inside_each_other(page: Page) -> None:
    page.goto("/docs#streamCourse")
    update = page.locator("#streamCourse details", has=page.get_by_text("Update", exact=True)).first
    for name in ("Update", "PartSectionsGeneratedMessage", "Section", "Source"):
        update.locator("summary").get_by_text(name, exact=True).first.click()
    expect(update.get_by_text("chapter_number", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everything_opened_has_no_leftovers(page: Page) -> None:
    page.goto("/docs")
    expect(page.locator("#notice")).to_be_hidden()
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    text = page.locator("#reference").inner_text()
    assert "undefined" not in text
    assert "[object" not in text
    assert "`" not in text


def _operations(item: dict[str, object]) -> list[dict[str, str]]:
    return [op for method, op in item.items() if method in ("get", "post", "delete") and isinstance(op, dict)]
