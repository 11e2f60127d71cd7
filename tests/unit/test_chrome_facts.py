"""Check that the README's list of Chrome facts matches the tests of these facts and the comments that cite them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[2]
HERE = ROOT / "tests" / "expectations"
CITATION = re.compile(r"\bfacts? (\d+(?:, \d+)*)")
TEST = re.compile(r"^def test_fact_(\d+)_", re.MULTILINE)
ROW = re.compile(r"^\| (\d+) \|.*\|(.*)\|$", re.MULTILINE)


def cited(path: Path) -> set[int]:
    """Return the numbers of the Chrome facts that a file cites."""
    return {int(number) for found in CITATION.findall(path.read_text()) for number in found.split(", ")}


def facts_with_tests() -> set[int]:
    """Return the numbers of the Chrome facts that have a test."""
    return {int(number) for path in HERE.glob("test_*.py") for number in TEST.findall(path.read_text())}


def test_every_cited_fact_has_a_test() -> None:
    """Every Chrome fact cited in a comment has a test that fails if the fact is no longer true."""
    sources = [*(ROOT / "harness").rglob("*.py"), *(ROOT / "web" / "src").rglob("*.js")]

    untested = {str(path.relative_to(ROOT)): cited(path) - facts_with_tests() for path in sources}

    assert {} == {path: numbers for path, numbers in untested.items() if numbers}


def test_the_readme_lists_every_fact_once() -> None:
    """The README's table has one row for each tested fact, in numeric order."""
    listed = [int(number) for number, _ in ROW.findall((HERE / "README.md").read_text())]

    assert sorted(facts_with_tests()) == listed


def test_the_files_that_the_readme_names_cite_their_fact() -> None:
    """Each file named in a row of the README's table contains a comment that cites the row's Chrome fact."""
    rows = ROW.findall((HERE / "README.md").read_text())

    named = [(int(number), path) for number, cell in rows for path in re.findall(r"`([\w/.-]+\.(?:py|js))`", cell)]

    assert [] == [(number, path) for number, path in named if number not in cited(ROOT / path)]
