"""Define the room, which opens pages for its participants and waits for events in those pages."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from harness.browser.fonts import REMEDY, undrawable
from harness.browser.pages.application_page import ApplicationPage
from harness.browser.pages.room_page import RoomPage
from harness.browser.renderers import Renderers
from harness.errors import InvalidStateError, PageError, StepTimeout
from harness.session.context import RoomContext
from harness.session.media import APPLICATION_MEDIA, MEDIA, media_of
from harness.session.observation import Observation
from harness.session.participant import Participant
from harness.session.teardown import run_every_step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import BrowserContext, Page

    from harness.recording.config import RecordConfig
    from harness.recording.recording import Recording
    from harness.server.room_server import RoomServer
from harness.session.media import Media

# Maximum time until every subscriber receives a new participant's video and audio, in seconds.
JOINED_WITHIN: Final = 20.0
_POLL_INTERVAL: Final = 0.05
# How long a wait may take to notice that a recording failed, in seconds.
_NOTICED_WITHIN: Final = 0.5

_log = logging.getLogger(__name__)


class Room:
    """A room whose participants each have a page in a separate browser context.

    ``open_room`` and the pytest fixture ``room`` create rooms. At the end of a ``with`` block, the room closes its
    participants' pages, and saves recordings that were not downloaded.
    """

    name: str
    """Name of the room, which is also stored in each recording's manifest."""
    participants: list[Participant]
    """All participants, including those who have left, in the order in which they joined."""
    observations: list[Observation]
    """All observations of the room, including those in progress, in the order in which they were started."""

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
        """Create a room that uses the given server and browser contexts but does not close them.

        ``server`` serves the page, ``new_context`` creates browser contexts, and ``recordings`` is the folder for
        recordings. ``record_config`` is the default for every recording. If ``watched`` is true, the pages are shown in
        windows.
        """
        self.name = name
        self.participants = []
        self.observations = []
        self._context = RoomContext(room=name, server=server, recordings=recordings, record_config=record_config)
        self._server = server
        self._new_context = new_context
        self._watched = watched
        self._renderers = Renderers()
        # The participants' names that were already checked against the installed fonts.
        self._checked_names: set[str] = set()

    def __enter__(self) -> Self:
        """Return the room itself, which is already open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every page and save the recordings."""
        self.close()

    def join(
        self, name: str, *, media: Media = "synthetic", subscribe: bool = False, timeout: float = JOINED_WITHIN
    ) -> Participant:
        """Add a participant, and return when every subscriber has received the participant's first video and audio.

        Args:
            name: Name of the participant.
            media: Camera and microphone of the participant: ``"synthetic"`` for synthetic video and a tone that
                ``verify`` recognizes, ``"camera"`` for the browser's devices, or the path of a video file that Chrome
                can play, for example WebM.
            subscribe: Whether the participant receives everybody's media all the time, instead of only while
                recording. If True, this participant's recordings start sooner.
            timeout: Maximum time to wait, in seconds.

        Raises:
            StepTimeout: A subscriber received nothing within ``timeout`` seconds; the message names the subscribers.
            ConfigError: ``media`` is not valid.
        """
        return self.join_all(name, media=media, subscriber=name if subscribe else None, timeout=timeout)[0]

    def join_all(
        self,
        *names: str,
        media: Media = "synthetic",
        subscriber: str | None = None,
        emulate_network: Collection[str] = (),
        timeout: float = JOINED_WITHIN,
    ) -> list[Participant]:
        """Add several participants to the room at the same time, and return them in the order of ``names``.

        Args:
            *names: Names of the participants. If the installed fonts can't draw a name, a warning is logged.
            media: Camera and microphone of all these participants, as in ``join``.
            subscriber: Name of a participant who receives everybody's media all the time, instead of only while
                recording.
            emulate_network: Names of the participants whose network can be changed later with
                ``Participant.emulate_network``.
            timeout: Maximum time to wait, in seconds.

        Raises:
            StepTimeout: A subscriber received nothing within ``timeout`` seconds; the message names the subscribers.
            ConfigError: ``media`` is not valid.
        """
        source = media_of(media, MEDIA)
        video_file = None if isinstance(source, str) else self._server.share_video_file(source)
        joined, finishing = [], []
        for name in names:
            participant = self._open(name, emulate_network=name in emulate_network)
            self.participants.append(participant)
            options: dict[str, Any] = {
                "name": name,
                "media": "video-file" if video_file else source,
                "videoFile": video_file,
                "token": self._server.token(self.name, name),
                "timeout": timeout * 1000,
            }
            if name == subscriber:
                options["subscriptions"] = {"*": {"width": 640, "height": 360, "frameRate": 30}}
            joined.append(participant)
            # A participant joins while the next page opens. The method is private, because only the room may call it.
            finishing.append(participant._begin_join(options))  # noqa: SLF001
        for finish in finishing:
            finish()
        if joined:
            self._warn_of_undrawable_names(joined[0].page)
        return joined

    def attach(
        self, page: Page, name: str = "recorder", *, media: Media = "synthetic", emulate_network: bool = False
    ) -> Participant:
        """Attach to another application's page before the page loads, and return its participant.

        The application is not changed, and its page stays open when the room closes. Once the application is in a
        call, you can record everything that it sends and receives over WebRTC.

        Args:
            page: Playwright's page.
            name: Name of the participant.
            media: Camera and microphone of the application: ``"synthetic"`` for video and audio that ``verify``
                recognizes, ``"own"`` for the browser's devices, or the path of a video file.
            emulate_network: Whether the page's network can be changed later with ``Participant.emulate_network``.

        Raises:
            ConfigError: The page has already loaded something, or ``media`` is not valid.
            NotSupportedError: The browser is not Chromium.
            SetupError: The browser can't reach this machine's loopback interface.
        """
        return self._attach(page, name, media, owned=False, emulate_network=emulate_network)

    def enter(
        self, name: str, *, media: Media = "synthetic", emulate_network: bool = False, **options: Any
    ) -> Participant:
        """Return a participant with a new, empty page, in which ``participant.page.goto`` can open another application.

        In contrast to ``attach``, this page is closed when the room closes.

        Args:
            name: Name of the participant.
            media: Camera and microphone of the application, as in ``attach``.
            emulate_network: Whether the page's network can be changed later with ``Participant.emulate_network``.
            **options: Playwright's options for the page's browser context, for example ``storage_state`` or
                ``ignore_https_errors``.

        Raises:
            ConfigError: ``media`` is not valid.
        """
        # The context bypasses CSP even in cross-origin frames, which the page's CDP session can't reach.
        page = self._new_context(**{"bypass_csp": True, **options}).new_page()
        return self._attach(page, name, media, owned=True, emulate_network=emulate_network)

    def _attach(self, page: Page, name: str, media: Media, *, owned: bool, emulate_network: bool) -> Participant:
        source = media_of(media, APPLICATION_MEDIA)
        script = self._server.attach(self.name, name, source)
        try:
            driven = ApplicationPage(page, self._server.url, script, owned=owned, emulate_network=emulate_network)
        except BaseException:
            # The script is not used by any page, so revoke the rights that the server granted to it.
            self._server.detach(self.name, name)
            raise

        def before_recording() -> None:
            self._warn_of_undrawable_names(page)
            self._renderers.yield_to(participant)

        participant = Participant(name, driven, self._context, before_recording=before_recording)
        self._renderers.attached(participant, driven.renderers)
        participant.state = "joined"
        self.participants.append(participant)
        return participant

    def _open(self, name: str, *, emulate_network: bool = False) -> Participant:
        """Open a page for a participant, in a separate browser context."""
        page = RoomPage(self._new_context(), self._server.url, watched=self._watched, emulate_network=emulate_network)
        participant = Participant(
            name, page, self._context, before_recording=lambda: self._renderers.yield_to(participant)
        )
        self._renderers.opened(participant)
        return participant

    def _warn_of_undrawable_names(self, page: Page) -> None:
        """Log one warning about all names that the page's fonts can't draw; each name is checked only once."""
        names = [one.name for one in self.participants if one.name not in self._checked_names]
        self._checked_names.update(names)
        if found := undrawable(page, names):
            _log.warning(
                "The installed fonts can't draw these names: %s. The recording will show boxes instead of the missing "
                "characters. To install fonts, %s.",
                ", ".join(found),
                REMEDY,
            )

    def observe(self, name: str | None = None) -> Observation:
        """Start to observe the call without recording it, while another program records it.

        The observation's manifest contains who was in the call, when, and with which markers, as seen by the page of
        the first participant who is in the room. ``verify(file, manifest=...)`` compares the other program's file with
        the manifest. Use ``observe`` in a ``with`` statement, or call ``Observation.stop``.

        Args:
            name: Name of the manifest, without a suffix. The default consists of the participant's name and the time.
                An existing file is never overwritten: a number is added to the name instead.

        Raises:
            InvalidStateError: Nobody is in the room, or the participant's page is not in a call or is already observing
                it.
        """
        participant = next((one for one in self.participants if one.state == "joined" and one.alive), None)
        if participant is None:
            message = "Nobody is in the room, so there is no call to observe; let a participant join or attach first."
            raise InvalidStateError(message)
        observation = Observation(participant, self._context, self.participants, name)
        observation._start()  # noqa: SLF001 - a room and its observations are one unit
        self.observations.append(observation)
        return observation

    @property
    def recordings(self) -> list[Recording]:
        """All recordings of this room that were downloaded or saved, including those by participants who have left."""
        return [recording for participant in self.participants for recording in participant.recordings]

    def wait(self, *, seconds: float) -> None:
        """Wait for the given time, and handle events from pages and browsers meanwhile.

        Args:
            seconds: Time to wait.

        Raises:
            RecordingError: A recording failed, or its page or the browser crashed. The error's ``recording`` is the
                part that was saved.
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
        """Wait until ``condition()`` is true.

        Args:
            condition: Function that is called about every 0.05 s.
            timeout: Maximum time to wait, in seconds.
            what: Description of the condition for the error message.

        Raises:
            StepTimeout: ``condition()`` did not become true within ``timeout`` seconds.
            RecordingError: A recording failed, or its page or the browser crashed.
        """
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                message = f"Timed out after {timeout:g} s waiting for {what}."
                raise StepTimeout(message)
            self._pause(_POLL_INTERVAL)

    def close(self) -> None:
        """Stop the observations, close every page, and save recordings that were not downloaded.

        ``close`` can be called more than once. If closing a page fails, the other pages are still closed, and the first
        error is raised at the end.
        """
        run_every_step(
            [
                *(observation.stop for observation in self.observations),
                *(participant.close for participant in self.participants),
            ]
        )

    def _pause(self, seconds: float) -> None:
        page = next((participant for participant in self.participants if participant.alive), None)
        if page is None:
            threading.Event().wait(seconds)
        else:
            with contextlib.suppress(PageError):
                # If a page crashes while it is recording, the loop below reports the crash.
                page.wait(seconds)
        for participant in self.participants:
            participant._raise_if_lost()  # noqa: SLF001 - a room and its participants are one unit
