"""Room: the people in it, and waiting for what happens there."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from harness.browser.pages.application_page import AppPage
from harness.browser.pages.room_page import RoomPage
from harness.browser.renderers import Renderers
from harness.errors import PageError, StepTimeout
from harness.session.media import APP_MEDIA, MEDIA, media_of
from harness.session.participant import Participant
from harness.session.teardown import take_every_step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import BrowserContext, Page

    from harness.browser.pages.driven_page import DrivenPage
    from harness.recording.config import RecordConfig
    from harness.recording.recording import Recording
    from harness.server.room_server import RoomServer
    from harness.session.media import Media

# How long, in seconds, until who wants a newcomer's picture and sound must have them.
JOINED_WITHIN: Final = 20.0
_LOOK_EVERY: Final = 0.05
# Who waits hears within so many seconds that a recording broke.
_NOTICED_WITHIN: Final = 0.5


class Room:
    """A room with participants, each a page in a browser context of its own.

    ``server`` serves the page, ``new_context`` makes browser contexts and ``recordings`` is where recordings go;
    ``record_config`` is how they are made where a call does not say. The room closes whom it let in, not what it was
    given.
    """

    def __init__(
        self,
        *,
        server: RoomServer,
        new_context: Callable[..., BrowserContext],
        recordings: Path,
        name: str = "room",
        watched: bool = False,
        record_config: RecordConfig | None = None,
    ) -> None:
        self.name = name
        self.participants: list[Participant] = []
        self._server = server
        self._new_context = new_context
        self._recordings = recordings
        self._watched = watched
        self._record_config = record_config
        self._renderers = Renderers()
        self._renderers_of: dict[Participant, frozenset[int]] = {}

    def __enter__(self) -> Self:
        """Return the room, open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everybody's page; what was recorded is kept."""
        self.close()

    def join(
        self, name: str, *, media: Media = "synthetic", subscribe: bool = False, timeout: float = JOINED_WITHIN
    ) -> Participant:
        """Let somebody in; returns when every subscriber has the first frame and sound.

        ``media`` "synthetic" is a moving picture and a tone that ``verify`` recognises, "camera" the browser's devices,
        a path a film: WebM, or what else Chrome plays. With ``subscribe`` the participant receives everybody from now
        on, not only while recording; a recording then starts sooner.

        Raises StepTimeout, naming who did not receive them, after ``timeout`` seconds; ConfigError for other media.
        """
        return self.join_all(name, media=media, subscriber=name if subscribe else None, timeout=timeout)[0]

    def join_all(
        self,
        *names: str,
        media: Media = "synthetic",
        subscriber: str | None = None,
        shaped: Collection[str] = (),
        timeout: float = JOINED_WITHIN,
    ) -> list[Participant]:
        """Let several people in side by side; ``subscriber`` is the one who receives everybody from now on.

        Who is among ``shaped`` can have a worse network later: ``shape_network``.
        """
        brought = media_of(media, MEDIA)
        film = None if isinstance(brought, str) else self._server.film(brought)
        begun = []
        for name in names:
            participant = self._open(name, shaped=name in shaped)
            self.participants.append(participant)
            options: dict[str, Any] = {
                "name": name,
                "media": "video-file" if film else brought,
                "videoFile": film,
                "token": self._server.token(self.name, name),
                "timeout": timeout * 1000,
            }
            if name == subscriber:
                options["subscriptions"] = {"*": {"width": 640, "height": 360, "frameRate": 30}}
            begun.append((participant, options))
        for finish in [participant.begin_join(options) for participant, options in begun]:
            finish()
        return [participant for participant, _ in begun]

    def attach(self, page: Page, name: str = "recorder", *, media: Media = "synthetic") -> Participant:
        """Follow somebody else's page, before it loads, and return who is in its call there.

        The application is not changed. What it sends and receives over WebRTC can be recorded by the usual calls, as
        soon as it is in a call. ``media`` "synthetic" answers its wish for a camera and a microphone with a picture and
        a sound that ``verify`` recognises, a path with a film; "own" leaves it the browser's. The page stays its
        owner's, and open.

        Raises ConfigError for a page that has loaded something already, NotSupportedError for another browser.
        """
        return self._attach(page, name, media, owned=False)

    def enter(self, name: str, *, media: Media = "synthetic", **options: Any) -> Participant:
        """Return somebody with an empty page of their own, for somebody else's application: ``page.goto`` is next.

        ``options`` are Playwright's for the page's context (``storage_state``, ``ignore_https_errors`` ...). Whatever
        ``attach`` says of calls and media holds; the page is closed with the room.
        """
        # Also in frames from elsewhere, which a page's own session does not reach.
        page = self._new_context(**{"bypass_csp": True, **options}).new_page()
        return self._attach(page, name, media, owned=True)

    def _attach(self, page: Page, name: str, media: Media, *, owned: bool) -> Participant:
        brought = media_of(media, APP_MEDIA)
        script = self._server.attach(self.name, name, brought)
        try:
            driven = AppPage(page, self._server.url, script, owned=owned)
        except BaseException:
            # Nobody has the script.
            self._server.detach(self.name, name)
            raise
        participant = self._participant(name, driven, lambda: None)
        participant.state = "joined"
        self.participants.append(participant)
        return participant

    def _open(self, name: str, *, shaped: bool = False) -> Participant:
        """Open a page for somebody, in a browser context of its own."""
        page = RoomPage(self._new_context(), self._server.url, watched=self._watched, shaped=shaped)
        participant = self._participant(name, page, lambda: self._give_way(participant))
        self._renderers_of[participant] = self._renderers.appeared()
        return participant

    def _participant(self, name: str, page: DrivenPage, before_recording: Callable[[], None]) -> Participant:
        return Participant(
            name,
            room=self.name,
            page=page,
            server=self._server,
            recordings=self._recordings,
            record_config=self._record_config,
            before_recording=before_recording,
        )

    def _give_way(self, recording: Participant) -> None:
        """Let the pages of all others give way to the one that records: what comes late there is lost here."""
        for participant, renderers in self._renderers_of.items():
            if participant is not recording:
                self._renderers.yield_to_others(renderers)

    @property
    def recordings(self) -> list[Recording]:
        """Everything that was recorded and kept in this room, also by people who have left; oldest first."""
        return [recording for participant in self.participants for recording in participant.recordings]

    def wait(self, *, seconds: float) -> None:
        """Let time pass, while pages and browsers are heard.

        Raises RecordingError, which carries what was saved, as soon as a page or the browser dies while it records.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._pause(min(left, _NOTICED_WITHIN))

    def wait_for(
        self,
        condition: Callable[[], object],
        *,
        timeout: float = 30.0,
        what: str = "the condition",
    ) -> None:
        """Return when ``condition()`` is true; raises StepTimeout, naming ``what``, after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                message = f"Waited {timeout:g} s for {what}, in vain."
                raise StepTimeout(message)
            self._pause(_LOOK_EVERY)

    def close(self) -> None:
        """Close everybody's page; what was recorded and not downloaded is kept. Twice is fine.

        All are closed, whatever one of them raises; the first error is raised afterwards.
        """
        take_every_step(participant.close for participant in self.participants)

    def _pause(self, seconds: float) -> None:
        page = next((participant for participant in self.participants if participant.alive), None)
        if page is None:
            threading.Event().wait(seconds)
        else:
            with contextlib.suppress(PageError):
                # A page that dies meanwhile is told of below, if it recorded.
                page.wait(seconds)
        for participant in self.participants:
            participant.raise_if_lost()
