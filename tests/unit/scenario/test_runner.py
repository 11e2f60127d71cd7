"""The runner handles every kind of step, so that every valid scenario can be run."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from harness.scenario import runner
from harness.scenario.steps import KINDS

pytestmark = pytest.mark.parallel


def test_every_kind_of_step_has_a_case_in_the_runner() -> None:
    """Each kind of step needs a ``case`` without attributes. ``Camera(on=True)`` handles only some ``Camera`` steps."""
    tree = ast.parse(Path(runner.__file__).read_text(encoding="utf-8"))
    cases = [node.pattern for node in ast.walk(tree) if isinstance(node, ast.match_case) and node.guard is None]
    classes = [pattern for pattern in cases if isinstance(pattern, ast.MatchClass) and not pattern.kwd_attrs]

    handled = Counter(ast.unparse(pattern.cls) for pattern in classes)

    assert Counter(kind.__name__ for kind in KINDS) == handled
