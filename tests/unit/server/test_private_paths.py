"""Messages that other users can read do not reveal the paths of the server's folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.server.private_paths import without_folders

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Only 9 MB of disk space is left at /home/me/recordings.", "Only 9 MB of disk space is left at recordings."),
        ("/home/me/recordings/.spool/id/raw.webm is damaged.", "id/raw.webm is damaged."),
        ("No space for the recording at /home/me/recordings/a.webm.", "No space for the recording at a.webm."),
    ],
)
def test_paths_of_the_servers_folders_are_removed(message: str, shown: str) -> None:
    """Only the names of files and of the recordings folder remain."""
    assert shown == without_folders(message, Path("/home/me/recordings"))


def test_urls_are_not_changed_if_the_folder_is_in_the_root_folder() -> None:
    """The slashes in a URL are not mistaken for the root folder."""
    message = "https://example.com can't be reached from /recordings/a.webm."

    assert "https://example.com can't be reached from a.webm." == without_folders(message, Path("/recordings"))
