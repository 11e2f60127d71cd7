#!/usr/bin/env python3
"""Print the largest folders, the longest classes and the functions with the most parameters.

The exit code is 1 if a folder, class or function exceeds its limit.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from checkout import ROOT, tracked_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TREES = ("harness", "web/src", "web/test", "tests")
SHOWN = 5
# The parameters of a command's function are the command's options and arguments, so their number is not limited.
COMMANDS = "harness/cli/commands/"
# Prettier indents the closing brace of a class as far as the line on which the class begins.
CLASS = re.compile(r"^(?P<indent> *)(?:export (?:default )?)?class (?P<name>\w+)")


class Measure(NamedTuple):
    """The size of a folder in files, of a class in lines, or of a function in parameters."""

    place: str
    size: int


def main() -> int:
    """Print the tables of folders, classes and functions, and return the exit code."""
    files = tracked_files(*TREES)
    sources = [path for path in files if path.suffix in {".py", ".js"}]
    tables = {
        ("files per folder", 12): [*folders(files)],
        ("lines per class", 300): [one for path in sources for one in classes(path)],
        ("parameters per function", 6): [one for path in sources for one in functions(path)],
    }
    failed = False
    for (what, limit), measures in tables.items():
        ordered = sorted(measures, key=lambda one: -one.size)
        over = [one for one in ordered if one.size > limit]
        failed |= bool(over)
        print(f"{what}: at most {limit}; {len(over)} of {len(ordered)} above")
        for one in over or ordered[:SHOWN]:
            print(f"  {one.size:4}  {one.place}")
    return int(failed)


def folders(files: list[Path]) -> Iterator[Measure]:
    """Yield each folder with its number of source files, not counting test files."""
    counts: dict[str, int] = {}
    for path in files:
        test = path.name.startswith("test_") or path.name.endswith(".test.js")
        if path.suffix in {".py", ".js"} or path.name.endswith(".d.ts"):
            counts[path.parent.as_posix()] = counts.get(path.parent.as_posix(), 0) + (not test)
    yield from (Measure(*one) for one in counts.items())


def classes(path: Path) -> Iterator[Measure]:
    """Yield each class in a file with its number of lines."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                yield Measure(f"{path}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        return
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if found := CLASS.match(line):
            end = next((at for at in range(number, len(lines)) if lines[at] == found["indent"] + "}"), number)
            yield Measure(f"{path}:{number + 1} {found['name']}", end - number + 1)


def functions(path: Path) -> Iterator[Measure]:
    """Yield each function in a Python file, except the program's commands, with its number of parameters.

    In JavaScript, ESLint's rule max-params limits the number of parameters.
    """
    if path.suffix != ".py" or path.as_posix().startswith(COMMANDS):
        return
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            own = {"self", "cls"}
            yield Measure(f"{path}:{node.lineno} {node.name}", sum(name not in own for name in names))


if __name__ == "__main__":
    sys.exit(main())
