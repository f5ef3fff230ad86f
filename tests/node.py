"""Node.js for tests, and the npm packages they use (``tests/npm``, exact versions in its lock file)."""

from __future__ import annotations

from pathlib import Path

import playwright

PACKAGES = Path(__file__).parent / "npm"
NODE = str(Path(playwright.__file__).parent / "driver/node")
"""The one that Playwright brings: plain Node, and newer than Debian's, which the packages are too new for."""
IS_MISSING = not (PACKAGES / "node_modules").is_dir()
REASON = "needs `npm ci --prefix tests/npm`"
