"""Imports go one way: what a part may see of the others, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# what stands below a part; everything may see the modules at the top of musr_cli that know no part themselves
BELOW = {
    "audio": set(),
    "dsp": {"audio"},
    "degrade": {"dsp", "audio"},
    "metrics": {"dsp", "audio"},
    "plotting": {"dsp", "audio"},
    "engine": {"degrade", "dsp", "audio"},
    "training": {"metrics", "degrade", "dsp", "audio"},
    "pages": {"metrics", "plotting", "dsp", "audio"},
    "listening": {"pages", "metrics", "plotting", "degrade", "dsp", "audio"},
    "commands": {"listening", "pages", "engine", "training", "metrics", "plotting", "degrade", "dsp", "audio"},
}
TERMINAL = {"typer", "rich"}
KNOW_THE_TERMINAL = {"app.py", "options.py", "console.py", "__main__.py"}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", BELOW)
def test_a_part_sees_only_what_stands_below_it(part: str) -> None:
    for path in (ROOT / "musr_cli" / part).rglob("*.py"):
        seen = {name.split(".")[1] for name in imported(path) if name.startswith("musr_cli.")}
        assert seen & BELOW.keys() <= BELOW[part] | {part}, path


def test_networks_know_nothing_of_the_tool() -> None:
    for path in (ROOT / "models/musr_models").rglob("*.py"):
        assert not any(name.startswith("musr_cli") for name in imported(path)), path


def test_only_commands_and_their_helpers_know_the_terminal() -> None:
    for path in (ROOT / "musr_cli").rglob("*.py"):
        if path.name not in KNOW_THE_TERMINAL and "commands" not in path.parts:
            assert not TERMINAL & {name.split(".")[0] for name in imported(path)}, path
