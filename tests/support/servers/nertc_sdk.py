"""Install NERTC's real SDK from npm into a temporary folder, for tests that use it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
SDK: Final = "nertc-web-sdk@5.8.34"
# Prefer npm's cache, and do not wait long for a registry that does not answer.
_QUICK: Final = ("--prefer-offline", "--fetch-retries=0", "--fetch-timeout=30000")
_SILENT: Final = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def with_node(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder with the Node.js version that ``scripts/with-node`` selects."""
    return subprocess.run(
        [ROOT / "scripts" / "with-node", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def install_sdk(folder: Path) -> None:
    """Install the SDK into a folder's ``node_modules``; if npm fails, skip the test and report the reason."""
    (folder / "package.json").write_text('{"private": true}')
    installed = with_node("npm", "install", *_QUICK, *_SILENT, SDK, folder=folder)
    if installed.returncode:
        pytest.skip(f"npm can't install {SDK}: {' '.join(installed.stderr.splitlines()[:2])}")
