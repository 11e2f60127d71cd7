"""``Downloads`` serves finished files at URLs that expire."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from harness.server.library.routes import PLAYABLE_FOR
from harness.server.room_server import RoomServer
from harness.server.spool.downloads import Downloads
from tests.support.spooling import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from harness.server.spool.spool import Spool

pytestmark = pytest.mark.parallel


def test_an_address_expires(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """A download URL is valid for a minute, and a playback URL for an hour.

    If a page requests the playback URL of a file again, it receives the same URL.
    """
    active = recorded(spool, audio_bytes)
    active.finish_with_manifest()
    now = [0.0]
    with RoomServer(recordings=tmp_path, versions={}) as server:
        downloads = server._web_app.downloads
        downloads._clock = lambda: now[0]

        addresses = {
            59: downloads.issue_download(active, lambda: None),
            3599: downloads.issue_playback(active.path, "audio/webm", None, PLAYABLE_FOR)[0],
        }
        assert addresses[3599] == downloads.issue_playback(active.path, "audio/webm", None, PLAYABLE_FOR)[0]

        def status(address: str) -> int:
            try:
                with urllib.request.urlopen(server.url + address) as answer:  # noqa: S310 - our own server
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        for good, address in addresses.items():
            now[0] = good
            assert 200 == status(address)
            now[0] = good + 2
            assert 404 == status(address)


def test_a_recording_is_sent_as_media_regardless_of_its_manifest(
    spool: Spool, audio_bytes: bytes, tmp_path: Path
) -> None:
    """A recording is never served as HTML, even if a manifest from another machine says that it is HTML."""
    active = recorded(spool, audio_bytes)
    active.finish_with_manifest()
    with RoomServer(recordings=tmp_path, versions={}) as server:
        kinds = {}
        for mime_type in ("audio/webm;codecs=opus", "text/html"):
            address, _ = server._web_app.downloads.issue_playback(active.path, mime_type, None, PLAYABLE_FOR)
            with urllib.request.urlopen(server.url + address) as answer:  # noqa: S310 - our own server
                kinds[mime_type] = answer.headers["Content-Type"]

    assert {"audio/webm;codecs=opus": "audio/webm", "text/html": "application/octet-stream"} == kinds


def test_a_file_whose_name_is_not_text_is_served(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """If a file name is not valid UTF-8, the URL contains a printable version of the name."""
    active = recorded(spool, audio_bytes)
    active.finish_with_manifest()
    odd = tmp_path / os.fsdecode(b"odd \xff.webm")
    odd.write_bytes(active.path.read_bytes())
    with RoomServer(recordings=tmp_path, versions={}) as server:
        address, _ = server._web_app.downloads.issue_playback(odd, "audio/webm", None, PLAYABLE_FOR)
        with urllib.request.urlopen(server.url + address) as answer:  # noqa: S310 - our own server
            assert odd.read_bytes() == answer.read()


def test_a_repeated_request_gets_the_same_download_address(spool: Spool, audio_bytes: bytes) -> None:
    """Each recording has one download URL, which is valid for a minute after it was last requested."""
    active = recorded(spool, audio_bytes)
    active.finish_with_manifest()
    now = [0.0]
    downloads = Downloads(clock=lambda: now[0])

    first = downloads.issue_download(active, lambda: None)
    now[0] = 59
    assert first == downloads.issue_download(active, lambda: None)
    now[0] = 200
    assert first != downloads.issue_download(active, lambda: None)
