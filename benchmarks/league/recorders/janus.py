"""The server-side recorder of Janus's VideoRoom, which writes one file per participant and medium."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.processes import version_of
from benchmarks.league.recorders.recorder import Needs, RecordedFile, Recorder
from benchmarks.league.stage import ROOM
from harness import SetupError

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from benchmarks.league.stage import Stage

_CONVERTED_WITHIN: Final = 60.0
_MICROSECONDS: Final = 1e6
_MAGIC: Final = b"MJR"
# Sends one request to Janus's VideoRoom in a session of its own, with the page's own client for Janus.
_ASK: Final = """async ({ url, token, body }) => {
  const { Session } = await import('/src/room/transport/janus-session.js');
  const session = new Session(url, token);
  try {
    await session.open();
    const handle = await session.attach();
    return (await handle.ask(body)).data;
  } finally {
    session.close();
  }
}"""


class JanusRecorder(Recorder):
    """Janus's own recorder, which stores the packets that each participant sends."""

    key = "janus"
    title = "Janus VideoRoom (server)"
    method = (
        "Janus stores the packets that each participant sends, in one .mjr file per participant and medium. "
        "Afterwards, `janus-pp-rec` turns each file into WebM or Opus, and ffmpeg combines a participant's two files "
        "without encoding them again, shifted by the difference between the times of their first packets."
    )
    needs = Needs(
        programs=(("janus", "janus"), ("janus-pp-rec", "janus-tools"), ("ffmpeg", "ffmpeg")),
        janus=True,
    )

    def prepare(self, stage: Stage) -> None:
        """Create the room as the participants' pages would, but with a recording of everything that is published.

        Recording can also be switched on during the call, but then Janus 1.1.2 stores no video until a participant
        sends a keyframe for another reason.
        """
        folder = stage.folder / "mjr"
        folder.mkdir()
        stage.notes["commands"] = [
            json.dumps(_room("ROOM", "FOLDER")),
            "janus-pp-rec FILE-video.mjr NAME-video.webm; janus-pp-rec FILE-audio.mjr NAME-audio.opus",
            "ffmpeg -itsoffset T1 -i NAME-video.webm -itsoffset T2 -i NAME-audio.opus -map 0 -map 1 -c copy NAME.webm",
        ]
        page = stage.browsers.new_context().new_page()
        page.goto(f"{stage.server.url}/?view=off")
        _ask(stage, page, _room(_room_id(stage), str(folder)))
        page.context.close()

    def begin(self, stage: Stage) -> None:
        """Wait until Janus has stored everybody's first packets."""
        folder = stage.folder / "mjr"
        stage.room.wait_for(lambda: _has_data(folder), what="Janus to write its first packets", timeout=20)

    def end(self, stage: Stage) -> None:
        """Switch the recording off, which completes the files."""
        _ask(stage, stage.alice.page, {"request": "enable_recording", "room": _room_id(stage), "record": False})

    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:  # noqa: ARG002
        """Convert each participant's files, and combine them."""
        converted = folder / "converted"
        converted.mkdir(exist_ok=True)
        publishers: dict[str, dict[str, tuple[Path, float]]] = {}
        for path in sorted((folder / "mjr").glob("*.mjr")):
            started = first_packet_at(path)
            kind = next((kind for kind in ("video", "audio") if f"-{kind}" in path.stem), None)
            if started is None or kind is None:
                continue
            # The name is videoroom-ROOM-user-USER-TIME-MEDIUM-NUMBER.mjr.
            user = path.stem.partition("-user-")[2].rsplit("-", 3)[0]
            target = converted / f"{path.stem}.{'webm' if kind == 'video' else 'opus'}"
            if _run("janus-pp-rec", "--disable-colors", str(path), str(target), log=target.with_suffix(".log")):
                publishers.setdefault(user, {})[kind] = (target, started)
        combined = [self._combine(converted / f"{user}.webm", found) for user, found in publishers.items()]
        return [one for one in combined if one is not None]

    def versions(self) -> dict[str, str]:
        """Return Janus's version."""
        return {"janus": version_of(("janus", "--version")), "ffmpeg": version_of(("ffmpeg", "-version"))}

    @staticmethod
    def _combine(path: Path, found: dict[str, tuple[Path, float]]) -> RecordedFile | None:
        """Put a participant's video and audio into one file."""
        starts = {kind: started for kind, (_, started) in found.items()}
        zero_at = min(starts.values())
        inputs: list[str] = []
        for kind, (source, _) in found.items():
            inputs += ["-itsoffset", f"{starts[kind] - zero_at:.6f}", "-i", str(source)]
        maps = [part for number in range(len(found)) for part in ("-map", str(number))]
        done = _run(
            "ffmpeg", "-y", "-v", "warning", *inputs, *maps, "-c", "copy", str(path), log=path.with_suffix(".log")
        )
        return RecordedFile(path=path, zero_at=zero_at, participant=path.stem) if done else None


def _room_id(stage: Stage) -> str:
    """Return the room's id, which is a string because of the configuration of our Janus server."""
    if stage.sfu is None:
        message = "The call does not go through Janus."
        raise SetupError(message)
    return str(stage.sfu.access(ROOM, "")["room"])


def _room(room: str, folder: str) -> dict[str, Any]:
    """Return the request that creates the room; except for the recording, it is the request of our own pages."""
    options = {"publishers": 256, "notify_joining": True, "videocodec": "vp8", "bitrate": 0}
    return {"request": "create", "room": room, **options, "record": True, "rec_dir": folder}


def _ask(stage: Stage, page: Page, body: dict[str, Any]) -> dict[str, Any]:
    """Send a request to Janus's VideoRoom, and return the answer; ``page`` must be one of our own pages."""
    access = stage.sfu.access(ROOM, "") if stage.sfu else {}
    return dict(page.evaluate(_ASK, {"url": access["url"], "token": access["token"], "body": body}))


def first_packet_at(path: Path) -> float | None:
    """Return the Unix time at which Janus received the first packet in an .mjr file, or None if the file has none.

    The file begins with ``MJR`` and five digits or letters, and the length of a JSON object as 16 bits, big-endian. In
    the object, ``u`` is the time of the first packet in microseconds (https://janus.conf.meetecho.com/docs/recordings).
    """
    with path.open("rb") as file:
        start = file.read(10)
        if len(start) < 10 or not start.startswith(_MAGIC):  # noqa: PLR2004 - the length of the start
            return None
        header = file.read(int.from_bytes(start[8:], "big"))
    try:
        return float(json.loads(header)["u"]) / _MICROSECONDS
    except (ValueError, KeyError, TypeError):
        return None


def _has_data(folder: Path) -> bool:
    files = list(folder.glob("*.mjr"))
    return bool(files) and all(path.stat().st_size > 1000 for path in files)  # noqa: PLR2004 - more than the header


def _run(*command: str, log: Path) -> bool:
    """Run a command with its output in a log file, and return whether it succeeded."""
    with log.open("wb") as output:
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, timeout=_CONVERTED_WITHIN
            )
        except subprocess.TimeoutExpired:
            return False
    return ended.returncode == 0
