"""Helpers for the scripts: find the checkout's folder and files, and write or check generated files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tracked_files(*paths: str) -> list[Path]:
    """Return the tracked and new files in ``paths``, relative to the checkout; without ``paths``, all of them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in map(Path, listed.stdout.splitlines()) if (ROOT / path).is_file()]


def write_or_check(target: Path, text: str) -> int:
    """Write a generated file; with ``--check``, compare it instead and return 1 if it is out of date."""
    if sys.argv[1:] != ["--check"]:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{target.name} is out of date. Run python scripts/{Path(sys.argv[0]).name}.\n")
    return 1
