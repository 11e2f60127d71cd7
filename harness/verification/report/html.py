"""Write the report as one offline HTML page: result, recording, findings, timeline and plots."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import jinja2

from harness.recording.files.text import printable
from harness.recording.timeline import Timeline
from harness.verification.report.filmstrip import filmstrip
from harness.verification.report.layouts import layouts
from harness.verification.report.participant_table import COLUMNS, cells, extra_rows
from harness.verification.report.plots import WIDTH, plot_x, plots, ticks
from harness.verification.report.target import PAGE, write_report
from harness.verification.report.terminal import (
    MOST_FILES,
    description_of,
    file_text,
    has_more_tracks,
    is_reshaped,
    more_files,
    track_text,
)
from harness.verification.values.findings import SIGNS
from harness.verification.values.intervals import longer, merged, subtract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Event, Interval
    from harness.verification.report.report import Report
    from harness.verification.values.curves import Curves
    from harness.verification.values.findings import Finding
    from harness.verification.values.models import ParticipantReport

# Maximum number of entries in a list. Nobody would read a longer list, and a hostile manifest may have a million
# events.
MOST: Final = 500
# Minimum duration of the intervals that are drawn, in seconds. Shorter intervals are only artifacts at the edges of
# other intervals.
_SHORTEST: Final = 0.1


@dataclass(frozen=True)
class Bar:
    """A bar that shows an interval in a participant's timeline.

    ``x`` is the start of the bar. ``x`` and ``width`` are in plot units.
    """

    x: float
    width: float
    kind: str
    text: str


@dataclass(frozen=True)
class Player:
    """A file that the page can play: its URL, its name, and its interval on the report's timeline in seconds."""

    url: str
    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Lane:
    """One participant's timeline, with the findings about the participant."""

    name: str
    colour: int
    bars: tuple[Bar, ...]
    wrong: tuple[Finding, ...]


def write_html(report: Report, target: Path) -> None:
    """Write the report to ``target`` as an HTML page. The page plays the recording from a relative URL."""
    write_report(target, PAGE, as_html(report, target))


def as_html(report: Report, target: Path, *, nonce: str | None = None) -> str:
    """Return the report as an HTML page for the path ``target``.

    ``nonce`` is the script's nonce for a Content-Security-Policy.
    """
    return template("harness.verification.report", "report.html.j2").render(_content(report, target) | {"nonce": nonce})


