"""Remove the paths of the server's folders from messages that other users can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.recording.spool.folder import FOLDER

if TYPE_CHECKING:
    from pathlib import Path


def without_folders(text: str, recordings: Path) -> str:
    """Return the message without the paths of the recordings folder and its spool."""
    return text.replace(f"{recordings / FOLDER}/", "").replace(f"{recordings}/", "")
