"""Test the public names, that is, those that can be imported with ``from harness import ...``."""

import subprocess
import sys

import pytest

import harness

pytestmark = pytest.mark.parallel


def test_every_public_name_can_be_imported() -> None:
    """The public names are sorted, and each can be imported from ``harness``."""
    assert sorted(harness.__all__) == list(harness.__all__)
    assert harness.__all__ == [getattr(harness, name).__name__ for name in harness.__all__]


def test_help_does_not_import_the_recording_libraries() -> None:
    """Help and shell completion are fast, since they do not import the libraries for browser, server or decoder."""
    program = "import sys, harness.cli; print({'aiohttp', 'av', 'numpy', 'playwright'} & set(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()" == loaded.stdout.strip()