def template(package: str, name: str) -> jinja2.Template:
    """Return a Jinja template from a package. All values are escaped, and rendering fails if a value is missing."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)


def _content(report: Report, target: Path) -> dict[str, Any]:
    curves = report.curves
    duration = curves.duration if curves else 0.0
    names = {one.name: number for number, one in enumerate(report.participants)}
    events = _events(curves)
    found = report.failures + report.unverified + report.warnings
    placed = [finding for finding in found if finding.at]
    return {
        "report": report,
        "signs": SIGNS,
        "columns": COLUMNS,
        "cells": cells,
        "extra_rows": extra_rows,
        "description": description_of(report.media) if report.media else "",
        "name": printable(report.title),
        "players": _players(report, target, duration),
        "file_rows": _file_rows(report, duration),
        "more_files": more_files(report),
        "width": WIDTH,
        "duration": duration,
        "clock": clock,
        "ticks": [(plot_x(at, duration), clock(at)) for at in ticks(duration)],
        "thumbnails": filmstrip(report.path, duration) if _has_thumbnails(report) else [],
        "lanes": _lanes(report, names, placed),
        "layouts": layouts(report.participants, duration),
        "wrong": [finding for finding in placed if finding.participant is None][:MOST],
        "found": found[:MOST],
        "more_found": max(0, len(found) - MOST),
        "events": events[:MOST],
        "more_events": max(0, len(events) - MOST),
        "plots": list(plots(curves, names)) if curves else [],
        "manifest": curves.manifest if curves else None,
        "facts": _facts(report, curves.manifest if curves else None),
        "passed": [finding for finding in report.findings if finding.result == "passed"][:MOST],
    }


def _has_thumbnails(report: Report) -> bool:
    """Return whether the page shows thumbnails, which requires video and a report that is not redacted."""
    return not (report.redacted or report.files) and report.media is not None and report.media.video is not None


def _players(report: Report, target: Path, duration: float) -> list[Player]:
    """Return the files that the page can play. Segments can only be played with their playlist."""
    folder = target.absolute().parent

    def player(path: Path, start: float, end: float) -> Player:
        return Player(quote(os.fsencode(os.path.relpath(path, folder))), path.name, start, end)

    if report.redacted:
        return []
    if not report.files:
        return [player(report.path, 0.0, duration)]
    return [
        player(one.path, one.start, one.end)
        for one in report.files
        if one.start is not None and one.end is not None and not (one.segments or one.lost_segments)
    ][:MOST]


def _file_rows(report: Report, duration: float) -> list[tuple[str, Bar | None]]:
    """Return the name of each of several files, and a bar for its interval, or None if it could not be read."""
    return [
        (one.name, _bar((one.start, one.end), duration, "file", "recorded"))
        if one.start is not None and one.end is not None
        else (one.name, None)
        for one in report.files[:MOST_FILES]
    ]


def clock(seconds: float) -> str:
    """Return a time in a file in the format that video players use: 0:07.2, 12:30.0, 1:02:03.0."""
    minutes, rest = divmod(round(max(0.0, seconds), 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


# ---- the lanes ------------------------------------------------------------------------------------------------------


def _lanes(report: Report, names: Mapping[str, int], placed: Iterable[Finding]) -> list[Lane]:
    """Return a timeline for each participant, with the findings about that participant only."""
    events: defaultdict[str | None, list[Event]] = defaultdict(list)
    if report.curves and report.curves.manifest:
        for event in report.curves.manifest.timeline.events:
            events[event.participant].append(event)
    wrong: defaultdict[str | None, list[Finding]] = defaultdict(list)
    for finding in placed:
        wrong[finding.participant].append(finding)
    return [
        Lane(
            one.name,
            names[one.name],
            tuple(_bars(one, report.curves, Timeline.model_construct(events=tuple(events[one.name])))),
            tuple(wrong[one.name][:MOST]),
        )
        for one in report.participants
    ]


def _bars(one: ParticipantReport, curves: Curves | None, timeline: Timeline) -> Iterable[Bar]:
    """Yield bars for a participant's intervals in the manifest and the report: visible on top, audible below."""
    duration = curves.duration if curves else 0.0
    layers: list[tuple[str, str, Sequence[Interval]]] = []
    if curves and curves.manifest:
        present = timeline.present(one.name, duration)
        muted = longer(subtract(present, timeline.audible(one.name, duration)), _SHORTEST)
        layers += [("present", "in the room", present), ("muted", "muted (according to the manifest)", muted)]
    if one.video:
        layers += [("visible", "visible", one.video.visible), ("frozen", "frozen", one.video.frozen)]
    if one.audio:
        layers.append(("audible", "audible", one.audio.audible))
    for kind, text, intervals in layers:
        # If there are more intervals, merge neighbors, because they would be too close together to be distinguished.
        drawn = intervals if len(intervals) <= MOST else merged(intervals, bridge=duration / MOST)
        for at in drawn:
            yield _bar(at, duration, kind, text)


def _bar(at: Interval, duration: float, kind: str, text: str) -> Bar:
    start, end = plot_x(at[0], duration), plot_x(at[1], duration)
    return Bar(start, max(1.5, end - start), kind, f"{text} from {clock(at[0])} to {clock(at[1])}")


