"""Test the help: every command shows examples before its options, and docs/cli.md contains the same text."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.main import app

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[3]
COMMANDS = (
    ["record"],
    ["verify"],
    ["convert"],
    ["serve"],
    ["recover"],
    ["doctor"],
    ["browser", "install"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_examples_before_its_options(command: list[str]) -> None:
    """Examples come before the options, so users can copy an example without scrolling past the options."""
    shown = CliRunner().invoke(app, [*command, "--help"], prog_name="harness").output

    assert -1 < shown.index("For example:") < shown.index("Options")
    assert f"harness {' '.join(command)}" in shown


def test_cli_document_equals_the_help() -> None:
    """docs/cli.md is up to date: it must be regenerated whenever an option changes."""
    compared = subprocess.run(
        [sys.executable, "scripts/cli_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (0, "") == (compared.returncode, compared.stderr)
