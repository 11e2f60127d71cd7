"""Drive NERTC's own recorder in a page that uses its SDK, and verify the file that it records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness import InvalidStateError, NertcApp, PageError, RecordConfig, verify
from tests.support.servers.application_site import Site
from tests.support.servers.nertc_sdk import install_sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from harness import Room


@pytest.fixture(scope="module")
def sdk_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Install NERTC's SDK into a temporary folder, and serve a page that uses it."""
    folder = tmp_path_factory.mktemp("sdk")
    install_sdk(folder)
    with Site(sdk=folder / "node_modules", strict=False) as site:
        yield site


@pytest.fixture
def sdk_page(sdk_site: Site, room: Room, new_context: Callable[..., BrowserContext]) -> Page:
    """Return a page in which the SDK uses Alice's synthetic camera as if it were a real one."""
    page = new_context(ignore_https_errors=True).new_page()
    room.attach(page, "alice")
    page.goto(f"{sdk_site.url}/nertc.html")
    page.get_by_text("ready").wait_for()
    return page


def test_nertcs_own_recording_is_collected_and_verified(sdk_page: Page, tmp_path: Path) -> None:
    """NERTC writes an MP4 file with the suffix .webm. A second start is refused, but still changes the video's size."""
    app = NertcApp(sdk_page, recordings=tmp_path)
    large = RecordConfig(record_name="sdk", record_video_quality="720p", record_video_frame=30)

    app.start_media_recording(recorder="local", record_config=large)
    sdk_page.wait_for_timeout(2000)
    with pytest.raises(InvalidStateError, match="REPEAT_RECORDING_ERROR") as refused:
        app.start_media_recording(recorder="local", record_config=RecordConfig(record_video_quality="360p"))
    sdk_page.wait_for_timeout(2000)
    app.stop_media_recording()
    path = app.download_media_recording()
    app.clean_media_recording()
    report = verify(path)

    assert 10451 == refused.value.code
    assert re.fullmatch(r"sdk_\d+\.webm", path.name)
    assert report.media is not None
    assert "mp4" == report.media.container
    messages = {finding.check: finding.message for finding in report.failures}
    assert "is mp4 instead of webm" in messages["container"]
    assert "640x360 instead of 1280x720" in messages["size"]
    # The marker identifies Alice, although the file has no manifest.
    (alice,) = report.participants
    assert alice.is_audible(0.5, 3)


@pytest.mark.parametrize("call", ["stop_media_recording", "download_media_recording", "clean_media_recording"])
def test_sdk_error_is_raised_with_its_code(sdk_page: Page, tmp_path: Path, call: str) -> None:
    """Stop, download and clean raise NERTC's error if no recording was started."""
    app = NertcApp(sdk_page, recordings=tmp_path)

    with pytest.raises(InvalidStateError, match="RECORDING_NOT_START_ERROR") as refused:
        getattr(app, call)()

    assert 10454 == refused.value.code


def test_join_calls_the_sdk(sdk_page: Page, tmp_path: Path) -> None:
    """Without an app key, the test can't join; instead, it expects the SDK's error for a missing channel name."""
    app = NertcApp(sdk_page, recordings=tmp_path)

    with pytest.raises(PageError, match="JOIN_WITHOUT_CHANNEL_NAME 10110"):
        app.join(uid=1)