def _events(curves: Curves | None) -> Sequence[tuple[float, float, str, str]]:
    """Return (position in the plot, time, type, text) for each event that is not part of a participant's timeline."""
    if curves is None or curves.manifest is None:
        return []
    events = ((event, _event_text(event)) for event in curves.manifest.timeline.events)
    return [
        (plot_x(event.at, curves.duration), event.at, event.event, text)
        for event, text in events
        if text and 0 <= event.at <= curves.duration
    ]


def _event_text(event: Event) -> str | None:
    """Return the text of an event, or None if the event is part of a participant's timeline."""
    name = event.participant
    texts = {
        "join": f"{name} joined.",
        "leave": f"{name} left.",
        "identified": f"{event.was} was identified as {name}.",
        "call": None if event.on else f"The page left the call: {event.message}.",
        "network": f"The connection to {name} was {'restored' if event.on else 'lost'}.",
        "pause": f"The recording was paused for {event.seconds or 0.0:.1f} s.",
        "alarm": event.message,
    }
    return texts.get(event.event)


# ---- the facts ------------------------------------------------------------------------------------------------------


def _facts(report: Report, manifest: AnyManifest | None) -> list[tuple[str, str]]:
    """Return the rows of the table that lists the file's properties."""
    facts: list[tuple[str, str]] = []
    if media := report.media:
        facts += [
            ("Container", f"{media.container}, {'seekable' if media.seekable else 'not seekable'}"),
            ("Duration", f"{media.duration:.3f} s"),
            ("Size", f"{media.size / 1e6:.2f} MB, {media.bitrate / 1e3:.0f} kbps"),
        ]
        if video := media.video:
            facts.append(("Video", f"{video.codec}, {video.width} x {video.height}, {video.frame_rate:.2f} fps"))
            if is_reshaped(video):
                turned = f", rotated by {video.rotation}° counterclockwise" if video.rotation else ""
                facts.append(("Shown as", f"{video.display_width} x {video.display_height}{turned}"))
            facts.append(("Frames", f"{video.frames}, {video.missed} missed, {video.repeated} repeated"))
        if audio := media.audio:
            loudness = "not measurable" if audio.loudness is None else f"{audio.loudness:.1f} LUFS"
            peak = "no peak" if audio.peak_dbfs is None else f"peak {audio.peak_dbfs} dBFS"
            facts.append(("Audio", f"{audio.codec}, {audio.sample_rate / 1000:g} kHz, channels: {audio.channels}"))
            facts.append(("Loudness", f"{loudness}, {peak}, {audio.clipped} samples clipped"))
        facts += [("Part", file_text(one)) for one in report.files[:MOST_FILES]]
        if has_more_tracks(media):
            facts += [(f"Track {track.index}", track_text(track)) for track in media.tracks]
    if manifest:
        facts += _manifest_facts(manifest, redacted=report.redacted)
    # The text of the finding that states which part of an observed call the file covers.
    covered = (one.message for one in report.findings if (one.check, one.result) == ("alignment", "passed"))
    facts += [("Covers", text) for text in covered]
    return facts


def _manifest_facts(manifest: AnyManifest, *, redacted: bool) -> list[tuple[str, str]]:
    """Return the properties of a recording, or of the observation with which another recorder's file was compared.

    A redacted report omits the hash and the start time, because they would identify the recording.
    """
    versions = list(manifest.versions.items())[:MOST]
    if manifest.recording is None:
        when = "" if redacted else f"{manifest.observation.started_at} "
        observed = f"{when}by {manifest.observation.participant}, for {manifest.observation.duration:.1f} s"
        return [("Observed", observed), *versions]
    recording = manifest.recording
    when = "" if redacted else f"{recording.started_at} "
    facts = [("Recorded", f"{when}by {recording.participant} (recorder: {recording.recorder})")]
    facts += [] if redacted else [("SHA-256", recording.sha256)]
    facts += versions
    facts += [("Recovered", recording.recovered)] if recording.recovered else []
    return facts
