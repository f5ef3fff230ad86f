"""Take the README's pictures of a running server: ``python docs/tools/pictures.py [http://127.0.0.1:8000]``.

It asks for one course, waits until that is finished, and writes ``docs/images/start.png`` and ``course.png``.
Needs Debian's chromium. Take an empty data folder (``COURSECAST_HOME``), or the start shows your own courses.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "images"
SIZE = {"width": 1280, "height": 900}
REVEALED_MS = 2_500


def take(page: Page) -> None:
    """Go the way of a learner, with a camera."""
    page.goto("/")
    page.get_by_label("Topic or goal").fill("Learn DCF valuation, so that I can judge a share price myself")
    page.screenshot(path=IMAGES / "start.png")
    page.get_by_role("button", name="Write my course").click()
    page.locator("#course[data-status=complete]").wait_for()
    page.wait_for_timeout(REVEALED_MS)
    page.screenshot(path=IMAGES / "course.png")


def main() -> None:
    """Take the pictures of the server named on the command line."""
    base_url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(browser.new_page(base_url=base_url, viewport=SIZE))
        browser.close()


if __name__ == "__main__":
    main()
