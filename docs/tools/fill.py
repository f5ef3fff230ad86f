"""Fill the generated blocks of the documents: ``python docs/tools/fill.py``; with ``--check`` only compare.

A block stands between two comments, the first of which says where it comes from::

    <!-- begin: python -m pipeline.settings -->
    …
    <!-- end -->

Its content is what that command prints. Only modules of ours are run. A block that begins with the name of a
file below ``docs/examples`` shows that file.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(
    r"(?P<begin><!-- begin: (?:"
    r"python -m (?P<command>(?:pipeline|server)\.[\w. ]+?)|(?P<file>docs/examples/[\w-][\w.-]*)"
    r") -->\n).*?<!-- end -->",
    re.DOTALL,
)


def documents() -> Iterator[Path]:
    """Yield the documents: what lies at the top and below ``docs``."""
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


@cache
def printed(command: str) -> str:
    """Return what ``python -m command`` prints.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    arguments = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=60)  # noqa: S603
    return done.stdout.decode().strip()


def shown(file: str) -> str:
    """Return a file as a block of code."""
    path = ROOT / file
    return f"```{path.suffix[1:]}\n{path.read_text('utf-8').strip()}\n```"


def filled(text: str, content_of: Callable[[str], str] = printed) -> str:
    """Return a document with its blocks filled."""

    def fill(block: re.Match[str]) -> str:
        content = shown(block["file"]) if block["file"] else content_of(block["command"])
        return f"{block['begin']}\n{content}\n\n<!-- end -->"

    return BLOCK.sub(fill, text)


def main(arguments: list[str]) -> int:
    """Fill all documents, or tell which are not as they should be; return the exit code."""
    stale = [path for path in documents() if filled(path.read_text("utf-8")) != path.read_text("utf-8")]
    for path in stale:
        if "--check" not in arguments:
            path.write_text(filled(path.read_text("utf-8")), "utf-8")
        print(path.relative_to(ROOT))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
