"""What a failed test leaves in one folder: recordings and their reports, screenshots, consoles, and one timeline."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

from harness.errors import HarnessError
from harness.recording.files.names import numbered, safe_stem
from harness.recording.files.text import json_text, shown
from harness.recording.recording import Manifest, statistics_of
from harness.verification.measures.connections import read_statistics
from harness.verification.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.session.participant import Participant
    from harness.session.room import Room

_log = logging.getLogger(__name__)

FOLDER: Final = "failures"
_STATISTICS: Final = "rtc-statistics"
# A page that begins to draw has the others' pictures a moment later.
_SHOWN: Final = "() => [...document.querySelectorAll('video')].every((video) => video.readyState >= 2)"
_SHOWN_WITHIN: Final = 2000


class Bundle:
    """The folder of one failed test, ``failures/TEST`` below the recordings; an older one by that name stays.

    ``timeline.jsonl`` tells everything in the order in which it happened, on the clock of the world (UTC): a line a
    happening, ``time`` and ``source`` and what it was.
    """

    def __init__(self, recordings: Path, test: str) -> None:
        stem = safe_stem(test.replace("::", " ").replace("/", " "))
        self.folder = next(path for name in numbered(stem) if _made(path := recordings / FOLDER / name))
        self._happened: list[dict[str, Any]] = []

    def look(self, room: Room) -> None:
        """Keep what everybody's page shows and has said; pages are open still."""
        alive = [participant for participant in room.participants if participant.alive]
        for step in (_show, self._take_picture):
            for participant in alive:
                with contextlib.suppress(PlaywrightError):
                    step(participant)
        for participant in room.participants:
            lines = [(_written(line.time), shown(f"{line.kind}: {line.text}")) for line in participant.console]
            console = self._named(participant, "console.txt")
            console.write_text("".join(f"{time} {text}\n" for time, text in lines), encoding="utf-8")
            source = f"console of {participant.name}"
            self._happened += [{"time": time, "source": source, "message": text} for time, text in lines]

    def _named(self, participant: Participant, suffix: str) -> Path:
        """Return a new name for a file on a participant: two whose names differ in signs only have one each."""
        names = numbered(safe_stem(participant.name))
        return next(path for name in names if not (path := self.folder / f"{name}.{suffix}").exists())

    def _take_picture(self, participant: Participant) -> None:
        # Who has nothing to show, as their camera is off, is not waited for.
        with contextlib.suppress(PlaywrightError):
            participant.page.wait_for_function(_SHOWN, timeout=_SHOWN_WITHIN)
        participant.page.screenshot(path=self._named(participant, "png"))

    def keep(self, recording: Recording) -> None:
        """Put a recording, its manifest and statistics there, and the verdict on it as a page and as JSON."""
        copy = self.folder / recording.path.name
        for path in recording.files:
            if path.exists():
                _link(path, self.folder / path.name)
        try:
            self._describe(recording, copy)
        except (HarnessError, OSError) as error:
            _log.warning("The report on %s is not complete: %s", recording.path.name, error)

    def _describe(self, recording: Recording, copy: Path) -> None:
        report = verify(copy)
        report.write_html(copy.with_suffix(".html"))
        text = json_text(report.as_json(), indent=2)
        copy.with_name(f"{copy.stem}.report.json").write_text(text + "\n", encoding="utf-8")
        manifest = Manifest.read(recording.manifest)
        clock = _Clock(manifest)
        self._happened += _events(manifest, clock)
        self._happened += [
            {
                "time": clock.at(finding.at[0] if finding.at else 0.0),
                "source": f"verdict on {recording.path.name}",
                "message": f"{finding.check}: {finding.message}",
            }
            for finding in report.failures
        ]

    def add(self, path: Path) -> None:
        """Put another file there: a trace, for example."""
        if path.is_file():
            _link(path, self.folder / path.name)

    def close(self) -> None:
        """Write the timeline."""
        lines = sorted(self._happened, key=lambda one: str(one["time"]))
        text = "".join(f"{json_text(line)}\n" for line in lines)
        (self.folder / "timeline.jsonl").write_text(text, encoding="utf-8")


def _show(participant: Participant) -> None:
    """Let a page that nobody watched so far draw what it would show."""
    participant.page.evaluate("() => window.harness.show()")


def _made(path: Path) -> bool:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def _link(source: Path, target: Path) -> None:
    """Put a file there a second time; copy it where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


class _Clock:
    """Tells the time of the world at a time of the file; pauses are not in the file."""

    def __init__(self, manifest: Manifest) -> None:
        self._start = datetime.fromisoformat(manifest.recording.started_at)
        self._cuts = manifest.timeline.cuts()

    def at(self, seconds: float) -> str:
        out = sum(length for where, length in self._cuts if where < seconds)
        return (self._start + timedelta(seconds=seconds + out)).isoformat(timespec="milliseconds")


def _events(manifest: Manifest, clock: _Clock) -> Iterator[dict[str, Any]]:
    """Yield what happened while it was recorded, and what WebRTC said then."""
    recording = manifest.recording
    source = recording.path.name
    yield {"time": clock.at(0), "source": source, "event": "first picture"}
    for event in manifest.timeline.events:
        happened = event.model_dump(mode="json", exclude_none=True)
        yield {"time": clock.at(happened.pop("at")), "source": source, **happened}
    for line in read_statistics(statistics_of(recording.path)):
        yield {
            "time": clock.at(line.at),
            "source": source,
            "event": _STATISTICS,
            "participant": line.participant,
            "bytes_received": line.sum("inbound-rtp", "bytesReceived"),
            "packets_lost": line.sum("inbound-rtp", "packetsLost"),
        }
    yield {"time": clock.at(recording.duration), "source": source, "event": "last picture"}


def _written(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
