"""Fill a failed test's folder with recordings and their reports, screenshots, console logs, and one timeline."""

from __future__ import annotations

import contextlib
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

from harness.errors import HarnessError
from harness.recording.files.names import numbered, safe_stem, statistics_of
from harness.recording.files.placement import link_or_copy
from harness.recording.files.text import json_text, shown
from harness.recording.manifest import Manifest, ObservationManifest
from harness.verification.measures.connections import read_statistics
from harness.verification.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.recording.manifest import AnyManifest
    from harness.recording.recording import Recording
    from harness.session.participant import Participant
    from harness.session.room import Room

_log = logging.getLogger(__name__)

FOLDER: Final = "failures"
_STATISTICS: Final = "rtc-statistics"
# Pages need a moment to show the other participants' video.
_VIDEO_SHOWN: Final = "() => [...document.querySelectorAll('video')].every((video) => video.readyState >= 2)"
_VIDEO_SHOWN_WITHIN: Final = 2000


class Bundle:
    """The folder of one failed test, ``failures/TEST`` in the recordings folder.

    If a folder with that name exists, a number is added to the name. ``timeline.jsonl`` lists all events in order, one
    per line, each with ``time`` (UTC), ``source``, and an ``event`` or a ``message``. All times are measured with the
    monotonic clock, so the order is right even if the machine's clock was changed during the test.
    """

    def __init__(self, recordings: Path, test: str) -> None:
        stem = safe_stem(test.replace("::", " ").replace("/", " "))
        self.folder = next(path for name in numbered(stem) if _make_folder(path := recordings / FOLDER / name))
        self._timeline: list[dict[str, Any]] = []
        # Unix time minus the monotonic clock, in seconds.
        self._offset = time.time() - time.monotonic()

    def capture_pages(self, room: Room) -> None:
        """Store a screenshot and the console log of every page while the pages are still open."""
        alive = [participant for participant in room.participants if participant.alive]
        for step in (_show_page, self._take_screenshot):
            for participant in alive:
                with contextlib.suppress(PlaywrightError):
                    step(participant)
        for participant in room.participants:
            lines = [
                (_utc(line.monotonic + self._offset), shown(f"{line.kind}: {line.text}"))
                for line in participant.console
            ]
            console = self._new_path(participant, "console.txt")
            console.write_text("".join(f"{at} {text}\n" for at, text in lines), encoding="utf-8")
            source = f"console of {participant.name}"
            self._timeline += [{"time": at, "source": source, "message": text} for at, text in lines]

    def _new_path(self, participant: Participant, suffix: str) -> Path:
        """Return an unused path for a participant's file; two participants can have the same safe file name."""
        names = numbered(safe_stem(participant.name))
        return next(path for name in names if not (path := self.folder / f"{name}.{suffix}").exists())

    def _take_screenshot(self, participant: Participant) -> None:
        # This wait times out if the page shows a participant without video, for example because a camera is off.
        with contextlib.suppress(PlaywrightError):
            participant.page.wait_for_function(_VIDEO_SHOWN, timeout=_VIDEO_SHOWN_WITHIN)
        participant.page.screenshot(path=self._new_path(participant, "png"))

    def add_recording(self, recording: Recording) -> None:
        """Add a recording to the folder, with its manifest, its statistics, and its report in HTML and JSON."""
        copy = self.folder / recording.path.name
        for path in recording.files:
            if path.exists():
                link_or_copy(path, self.folder / path.name)
        try:
            self._describe(recording, copy)
        except (HarnessError, OSError) as error:
            _log.warning("The report on %s is incomplete: %s", recording.path.name, error)

    def _describe(self, recording: Recording, copy: Path) -> None:
        report = verify(copy)
        report.write_html(copy.with_suffix(".html"))
        text = json_text(report.as_json(), indent=2)
        copy.with_name(f"{copy.stem}.report.json").write_text(text + "\n", encoding="utf-8")
        manifest = Manifest.read(recording.manifest)
        clock = _Clock(manifest, self._offset)
        self._timeline += _events(manifest, clock)
        self._timeline += [
            {
                "time": clock.at(finding.at[0] if finding.at else 0.0),
                "source": f"report on {recording.path.name}",
                "message": f"{finding.check}: {finding.message}",
            }
            for finding in report.failures
        ]

    def add_observation(self, path: Path) -> None:
        """Add the manifest of an observation to the folder, and its events to the timeline."""
        link_or_copy(path, self.folder / path.name)
        try:
            manifest = ObservationManifest.read(path)
        except HarnessError as error:
            _log.warning("The events of %s are missing: %s", path.name, error)
            return
        clock = _Clock(manifest, self._offset)
        self._timeline += _call_events(manifest, clock, path.name)

    def add_file(self, path: Path) -> None:
        """Add another file, for example a trace, to the folder; a number is added to the name if it is taken."""
        if not path.is_file():
            return
        for name in numbered(path.stem):
            with contextlib.suppress(FileExistsError):
                link_or_copy(path, self.folder / f"{name}{path.suffix}")
                return

    def write_timeline(self) -> None:
        """Write all events collected so far to ``timeline.jsonl``."""
        lines = sorted(self._timeline, key=lambda one: str(one["time"]))
        text = "".join(f"{json_text(line)}\n" for line in lines)
        (self.folder / "timeline.jsonl").write_text(text, encoding="utf-8")


def _show_page(participant: Participant) -> None:
    """Make a page draw its tiles for a screenshot, because a page whose window is not shown does not draw them."""
    participant.page.evaluate("() => window.harness.show()")


def _make_folder(path: Path) -> bool:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


class _Clock:
    """Converts times in a recording's file to UTC; the pauses are added, since the file does not contain them.

    ``offset`` is Unix time minus the room's clock, which is this machine's monotonic clock, in seconds.
    """

    def __init__(self, manifest: AnyManifest, offset: float) -> None:
        self._start = datetime.fromisoformat(manifest.started_at)
        if manifest.zero_ms is not None:
            self._start = datetime.fromtimestamp(manifest.zero_ms / 1000 + offset, UTC)
        self._cuts = manifest.timeline.cuts()

    def at(self, seconds: float) -> str:
        paused = sum(length for where, length in self._cuts if where < seconds)
        return (self._start + timedelta(seconds=seconds + paused)).isoformat(timespec="milliseconds")


def _events(manifest: Manifest, clock: _Clock) -> Iterator[dict[str, Any]]:
    """Yield a recording's events, and the statistics of its WebRTC connections."""
    recording = manifest.recording
    source = recording.path.name
    yield {"time": clock.at(0), "source": source, "event": "first frame"}
    yield from _call_events(manifest, clock, source)
    for line in read_statistics(statistics_of(recording.path)):
        yield {
            "time": clock.at(line.at),
            "source": source,
            "event": _STATISTICS,
            "participant": line.participant,
            "bytes_received": line.sum("inbound-rtp", "bytesReceived"),
            "packets_lost": line.sum("inbound-rtp", "packetsLost"),
        }
    yield {"time": clock.at(recording.duration), "source": source, "event": "last frame"}


def _call_events(manifest: AnyManifest, clock: _Clock, source: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a manifest's timeline; ``source`` is the name of the file that they come from."""
    for event in manifest.timeline.events:
        happened = event.model_dump(mode="json", exclude_none=True)
        yield {"time": clock.at(happened.pop("at")), "source": source, **happened}


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
