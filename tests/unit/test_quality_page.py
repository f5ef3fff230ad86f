"""docs/quality.md keeps one half while the other is written."""

from __future__ import annotations

from pathlib import Path

from tests.bench.quality_page import half_of, write_half


def test_each_half_leaves_the_other_alone(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    write_half("Plans", "### Outlines\n\nGood ones.", page)
    write_half("Search", "Hybrid wins.", page)
    write_half("Plans", "### Outlines\n\nBetter ones.", page)
    text = page.read_text("utf-8")
    assert half_of(text, "Search") == "Hybrid wins."
    assert half_of(text, "Plans") == "### Outlines\n\nBetter ones."
    assert text.index("## Search") < text.index("## Plans")
    assert text.count("# Quality\n") == 1
