"""The documents say what the code says: generated blocks, names, links, quoted sentences."""

from __future__ import annotations

import ast
import json
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.main

from pipeline import course_docs
from pipeline.course import TRANSITIONS
from pipeline.errors import CourseError
from pipeline.events import EVENT_TYPES
from pipeline.outline import Brief
from pipeline.settings import Settings
from server.cli import app as command_line
from server.route_table import addresses

ROOT = Path(__file__).parent.parent.parent
fill = SimpleNamespace(**runpy.run_path(str(ROOT / "docs/tools/fill.py")))
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in fill.documents()}
README, DEPLOYMENT, ARCHITECTURE = (
    DOCUMENTS[name] for name in ("README.md", "docs/deployment.md", "ARCHITECTURE.md")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# --- generated blocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_generated_blocks_are_as_the_code_prints_them(name: str) -> None:
    assert fill.filled(DOCUMENTS[name]) == DOCUMENTS[name], "run: python docs/tools/fill.py"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("README.md", "pipeline.course_docs events"),
        ("README.md", "server.route_table"),
        ("docs/settings.md", "pipeline.settings"),
        ("docs/course-states.md", "pipeline.course_docs states"),
        ("docs/course-states.md", "pipeline.course_docs stages"),
        ("docs/course-states.md", "pipeline.course_docs events"),
        ("docs/course-states.md", "pipeline.course_docs errors"),
    ],
)
def test_a_block_is_where_it_belongs(name: str, command: str) -> None:
    assert f"<!-- begin: python -m {command} -->" in DOCUMENTS[name]


def test_a_changed_block_is_found_and_the_rest_left_alone() -> None:
    before = "a\n<!-- begin: python -m pipeline.settings -->\n| old |\n<!-- end -->\nb\n"
    after = fill.filled(before, lambda command: f"| {command} |")
    assert after == (
        "a\n<!-- begin: python -m pipeline.settings -->\n\n| pipeline.settings |\n\n<!-- end -->\nb\n"
    )
    assert fill.filled(after, lambda command: f"| {command} |") == after


def test_only_our_own_modules_are_run() -> None:
    text = "<!-- begin: python -m shutil -->\n<!-- end -->"
    assert fill.filled(text, lambda _: pytest.fail("was run")) == text


# --- what the generators print -----------------------------------------------------------------------------


def test_the_diagram_has_every_transition() -> None:
    diagram = course_docs.states()
    for event in EVENT_TYPES:
        assert f" : {event.model_fields['type'].default}\n" in diagram
    for before, after in TRANSITIONS.values():
        arrow = f"{before} --> {after} : "
        assert arrow in diagram or f"{before} --> [*]" in diagram


def test_the_tables_name_every_event_and_every_error_code() -> None:
    def codes(error: type[CourseError]) -> Iterator[str]:
        yield error.code
        for below in error.__subclasses__():
            yield from codes(below)

    rows = course_docs.events().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [e.model_fields["type"].default for e in EVENT_TYPES]
    assert set(codes(CourseError)) < {row.split("`")[1] for row in course_docs.errors().splitlines()[2:]}


def test_the_readme_has_every_route() -> None:
    documented = re.findall(r"^\| `([A-Z]+) (/\S*)` \|", README, re.MULTILINE)
    assert sorted(documented) == sorted(addresses())


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_variable_named_exists(name: str) -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()} | {
        "COURSECAST_TEST_ALL"
    }
    named = set(re.findall(r"\b(?:COURSECAST|OPENAI)_[A-Z_]+\b|\b(?:DATABASE|REDIS)_URL\b", DOCUMENTS[name]))
    assert named <= known


def test_every_variable_has_an_effect_or_the_documents_say_that_it_has_none() -> None:
    code = "".join(
        path.read_text("utf-8")
        for house in ("pipeline", "server")
        for path in (ROOT / house).rglob("*.py")
        if path != ROOT / "pipeline/settings.py"
    )
    for name, field in Settings.model_fields.items():
        attribute = "author" if name == "author_choice" else name
        used = re.search(rf"ettings\.{attribute}\b", code) is not None
        said = f"`{field.validation_alias}` is not enforced yet" in DOCUMENTS["docs/settings.md"]
        assert used is not said, field.validation_alias


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_named_exists(name: str) -> None:
    commands = typer.main.get_command(command_line).commands  # type: ignore[attr-defined]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", DOCUMENTS[name], re.DOTALL))
    assert set(re.findall(r"\bcoursecast ([a-z]+)\b", code)) <= set(commands)
    assert set(re.findall(r"\bmake ([a-z-]+)\b", code)) <= set(targets)


def test_every_metric_is_documented_and_none_that_is_not() -> None:
    source = (ROOT / "server/health.py").read_text("utf-8")
    gauges = {f"coursecast_{name}" for name in re.findall(r'\bgauge\("(\w+)"', source)}
    gauges |= set(re.findall(r'Gauge\("(coursecast_\w+)"', source))
    assert len(gauges) > 1
    assert set(re.findall(r"^\| `(coursecast_\w+)", DEPLOYMENT, re.MULTILINE)) == gauges


def test_every_dependency_has_its_reason() -> None:
    wanted = {re.split(r"[<>=;\[ ]", line)[0] for line in PROJECT["dependencies"]}
    wanted |= {re.split(r"[<>=;\[ ]", line)[0] for line in PROJECT["optional-dependencies"]["dev"]}
    reasons = ARCHITECTURE.partition("## Dependencies")[2]
    assert [name for name in sorted(wanted) if not re.search(rf"(?<![\w-]){name}(?![\w-])", reasons)] == []


def test_the_changelog_knows_this_version() -> None:
    assert f"\n## {PROJECT['version']} " in DOCUMENTS["CHANGELOG.md"]


def test_the_house_is_drawn_as_it_is() -> None:
    drawn = ARCHITECTURE.partition("## The rooms\n\n```\n")[2].partition("```")[0]
    top = ""
    for line in drawn.splitlines():
        if line.startswith("  "):
            names = re.findall(r"(?:^|\s)([\w.]+(?:\.py|/))(?=\s|$|;)", line[:36])
            assert names, line
            assert [name for name in names if not (ROOT / top / name).exists()] == []
        else:
            top = line.split()[0]
            assert (ROOT / top).is_dir()


# --- links and quotations ----------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[name]):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert linked.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(linked.read_text("utf-8")), f"{name} links to {target}"


def sentences() -> str:
    """Return every text in our code, one a line, with … for what an f-string puts in."""
    found: list[str] = []
    for house in ("pipeline", "server"):
        for path in (ROOT / house).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    pieces = (str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
                    found.append("".join(pieces))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def test_messages_are_quoted_as_they_are_printed() -> None:
    table = DEPLOYMENT.partition("## When something is wrong")[2]
    quoted = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    ours = sentences()
    assert len(quoted) > 10
    strange = []
    for message in quoted:
        # What an f-string puts in is … in the code, too; at an end it stands for the rest of the sentence.
        pattern = "[^\n]*".join(re.escape(piece) for piece in message.strip("… ").split("…"))
        if not re.search(pattern, ours):
            strange.append(message)
    assert strange == []


def test_the_request_in_the_readme_is_a_valid_one() -> None:
    bodies = re.findall(r"-d '(\{.*?\})'", README)
    assert [Brief.model_validate(json.loads(body)).query for body in bodies] == ["Learn DCF valuation"]
