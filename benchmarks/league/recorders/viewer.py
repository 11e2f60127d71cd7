"""The page that screen recorders capture: a fourth participant, who only watches and listens."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from benchmarks.league.stage import ROOM, watch
from harness.session.room import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext

    from benchmarks.league.stage import Stage
    from harness import Participant

_NAME: Final = "viewer"
# Only the tiles are left, and the viewer's own tile is hidden, as in Jibri's view of Jitsi Meet.
_KIOSK: Final = """
  #stage { position: fixed; inset: 0; z-index: 10; background: #14171c; }
  .tile:first-child { display: none; }
"""
# The page's content security policy does not allow style elements.
_ADD_STYLE: Final = """(text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets.push(sheet);
}"""
# The viewer's own tile comes first, and all others must show video.
_SHOWN: Final = "document.querySelectorAll('.tile:not(:first-child).has-video').length >= 2"
_SHOWN_WITHIN: Final = 30.0


@contextlib.contextmanager
def open_viewer(stage: Stage, context: BrowserContext) -> Iterator[Participant]:
    """Open the room's page with its user interface in a browser context, and wait until it shows all participants."""
    room = Room(
        server=stage.server,
        new_context=lambda: context,
        recordings=stage.folder / "recordings",
        name=ROOM,
        watched=True,
    )
    with room:
        viewer = room.join(_NAME, media="camera")
        viewer.turn_camera_off()
        viewer.mute()
        viewer.page.evaluate(_ADD_STYLE, _KIOSK)
        room.wait_for(
            lambda: viewer.page.evaluate(_SHOWN),
            what="the viewer's page to show all participants",
            timeout=_SHOWN_WITHIN,
        )
        # The page itself requests 30 fps, which would change what the participants send.
        watch(viewer)
        yield viewer
