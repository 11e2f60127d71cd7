"""The documents: every test that they name is there."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# tests/e2e/test_guide.py::test_something, or web/test/room.test.js::its title.
CITATION = re.compile(r"`((?:tests|web/test)/[\w./]+)::([^`]+)`")

CITATIONS = [
    (document.name, path, name)
    for document in sorted((ROOT / "docs").glob("*.md"))
    for path, name in CITATION.findall(document.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("path", "name"), sorted({(path, name) for _, path, name in CITATIONS}))
def test_a_test_that_a_document_names_exists(path: str, name: str) -> None:
    """A claim whose proof was renamed or taken away is found."""
    definition = rf"^def {name}\(" if path.endswith(".py") else rf"\btest\(\s*(['\"`]){re.escape(name)}\1"

    assert re.search(definition, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_guide_is_told_with_proofs() -> None:
    """The tables of the guide and of the calls name their tests in the form that is checked."""
    lines = (ROOT / "docs" / "nertc.md").read_text(encoding="utf-8").splitlines()
    rows = [
        line
        for line, below in pairwise(lines)
        if line.startswith("| ") and not line.startswith("| ---") and not below.startswith("| ---")
    ]

    assert len(rows) > 50
    # Converting is up to the user, says the guide.
    assert [] == [row for row in rows if not CITATION.search(row) and "需要您自行完成" not in row]
