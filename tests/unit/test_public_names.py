"""The public names: what ``from harness import ...`` offers."""

import subprocess
import sys

import pytest

import harness

pytestmark = pytest.mark.parallel


def test_every_public_name_leads_to_what_bears_it() -> None:
    """The names are sorted, and each is importable although nothing is imported before it is asked for."""
    assert sorted(harness.__all__) == list(harness.__all__)
    assert harness.__all__ == [getattr(harness, name).__name__ for name in harness.__all__]


def test_the_command_line_answers_without_what_a_recording_takes() -> None:
    """Help and completion wait for no browser, server or decoder."""
    program = "import sys, harness.cli; print({'aiohttp', 'av', 'numpy', 'playwright'} & set(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()" == loaded.stdout.strip()
