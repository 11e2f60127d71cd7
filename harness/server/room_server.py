"""RoomServer runs the server in its own thread and event loop, so that it responds while the main program is busy."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from harness.errors import HarnessError, SetupError
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.recover import recover
from harness.server.access.listener import Listener
from harness.server.access.network import is_any
from harness.server.access.tokens import UNTIL_REVOKED, Admission, Token
from harness.server.attach_script import attach_script
from harness.server.serve_options import ServeOptions
from harness.server.spool.spool import Spool
from harness.server.web_app import WebApp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from harness.recording.recording import Recording
    from harness.server.library.library import Library
    from harness.server.spool.active_recording import ActiveRecording

# When the server stops, downloads in progress can continue for this many seconds.
_LAST_ANSWERS_WITHIN: Final = 1.0

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


def _attached_subject(name: str) -> str:
    """Return the id that is used as the subject of an attached page's tokens.

    The subject can't equal a member's id, because members' ids are random.
    """
    return f"attached {name}"


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Return whether to log an aiohttp record; errors from invalid requests and lost connections are not logged.

    If such errors were logged, clients could flood the log by sending invalid requests and resetting connections.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


class RoomServer:
    """Serves the page, downloads, and the sockets for signaling and for the spool.

    ``recordings`` is the folder that contains the spool; ``versions`` is written into every manifest. ``options``
    specify where and how the server listens. ``library`` lists and publishes the public room's recordings.

    Entering the context finishes and publishes recordings that an earlier crash left in the spool, and logs a warning
    for each one.

    Entering the context raises SetupError if the port or the folder can't be used.
    """

    def __init__(
        self,
        *,
        recordings: Path,
        versions: Mapping[str, str],
        options: ServeOptions | None = None,
        library: Library | None = None,
    ) -> None:
        options = options or ServeOptions()
        self._options = options
        self._library = library
        self._port = options.port
        self._admission = Admission(
            public_room=options.public_room, join_code=options.join_code, view_code=options.view_code
        )
        # A network interface's addresses can change while the server runs.
        read_addresses = (lambda: self.urls) if is_any(options.host) else None
        self._spool = Spool(
            recordings,
            versions,
            max_statistics=options.limits.notes_bytes,
            downloads=options.local_browsers and options.public_room is None,
        )
        self._web_app = WebApp(options, self._admission, self._spool, library, read_addresses)
        # The number of attached pages from other origins, by room and name.
        self._attached: Counter[tuple[str, str]] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="room server", daemon=True)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self.state: Literal["new", "open", "stopped", "closed"] = "new"

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """All URLs of the page: first the server's own address, then the machine's names and the configured origins."""
        return self._options.urls(self._port)

    @property
    def versions(self) -> dict[str, str]:
        """The version numbers that are written into every manifest."""
        return self._spool.versions

    @property
    def recordings(self) -> Path:
        """The folder that contains the spool."""
        return self._spool.root.parent

    def __enter__(self) -> Self:
        """Create the folder, recover earlier recordings, and start the server."""
        self._make_folder()
        for recovery in recover(self.recordings):
            _log.warning("%s", recovery)
        if self._library:
            self._library.read_folder()
        self._thread.start()
        try:
            self._run(self._start)
        except OSError as error:
            self.close()
            host = self._options.host
            if error.errno == errno.EADDRINUSE:
                message = f"Port {self._port} on {host} is in use; choose another port, or 0 for a free one."
            else:
                message = f"Can't serve on {host} port {self._port}: {error.strerror or error}."
            raise SetupError(message) from error
        self.state = "open"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.close()

    def stop(self) -> None:
        """Close all connections and finish their recordings. Safe to call more than once."""
        if self.state in {"stopped", "closed"}:
            return
        self.state = "stopped"
        self._run(self._stop)

    def close(self) -> None:
        """Stop the server; recordings that are still in the spool stay on disk. Safe to call more than once."""
        if self.state == "closed":
            return
        try:
            self.stop()
        finally:
            self.state = "closed"
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._spool.close()

    def token(self, room: str, name: str) -> str:
        """Return a token that lets ``name`` join ``room`` once, within five minutes."""
        return self._call(lambda: self._admission.issue(Token(role="participant", room=room, name=name)))

    def share_video_file(self, path: Path) -> str:
        """Return the URL path from which pages can play a video file while the server runs."""
        return self._call(lambda: self._web_app.downloads.share_video_file(path))

    def attach(self, room: str, name: str, media: str | Path) -> str:
        """Return the script that records another application's call; it must run first in every HTML frame of the page.

        The script contains a token that lets ``name`` join ``room`` again whenever the page is reloaded. ``media`` is
        "synthetic", "own" or the path of a video file.
        """
        video_file = None if isinstance(media, str) else self.share_video_file(media)

        def issue() -> dict[str, str | None]:
            token = Token(role="participant", room=room, name=name, subject=_attached_subject(name))
            self._attached[room, name] += 1
            secret = self._admission.issue(token, seconds=UNTIL_REVOKED, single_use=False)
            return {
                "url": self.url,
                "key": self._admission.admit_application(),
                "token": secret,
                "media": "video-file" if video_file else str(media),
                "videoFile": video_file,
            }

        return attach_script(self._call(issue))

    def detach(self, room: str, name: str) -> None:
        """Detach a page with this name; after the last such page, revoke the rights that ``attach`` granted.

        Does nothing if no page with the given name is attached.
        """

        def revoke() -> None:
            if not self._attached[room, name]:
                return
            self._attached[room, name] -= 1
            self._admission.dismiss_application()
            if not self._attached[room, name]:
                self._admission.revoke(room, _attached_subject(name))

        self._call(revoke)

    def publish(self, folder: Path, *, room: str | None = None, participant: str | None = None) -> list[Recording]:
        """Publish recordings in ``folder`` directly from the spool, without a download, and delete the spool's copies.

        ``room`` and ``participant`` select which recordings to publish; None selects all. If a recording can't be
        published, it stays in the spool and a warning is logged; all other recordings are still published.
        """
        published = []
        for active in self._call(lambda: list(self._spool.recordings.values())):
            if room not in {None, active.facts.room} or participant not in {None, active.facts.participant}:
                continue
            try:
                recording = active.publish(folder)
            except HarnessError as error:
                _log.warning("%s", error)
            else:
                published += [recording] if recording else []
        return published

    def expel(self, room: str, member: str) -> None:
        """Remove the member with this id without waiting for a reconnect, because the page has crashed or closed."""
        self._run(lambda: self._web_app.signal_sockets.expel(room, member))

    def recording_at(self, url: str) -> ActiveRecording | None:
        """Return the recording that a download URL belongs to."""
        key = url.rpartition("/recordings/")[2].partition("/")[0]
        return self._call(lambda: self._web_app.downloads.recording_at(key))

    def find_recording(self, recording_id: str, *, room: str) -> ActiveRecording | None:
        """Return a room's recording with this id, even if the page deleted it after the download; None if unknown."""

        def find() -> ActiveRecording | None:
            active = self._spool.recordings.get(recording_id)
            return active or self._web_app.downloads.recording_with_id(recording_id)

        active = self._call(find)
        return active if active is not None and active.facts.room == room else None

    def discard(self, active: ActiveRecording) -> None:
        """Delete the spool's copy of a recording."""
        self._run(lambda: self._web_app.connections.clean(active))

    def has_recording(self, recording_id: str, *, room: str, participant: str) -> bool:
        """Return whether the spool contains a recording with this id, made by this participant in this room."""
        active = self._call(lambda: self._spool.recordings.get(recording_id))
        return active is not None and (active.facts.room, active.facts.participant) == (room, participant)

    def _call(self, work: Callable[[], _T]) -> _T:
        """Run a function in the server's own thread, and return its result."""

        async def run() -> _T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _run(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(step(), self._loop).result()

    def _make_folder(self) -> None:
        folder = self._spool.root
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"Recordings can't be stored in {folder.parent}: {error.strerror}. Choose another folder with "
                "--recordings."
            )
            raise SetupError(message) from error

    async def _start(self) -> None:
        logging.getLogger("aiohttp.server").addFilter(_is_worth_logging)
        web_app = self._web_app
        self._runner = web.AppRunner(web_app.application, access_log=None, shutdown_timeout=_LAST_ANSWERS_WITHIN)
        await self._runner.setup()
        # ``setup`` has created the server, so ``server`` is not None.
        server = cast("web.Server", self._runner.server)
        self._listener = Listener(server, web_app.limits, web_app.rare_log, self._options.tls)
        self._port = await self._listener.open(self._options.host, self._port)
        self._admission.allow_current(*self.urls)

    async def _stop(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
