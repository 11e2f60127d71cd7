"""Remove the paths of the server's folders from messages that other users can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.recording.spool.folder import FOLDER

if TYPE_CHECKING:
    from pathlib import Path


def without_folders(text: str, recordings: Path) -> str:
    """Return the message without the paths of the recordings folder and of the folders that contain it."""
    for folder in (recordings / FOLDER, recordings, recordings.parent):
        # The root folder is not private, and a search for it would also find the slashes in URLs.
        if folder.name:
            text = text.replace(f"{folder}/", "")
    return text
