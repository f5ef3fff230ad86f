"""Imports point one way, as ARCHITECTURE.md draws the rooms: the whole tree is read, nothing is imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HOUSES = ("pipeline", "server")

CORE = ("events", "outline", "course", "retry", "errors")
ADAPTERS = ("log", "requests", "database", "bus", "jobs", "drafts", "authors", "library")
HIDDEN_FROM_SERVER = ("phases", "runner", "course", "authors")


def rooms(*names: str) -> tuple[str, ...]:
    return tuple(f"pipeline.{name}" for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Modules in these rooms either import ``only`` what is listed, or ``never`` what is listed."""

    who: tuple[str, ...]
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    def allows(self, imported: str) -> bool:
        return within(imported, self.only) if self.only else not within(imported, self.never)


RULES = (
    Rule(who=rooms(*CORE), only=(*sys.stdlib_module_names, "pydantic", *rooms(*CORE))),
    Rule(who=rooms(*ADAPTERS), never=rooms("runner")),
    Rule(who=("pipeline",), never=("server", "starlette", "uvicorn")),
    Rule(who=("server",), never=rooms(*HIDDEN_FROM_SERVER)),
)


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports(module: str, source: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield what a module imports, wherever in it: ``from a import b`` as ``a.b``, relative ones resolved."""
    here = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*up, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Return a line for each import that a rule forbids."""
    return [
        f"{module} imports {imported}"
        for imported in imports(module, source, is_package=is_package)
        for rule in RULES
        if within(module, rule.who) and not rule.allows(imported)
    ]


def modules() -> Iterator[tuple[str, Path]]:
    for house in HOUSES:
        for path in sorted((ROOT / house).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_imports_point_one_way() -> None:
    found = [
        line
        for module, path in modules()
        for line in violations(module, path.read_text("utf-8"), is_package=path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


def test_every_room_of_a_rule_exists() -> None:
    names = {module for module, _ in modules()}
    missing = [name for rule in RULES for name in (*rule.who, *rule.never) if name.startswith("pipeline")]
    assert [name for name in missing if name not in names] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("pipeline.course", "import asyncpg"),
        ("pipeline.course", "from pipeline.log import Log"),
        ("pipeline.retry", "def f():\n    from pipeline import runner"),
        ("pipeline.events", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy as np"),
        ("pipeline.log", "import pipeline.runner"),
        ("pipeline.authors.library", "from ..runner import Run"),
        ("pipeline.library.search", "from pipeline import runner as r"),
        ("pipeline.worker", "from server.app import create_app"),
        ("pipeline.bus", "from starlette.requests import Request"),
        ("server.hub", "from pipeline.course import fold"),
        ("server.app", "from pipeline import phases"),
        ("server.courses", "import pipeline.authors.openai"),
        ("server.reference.pieces", "from pipeline.runner import Runner"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("pipeline.course", "import json\nfrom pipeline import events as ev\nfrom pydantic import Field"),
        (
            "pipeline.runner",
            "from pipeline.runner import Run\nfrom pipeline.course import fold\nimport asyncpg",
        ),
        ("pipeline.drafts", "from pipeline.course import Task"),
        (
            "server.app",
            "from pipeline.log import Log\nfrom pipeline import bus\nfrom starlette import routing",
        ),
        ("server.courses", "from pipeline.course_docs import anything"),
    ],
)
def test_a_right_import_is_left_alone(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_a_package_resolves_its_own_relative_imports() -> None:
    assert list(imports("pipeline.authors", "from .words import stems", is_package=True)) == [
        "pipeline.authors.words.stems"
    ]
    assert list(imports("pipeline.authors.words", "from . import titles")) == ["pipeline.authors.titles"]
