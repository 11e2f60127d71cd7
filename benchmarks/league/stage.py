"""The stage: the browsers, the server and the room of one call, and the call itself, which follows the script."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.script import DIP, LATE, MUTED, NAMES, RECORDING, Script, Truth, length
from harness.browser.chrome import launch_options, start_playwright
from harness.browser.locate import check_folders, locate
from harness.browser.renderers import Renderers
from harness.launch import versions
from harness.server.room_server import RoomServer
from harness.server.rooms.routes import Routes, Sfu
from harness.server.serve_options import ServeOptions
from harness.session.room import Room
from tests.support.servers.janus import Janus, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import Browser, BrowserContext

    from harness import Participant
    from harness.recording.timeline import Interval

ROOM: Final = "league"
# Size of the recorded video, and of the page that screen recorders capture.
SIZE: Final = (1280, 720)
# The frame rate of the participants' video and of all recordings. It is the default of NERTC and of the harness, and
# leaves enough CPU time for the recorders on a machine with two processors.
FRAME_RATE: Final = 15
# Subscribes to everybody's video at the size of a tile in the recording.
_WATCH: Final = f"client.watch({{'*': {{ width: 640, height: 360, frameRate: {FRAME_RATE} }}}})"


def watch(participant: Participant) -> None:
    """Let a participant receive everybody's media."""
    participant.page.evaluate(_WATCH)


class Browsers:
    """The Chrome of all participants, and another Chrome with a window for screen recorders."""

    def __enter__(self) -> Self:
        check_folders()
        self._playwright = start_playwright()
        try:
            self._found = locate(bundled=self._playwright.chromium.executable_path)
            self._browser: Browser = self._playwright.chromium.launch(**launch_options(self._found, fake_devices=True))
        except BaseException:
            self._playwright.stop()
            raise
        self._windows: list[BrowserContext] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for window in self._windows:
                window.close()
            self._browser.close()
        finally:
            self._playwright.stop()

    @property
    def version(self) -> str:
        """The version of the participants' Chrome."""
        return self._browser.version

    def new_context(self, **options: Any) -> BrowserContext:
        """Return a new context in the participants' Chrome."""
        return self._browser.new_context(**{"accept_downloads": True, "bypass_csp": True, **options})

    def open_window(self, profile: Path, environment: dict[str, str]) -> BrowserContext:
        """Launch another Chrome whose window fills the display, without its address bar and its messages.

        ``profile`` is a folder for its files, and ``environment`` specifies the display and the audio server.
        """
        options = launch_options(self._found, headed=True, fake_devices=True)
        width, height = SIZE
        options["args"] = [
            *options["args"],
            "--kiosk",
            "--test-type",
            "--window-position=0,0",
            f"--window-size={width},{height}",
        ]
        options["env"] = {**os.environ, **options.get("env", {}), **environment}
        window = self._playwright.chromium.launch_persistent_context(
            profile, no_viewport=True, ignore_default_args=["--enable-automation"], **options
        )
        self._windows.append(window)
        return window


class Stage:
    """The stage of one call, on which a recorder can start.

    ``folder`` is for the recorder's files. ``sfu`` is the Janus server through which the media goes, or None if the
    media goes from page to page. ``notes`` is stored with the run, and is available after the processes of
    the run have ended.
    """

    def __init__(self, folder: Path, browsers: Browsers, server: RoomServer, sfu: Sfu | None) -> None:
        self.folder = folder
        self.browsers = browsers
        self.server = server
        self.sfu = sfu
        self.room = Room(server=server, new_context=browsers.new_context, recordings=folder / "recordings", name=ROOM)
        self.notes: dict[str, Any] = {}
        self._renderers = Renderers()
        self._markers: dict[str, int] = {}

    @property
    def alice(self) -> Participant:
        """The participant who receives everybody's media."""
        return self.room.participants[0]

    def open_call(self) -> None:
        """Let all participants join, except the one who joins later."""
        for name in NAMES:
            if name != LATE:
                self._join(name)

    def follow(self, script: Script) -> Truth:
        """Carry out the script, and return what was true.

        If the machine is so busy that a step is late, the following steps are late as well, so that Bob is muted and
        Carol's network is poor for as long as planned.
        """
        began, began_at = time.monotonic(), time.time()
        bob = self._participant(MUTED)
        joined = self._act(began, script.joins, lambda: self._join(LATE))
        muted = self._act(began, script.muted[0], bob.mute)
        unmuted = self._act(began, max(script.muted[1], muted[1] + length(script.muted)), bob.unmute)
        carol = self._participant(LATE)
        poor = self._act(began, script.dip[0], lambda: carol.emulate_network(**DIP))
        good = self._act(began, max(script.dip[1], poor[1] + length(script.dip)), carol.emulate_network)
        rest = script.seconds - script.dip[1]
        _, end = self._act(began, max(script.seconds, good[1] + rest), lambda: None)
        present = {**dict.fromkeys(NAMES, 0.0), LATE: joined[1]}
        whole: dict[str, list[Interval]] = {name: [(start, end)] for name, start in present.items()}
        return Truth(
            began_at=began_at,
            seconds=end,
            markers=self._markers,
            visible=whole,
            audible={**whole, MUTED: [(0.0, muted[0]), (unmuted[1], end)]},
            silent={MUTED: [(muted[1], unmuted[0])], LATE: [(0.0, joined[0])]},
            dip=(poor[0], good[1]),
        )

    def _act(self, began: float, at: float, action: Callable[[], object]) -> Interval:
        """Wait until ``at`` seconds after ``began``, act, and return when the action began and ended."""
        self.room.wait(seconds=max(0.0, began + at - time.monotonic()))
        before = time.monotonic() - began
        action()
        return before, time.monotonic() - began

    def _participant(self, name: str) -> Participant:
        return next(one for one in self.room.participants if one.name == name)

    def _join(self, name: str) -> None:
        """Let a participant join; only the page that receives everybody's media keeps its normal CPU priority."""
        self._renderers.appeared()
        (joined,) = self.room.join_all(name, emulate_network=(name,) if name == LATE else ())
        if name != LATE:
            # Alice's media is sent only if another participant receives it.
            watch(joined)
        if name != RECORDING:
            self._renderers.lower(self._renderers.appeared())
        self._markers[name] = joined.page.evaluate("client.room.marker")


@contextlib.contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Open Chrome, the server and a room. Without Janus, the room's media goes from page to page."""
    with contextlib.ExitStack() as stack:
        sfu = None
        if installed():
            (folder / "janus").mkdir()
            janus = stack.enter_context(Janus(folder / "janus"))
            sfu = Sfu(janus.url, janus.secret, room=ROOM)
        browsers = stack.enter_context(Browsers())
        server = stack.enter_context(
            RoomServer(
                recordings=folder / "recordings",
                versions=versions(browsers.version),
                options=ServeOptions(routes=Routes(sfu=sfu)),
            )
        )
        stage = Stage(folder, browsers, server, sfu)
        with stage.room:
            yield stage
