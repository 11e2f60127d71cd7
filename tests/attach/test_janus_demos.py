"""Record Janus's own demo pages without changing them. The pages come from a Debian package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp import web

from tests.support.application_calls import SMALL, meet
from tests.support.reports import audible_share, check_recording
from tests.support.servers.janus import Janus, installed
from tests.support.servers.web_server import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Participant, Room

    Enter = Callable[..., Participant]

DEMOS: Final = Path("/usr/share/janus/demos")


class Demos(Served):
    """The demo pages on localhost, with settings that contain the address of our Janus server."""

    def __init__(self, janus: Janus) -> None:
        super().__init__(host="localhost")
        # The pages read the variables token and apisecret, but Debian's own settings.js does not define them.
        self._settings = f'var server = "{janus.url}", iceServers = [], token = "", apisecret = "";'

    def build(self) -> web.Application:
        """Return a web application with the pages and their settings."""
        app = web.Application()
        app.router.add_get("/settings.js", self._handle_settings)
        app.router.add_static("/", DEMOS, follow_symlinks=True)
        return app

    async def _handle_settings(self, _: web.Request) -> web.Response:
        return web.Response(text=self._settings, content_type="text/javascript")


@pytest.mark.parametrize("page", ["videoroomtest.html", "mvideoroomtest.html"])
def test_demo_page_of_janus_is_recorded(room: Room, enter: Enter, tmp_path: Path, page: str) -> None:
    """Bob mutes himself with the page's own button, and leaves the room at the end."""
    if not installed() or not DEMOS.is_dir():
        pytest.skip("Janus and its demos are not installed; on Debian, scripts/ci-packages installs them.")
    with Janus(tmp_path, demo=True) as janus, Demos(janus) as site:
        alice, bob = (join(enter, f"{site.url}/{page}", name) for name in ("alice", "bob"))
        meet(room, alice, bob)
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=2.5)
        bob.page.locator("#mute").click()
        muted = alice.get_media_recording().elapsed
        room.wait(seconds=2.5)
        bob.page.locator("#unpublish").click()
        room.wait_for(lambda: alice.others == [], what="bob to leave", timeout=10)
        left = alice.get_media_recording().elapsed
        room.wait(seconds=1)
        alice.stop_media_recording()
        report = check_recording(alice.download_media_recording(), crowded=True)

    bob_in_report = report.participant("bob")
    assert audible_share(bob_in_report, 0.5, muted - 0.5) > 0.9
    assert audible_share(bob_in_report, muted + 1, left) < 0.1
    assert bob_in_report.is_visible(1, 2)
    assert bob_in_report.present[-1][1] == pytest.approx(left, abs=1.5)


def join(enter: Enter, url: str, name: str) -> Participant:
    """Join the demo's room through the page's own form."""
    participant = enter(url, name)
    participant.page.locator("#start").click()
    participant.page.locator("#username").fill(name)
    participant.page.locator("#register").click()
    return participant
