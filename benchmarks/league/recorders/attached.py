"""The harness's recorder, attached to the page of another application in the same call."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from benchmarks.league.recorders.recorder import Needs
from benchmarks.league.recorders.room import RoomRecorder, record_config
from benchmarks.league.stage import ROOM
from harness import SetupError
from tests.support.servers.application_site import NODE_MODULES, Site

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.league.stage import Stage
    from harness import Participant

_NAME: Final = "recorder"
_IN_CALL_WITHIN: Final = 30.0


class AttachedRecorder(RoomRecorder):
    """Records the call from a page that uses Janus's own client library."""

    key = "attached"
    title = "recording-harness, attached"
    method = (
        "A fourth participant joins the call with another application, which uses Janus's own client library. The "
        "harness is attached to this application's page and records it, including the fourth participant."
    )
    needs = Needs(programs=(("janus", "janus"),), janus=True)

    def __init__(self, modules: Path | None = None) -> None:
        super().__init__(modules)
        self._stack = contextlib.ExitStack()
        self._recorder: Participant

    def missing(self) -> str | None:
        """Return why this recorder can't run on this machine, or None if it can."""
        if not (NODE_MODULES / "janus-gateway").is_dir():
            return "Janus's client library is not installed. Install it with: make setup-dev"
        return super().missing()

    def begin(self, stage: Stage) -> None:
        """Join the call with the other application, and record its page."""
        if stage.sfu is None:
            message = "The call does not go through Janus."
            raise SetupError(message)
        access = stage.sfu.access(ROOM, "")
        site = self._stack.enter_context(Site(strict=False, tls=False))
        query = {"me": _NAME, "room": access["room"], "server": access["url"], "token": access["token"]}
        self._recorder = stage.room.enter(_NAME, media="own")
        self._recorder.page.goto(f"{site.url}/janus.html?{urlencode(query)}")
        stage.room.wait_for(
            lambda: len(self._recorder.others) >= len(stage.room.participants) - 1,
            what="the attached page to receive everybody",
            timeout=_IN_CALL_WITHIN,
        )
        self._recorder.start_media_recording(recorder="all", record_config=record_config())
        stage.notes["zero_at"] = time.time() - self._recorder.elapsed
        stage.notes["commands"] = ["harness record --url URL --recorder all --quality 720p --name league"]

    def end(self, stage: Stage) -> None:  # noqa: ARG002
        """Stop and download the recording."""
        self._recorder.stop_media_recording()
        self._recorder.download_media_recording()
        self._stack.close()
