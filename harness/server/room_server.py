"""RoomServer: the application in a thread and loop of its own, so that it answers while Python waits or computes."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from harness.errors import HarnessError, SetupError
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.recover import recover
from harness.server.access.limits import Limits
from harness.server.access.listener import Listener
from harness.server.access.network import LOOPBACK, PORTS, is_any, names_of, parse_host
from harness.server.access.tokens import WHILE_IN, Admission, Grant
from harness.server.spool.spool import Spool
from harness.server.web_app import App, web_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path
    from ssl import SSLContext
    from types import TracebackType
    from typing import Self

    from harness.recording.recording import Recording
    from harness.server.library.library import Library
    from harness.server.rooms.routes import Routes
    from harness.server.spool.active_recording import ActiveRecording

# How long, in seconds, those who still fetch something may go on when the server ends.
_LAST_ANSWERS_WITHIN: Final = 1.0

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


def _attached(name: str) -> str:
    """Return whose the tokens of attached pages are: not a member's, whose id is random."""
    return f"attached {name}"


def _makes_sense(record: logging.LogRecord) -> bool:
    """Return whether what aiohttp logs is about a request that is one, and that somebody still waits for.

    Others could fill the log with what is not a request, and with connections that they reset.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


class RoomServer:
    """Serves the page, signalling and the spool.

    ``recordings`` is the folder below which the spool lies; ``port`` 0 takes a free one; ``open_room`` lets people
    join that room without a token, by ``join_code`` where one is set, and ``view_code`` lets them look at what was
    recorded there and no more; ``library`` is where their recordings go;
    ``routes`` are the ways that media take; ``limits`` is what the server bears; ``tls`` makes it answer by https;
    ``origins`` are the addresses by which it is reached besides its own, as through a proxy (``https://rooms.example``).

    On entering, what an earlier crash left in that spool is finished, published and told in a warning.

    Raises ConfigError for a host that nobody could open, SetupError on entering when the port or the folder can't be
    used.
    """

    def __init__(
        self,
        *,
        recordings: Path,
        versions: Mapping[str, str],
        host: str = LOOPBACK,
        port: int = 0,
        open_room: str | None = None,
        join_code: str | None = None,
        view_code: str | None = None,
        library: Library | None = None,
        routes: Routes | None = None,
        limits: Limits | None = None,
        tls: SSLContext | None = None,
        origins: Sequence[str] = (),
    ) -> None:
        self._library = library
        self._tls = tls
        self._origins = origins
        self._host = parse_host(host)
        self._port = port
        self._admission = Admission(open_room=open_room, join_code=join_code, view_code=view_code)
        # The addresses of an interface may change while the server runs.
        addresses = (lambda: self.urls) if is_any(self._host) else None
        self._app = App(self._admission, Spool(recordings, versions), limits or Limits(), library, routes, addresses)
        # How many pages of other origins are attached, by room and name.
        self._attached: Counter[tuple[str, str]] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="room server", daemon=True)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self.state: str = "new"

    @property
    def url(self) -> str:
        """The page's address."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """Every address of the page: the server's own, then the names of the machine and those that were given."""
        scheme = "https" if self._tls else "http"
        # As browsers say it in Host and Origin.
        port = "" if self._port == PORTS[scheme] else f":{self._port}"
        return [*(f"{scheme}://{name}{port}" for name in names_of(self._host)), *self._origins]

    @property
    def recordings(self) -> Path:
        """The folder below which the spool lies."""
        return self._app.spool.root.parent

    def __enter__(self) -> Self:
        """Make the folder, and start to serve."""
        self._make_folder()
        for recovery in recover(self.recordings):
            _log.warning("%s", recovery)
        if self._library:
            self._library.read()
        self._thread.start()
        try:
            self._run(self._start)
        except OSError as error:
            self.close()
            if error.errno == errno.EADDRINUSE:
                message = f"Port {self._port} on {self._host} is in use; choose another one, or 0 for a free one."
            else:
                message = f"Can't serve on {self._host} port {self._port}: {error.strerror or error}."
            raise SetupError(message) from error
        self.state = "open"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.close()

    def stop(self) -> None:
        """Hang up on everybody; their recordings are finished with what there is, and can be kept. Twice is fine."""
        if self.state in {"stopped", "closed"}:
            return
        self.state = "stopped"
        self._run(self._stop)

    def close(self) -> None:
        """Stop serving; recordings that are not cleaned stay on disk. Twice is fine."""
        if self.state == "closed":
            return
        try:
            self.stop()
        finally:
            self.state = "closed"
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._app.spool.close()

    def token(self, room: str, name: str) -> str:
        """Return a token with which ``name`` can join ``room``: once, within five minutes."""
        return self._call(lambda: self._admission.issue(Grant(role="participant", room=room, name=name)))

    def film(self, path: Path) -> str:
        """Return where pages can play a film, below the server's address, while it runs."""
        return self._call(lambda: self._app.downloads.share(path))

    def attach(self, room: str, name: str, media: str | Path) -> str:
        """Return the script that comes first in every frame of somebody else's page, so that its call can be recorded.

        It holds what ``name`` may join ``room`` with, as often as the page loads anew, for a day; ``media`` is
        "synthetic", "own" or the path of a film.
        """
        film = None if isinstance(media, str) else self.film(media)

        def prepare() -> dict[str, str | None]:
            grant = Grant(role="participant", room=room, name=name, subject=_attached(name))
            self._attached[room, name] += 1
            token = self._admission.issue(grant, seconds=WHILE_IN, single_use=False)
            return {
                "url": self.url,
                "key": self._admission.admit_apps(),
                "token": token,
                "media": "video-file" if film else str(media),
                "videoFile": film,
            }

        options = json.dumps(self._call(prepare))
        hooks = (web_folder() / "src" / "application" / "hooks.js").read_text(encoding="utf-8")
        return f"(() => {{ const HARNESS = {options};\n{hooks}\n}})();"

    def detach(self, room: str, name: str) -> None:
        """Take back what ``attach`` gave to a page that was let go of; of several by one name, with the last.

        Does nothing where no page was attached by that name.
        """

        def take_back() -> None:
            if not self._attached[room, name]:
                return
            self._attached[room, name] -= 1
            self._admission.dismiss_app()
            if not self._attached[room, name]:
                self._admission.revoke(room, _attached(name))

        self._call(take_back)

    def keep(self, folder: Path, *, room: str | None = None, participant: str | None = None) -> list[Recording]:
        """Publish in ``folder`` what nobody downloaded, of a participant of a room or of everybody; free the spool.

        A recording that can't be published stays in the spool, and the others are published; a warning is logged.
        """
        takes = self._call(lambda: list(self._app.spool.takes.values()))
        kept = []
        for take in takes:
            if room not in {None, take.facts.room} or participant not in {None, take.facts.participant}:
                continue
            try:
                recording = take.keep(folder)
            except HarnessError as error:
                _log.warning("%s", error)
            else:
                kept += [recording] if recording else []
        return kept

    def expel(self, room: str, member: str) -> None:
        """Take somebody out of a room, by id, whose page is known to be gone: nobody waits for its connection."""
        self._run(lambda: self._app.expel(room, member))

    def take_at(self, url: str) -> ActiveRecording | None:
        """Return the recording that a download came from."""
        key = url.rpartition("/recordings/")[2].partition("/")[0]
        return self._call(lambda: self._app.downloads.take_at(key))

    def has_take(self, take: str, *, room: str, participant: str) -> bool:
        """Return whether there is a recording by that id of a participant of a room."""
        found = self._call(lambda: self._app.spool.takes.get(take))
        return found is not None and (found.facts.room, found.facts.participant) == (room, participant)

    def _call(self, ask: Callable[[], _T]) -> _T:
        """Ask something in the server's own thread."""

        async def answer() -> _T:
            return ask()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def _run(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(step(), self._loop).result()

    def _make_folder(self) -> None:
        folder = self._app.spool.root
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            message = f"{folder.parent} can't take recordings: {error.strerror}. Choose another --recordings."
            raise SetupError(message) from error

    async def _start(self) -> None:
        logging.getLogger("aiohttp.server").addFilter(_makes_sense)
        self._runner = web.AppRunner(self._app.build(), access_log=None, shutdown_timeout=_LAST_ANSWERS_WITHIN)
        await self._runner.setup()
        # It has been made by setup.
        server = cast("web.Server", self._runner.server)
        self._listener = Listener(server, self._app.limits, self._app.rare_log, self._tls)
        self._port = await self._listener.open(self._host, self._port)
        self._admission.allow_current(*self.urls)

    async def _stop(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
