"""NERTC's real SDK, installed from npm into a scratch folder for the tests that compare with it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
SDK: Final = "nertc-web-sdk@5.8.34"
# What npm has in its cache is not asked for again; a registry that does not answer is not waited for.
_QUICK: Final = ("--prefer-offline", "--fetch-retries=0", "--fetch-timeout=30000")
_SILENT: Final = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def with_node(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with the page's Node in a folder."""
    return subprocess.run(
        [ROOT / "scripts" / "with-node", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def install_sdk(folder: Path) -> None:
    """Install the SDK into a folder's ``node_modules``; where npm can't, the test that wants it skips, and says why."""
    (folder / "package.json").write_text('{"private": true}')
    installed = with_node("npm", "install", *_QUICK, *_SILENT, SDK, folder=folder)
    if installed.returncode:
        pytest.skip(f"npm can't install {SDK}: {' '.join(installed.stderr.splitlines()[:2])}")
