"""NERTC's own recorder is driven in a page that uses its SDK, and its file is verified."""

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
    """Install the SDK into a scratch folder, and serve a page that uses it."""
    folder = tmp_path_factory.mktemp("sdk")
    install_sdk(folder)
    with Site(sdk=folder / "node_modules", strict=False) as site:
        yield site


@pytest.fixture
def page_of_sdk(sdk_site: Site, room: Room, new_context: Callable[..., BrowserContext]) -> Page:
    """Return the application's page with alice's synthetic camera, which looks like a real one to the SDK."""
    page = new_context(ignore_https_errors=True).new_page()
    room.attach(page, "alice")
    page.goto(f"{sdk_site.url}/nertc.html")
    page.get_by_text("ready").wait_for()
    return page


def test_nertcs_own_recording_is_collected_and_verified(page_of_sdk: Page, tmp_path: Path) -> None:
    """The file is an MP4 named .webm; a second start is refused, but reduces the size of the video."""
    app = NertcApp(page_of_sdk, recordings=tmp_path)
    large = RecordConfig(record_name="sdk", record_video_quality="720p", record_video_frame=30)

    app.start_media_recording(recorder="local", record_config=large)
    page_of_sdk.wait_for_timeout(2000)
    with pytest.raises(InvalidStateError, match="REPEAT_RECORDING_ERROR") as refused:
        app.start_media_recording(recorder="local", record_config=RecordConfig(record_video_quality="360p"))
    page_of_sdk.wait_for_timeout(2000)
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
    # The marker identifies the participant.
    (alice,) = report.participants
    assert alice.is_audible(0.5, 3)


@pytest.mark.parametrize("call", ["stop_media_recording", "download_media_recording", "clean_media_recording"])
def test_error_of_the_sdk_is_raised_with_its_code(page_of_sdk: Page, tmp_path: Path, call: str) -> None:
    """Each call fails because no recording was started."""
    app = NertcApp(page_of_sdk, recordings=tmp_path)

    with pytest.raises(InvalidStateError, match="RECORDING_NOT_START_ERROR") as refused:
        getattr(app, call)()

    assert 10454 == refused.value.code


def test_join_calls_the_sdk(page_of_sdk: Page, tmp_path: Path) -> None:
    """A real join needs an app key, but the SDK's error for a room without a name proves the call."""
    app = NertcApp(page_of_sdk, recordings=tmp_path)

    with pytest.raises(PageError, match="JOIN_WITHOUT_CHANNEL_NAME 10110"):
        app.join(uid=1)
