"""The report as one offline HTML file: verdict, film, what happened when, and the curves."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import jinja2
import numpy as np

from harness.recording.files.text import printable
from harness.recording.timeline import Timeline
from harness.verification.report.filmstrip import filmstrip
from harness.verification.report.report import described
from harness.verification.report.target import PAGE, write_report
from harness.verification.values.intervals import longer, merged, subtract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Event, Interval
    from harness.verification.measures.curves import Curve, Curves
    from harness.verification.report.report import Report
    from harness.verification.values.findings import Finding
    from harness.verification.values.models import ParticipantReport

# Plots are drawn in these units and stretched to the page's width; heights are in pixels.
WIDTH: Final = 1000
_HEIGHT: Final = 120
_MOST_TICKS: Final = 10
_LAST_TICK: Final = 0.97
_NICE: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_HOUR: Final = 3600
# A page that says more is read by nobody; a hostile manifest tells of a million events.
MOST: Final = 500
# Stretches shorter than this, in seconds, are edges of what lies beside them.
_SHORTEST: Final = 0.1

# What WebRTC said of the connections: curve, title, unit, note, and how far the plot reaches at least.
TRAVEL: Final = (
    ("bitrate", "Received over WebRTC", "kbps", "picture and sound", 500.0),
    ("lost", "Packets lost on the way", "a second", "WebRTC asks for most of them again", 10.0),
    ("round_trip", "Round trip", "ms", "", 10.0),
)


@dataclass(frozen=True)
class Bar:
    """A stretch in a lane: where it begins and how wide it is, in plot units, how it looks, and what it says."""

    x: float
    width: float
    kind: str
    says: str


@dataclass(frozen=True)
class Lane:
    """What one participant did over time, and what was found wrong with it."""

    name: str
    colour: int
    bars: tuple[Bar, ...]
    wrong: tuple[Finding, ...]


@dataclass(frozen=True)
class Line:
    """A curve, as the points of an SVG polyline."""

    name: str
    colour: int
    points: str


@dataclass(frozen=True)
class Plot:
    """A plot over the file's time; ``marks`` are (height, label) of its horizontal lines."""

    title: str
    unit: str
    note: str
    lines: tuple[Line, ...]
    marks: tuple[tuple[float, str], ...]
    height: int = _HEIGHT


def write_html(report: Report, target: Path) -> None:
    """Write the report to ``target``; the recording is played from where it lies, by a relative address."""
    write_report(target, PAGE, as_html(report, target))


def as_html(report: Report, target: Path, *, nonce: str | None = None) -> str:
    """Return the report as it would stand at ``target``; ``nonce`` lets its own script run where others may not."""
    return template("harness.verification.report", "report.html.j2").render(_content(report, target) | {"nonce": nonce})


def template(package: str, name: str) -> jinja2.Template:
    """Return a template of a package, which escapes what it is given and wants everything that it names."""
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
    found = report.failures + report.warnings
    placed = [finding for finding in found if finding.at]
    return {
        "report": report,
        "described": described(report.media) if report.media else "",
        "name": printable(report.path.name),
        "film": quote(os.fsencode(os.path.relpath(report.path, target.absolute().parent))),
        "width": WIDTH,
        "duration": duration,
        "clock": clock,
        "ticks": [(_x(at, duration), clock(at)) for at in _ticks(duration)],
        "thumbnails": filmstrip(report.path, duration) if _can_be_looked_at(report) else [],
        "lanes": _lanes(report, names, placed),
        "wrong": [finding for finding in placed if finding.participant is None][:MOST],
        "found": found[:MOST],
        "more_found": max(0, len(found) - MOST),
        "events": events[:MOST],
        "more_events": max(0, len(events) - MOST),
        "plots": list(_plots(curves, names)) if curves else [],
        "manifest": curves.manifest if curves else None,
        "facts": _facts(report, curves.manifest if curves else None),
        "passed": [finding for finding in report.findings if finding.ok and not finding.warning][:MOST],
    }


def _can_be_looked_at(report: Report) -> bool:
    """Tell whether there are pictures, and they may be shown."""
    return not report.redacted and report.media is not None and report.media.video is not None


def clock(seconds: float) -> str:
    """Return a time in a file as people read it: 0:07.2, 12:30.0, 1:02:03.0."""
    minutes, rest = divmod(round(max(0.0, seconds), 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


# ---- the lanes ------------------------------------------------------------------------------------------------------


def _lanes(report: Report, names: Mapping[str, int], placed: Iterable[Finding]) -> list[Lane]:
    """Return a lane for each participant; what concerns everybody is in none of them."""
    happened: defaultdict[str | None, list[Event]] = defaultdict(list)
    if report.curves and report.curves.manifest:
        for event in report.curves.manifest.timeline.events:
            happened[event.participant].append(event)
    wrong: defaultdict[str | None, list[Finding]] = defaultdict(list)
    for finding in placed:
        wrong[finding.participant].append(finding)
    return [
        Lane(
            one.name,
            names[one.name],
            tuple(_bars(one, report.curves, Timeline.model_construct(events=tuple(happened[one.name])))),
            tuple(wrong[one.name][:MOST]),
        )
        for one in report.participants
    ]


def _bars(one: ParticipantReport, curves: Curves | None, timeline: Timeline) -> Iterable[Bar]:
    """Yield what a participant did, by the timeline and the report: visible above, audible below, findings on top."""
    duration = curves.duration if curves else 0.0
    stretches: list[tuple[str, str, Sequence[Interval]]] = []
    if curves and curves.manifest:
        present = timeline.present(one.name, duration)
        muted = longer(subtract(present, timeline.audible(one.name, duration)), _SHORTEST)
        stretches += [("present", "in the room", present), ("muted", "muted, according to the manifest,", muted)]
    if one.video:
        stretches += [("visible", "visible", one.video.visible), ("frozen", "frozen", one.video.frozen)]
    if one.audio:
        stretches.append(("audible", "audible", one.audio.audible))
    for kind, says, intervals in stretches:
        # So many are closer together than a plot can show.
        drawn = intervals if len(intervals) <= MOST else merged(intervals, bridge=duration / MOST)
        for at in drawn:
            yield _bar(at, duration, kind, says)


def _bar(at: Interval, duration: float, kind: str, says: str) -> Bar:
    start, end = _x(at[0], duration), _x(at[1], duration)
    return Bar(start, max(1.5, end - start), kind, f"{says} from {clock(at[0])} to {clock(at[1])}")


def _events(curves: Curves | None) -> Sequence[tuple[float, float, str, str]]:
    """Return what else happened: where in the plot, when, which kind, and in words."""
    if curves is None or curves.manifest is None:
        return []
    told = ((event, _said(event)) for event in curves.manifest.timeline.events if 0 <= event.at <= curves.duration)
    return [(_x(event.at, curves.duration), event.at, event.event, said) for event, said in told if said]


def _said(event: Event) -> str | None:
    """Return an event in words; None for what the lanes show."""
    who = event.participant
    match event.event:
        case "join" | "leave":
            return f"{who} {event.event}s"
        case "network":
            return f"the connection to {who} {'is back' if event.on else 'is broken'}"
        case "pause":
            return f"paused for {event.seconds or 0.0:.1f} s, cut out"
        case "alarm":
            return event.message
        case _:
            return None


# ---- the plots ------------------------------------------------------------------------------------------------------


def _plots(curves: Curves, names: Mapping[str, int]) -> Iterable[Plot]:
    """Yield the plots that the file gives cause for."""

    def plot(title: str, unit: str, note: str, values: Mapping[str, Curve], reach: tuple[float, float]) -> Plot:
        return Plot(title, unit, note, _lines(values, names, reach, curves.duration), _marks(reach))

    if curves.level.times.size:
        yield plot("Sound level", "dBFS", "the whole mix", {"mix": curves.level}, (-60.0, 0.0))
    if curves.offsets:
        reach = _reach(curves.offsets.values(), least=50.0)
        allowed = f"allowed: {curves.limits.av_offset_ms:g} ms either way"
        yield plot("Sound against picture", "ms", allowed, curves.offsets, (-reach, reach))
    if curves.delays:
        most = _reach(curves.delays.values(), least=100.0)
        yield plot("Delay from capture to file", "ms", "", curves.delays, (0.0, most))
    for key, title, unit, note, least in TRAVEL:
        if found := curves.travelled.get(key):
            yield plot(title, unit, note, found, (0.0, _reach(found.values(), least=least)))
    if curves.gaps.times.size and curves.rate:
        most = max(100.0, float(curves.gaps.values.max()) * 1.1)
        yield plot(
            "From picture to picture",
            "ms",
            f"on the grid: {1000 / curves.rate:.1f} ms",
            {"gap": curves.gaps},
            (0.0, most),
        )


def _lines(
    curves: Mapping[str, Curve], names: Mapping[str, int], reach: tuple[float, float], duration: float
) -> tuple[Line, ...]:
    return tuple(Line(name, names.get(name, -1), _points(curve, reach, duration)) for name, curve in curves.items())


def _marks(reach: tuple[float, float]) -> tuple[tuple[float, str], ...]:
    low, high = reach
    return tuple((_y(value, reach), f"{value:.0f}") for value in (low, (low + high) / 2, high))


def _points(curve: Curve, reach: tuple[float, float], duration: float) -> str:
    return " ".join(
        f"{_x(at, duration):.1f},{_y(value, reach):.1f}"
        for at, value in zip(curve.times.tolist(), curve.values.tolist(), strict=True)
    )


def _reach(curves: Iterable[Curve], *, least: float) -> float:
    """Return how far a plot must reach so that nearly everything is in it."""
    furthest = max(float(np.percentile(np.abs(curve.values), 99)) for curve in curves)
    return max(least, 10 * math.ceil(furthest * 1.2 / 10))


def _x(at: float, duration: float) -> float:
    return round(min(max(at / duration, 0.0), 1.0) * WIDTH, 2) if duration else 0.0


def _y(value: float, reach: tuple[float, float]) -> float:
    low, high = reach
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return (1 - share) * (_HEIGHT - 8) + 4


def _ticks(duration: float) -> list[float]:
    """Return the moments that the time axis names: round ones, ten at most."""
    step = next((step for step in _NICE if duration / step <= _MOST_TICKS), _HOUR * np.ceil(duration / _HOUR / 10))
    # The last one would stand over the edge.
    return [float(at) for at in np.arange(0, duration, step) if at <= _LAST_TICK * duration]


# ---- the facts ------------------------------------------------------------------------------------------------------


def _facts(report: Report, manifest: Manifest | None) -> list[tuple[str, str]]:
    """Return what is known of the file, for a table."""
    facts: list[tuple[str, str]] = []
    if media := report.media:
        facts += [
            ("Container", f"{media.container}, {'seekable' if media.seekable else 'not seekable'}"),
            ("Length", f"{media.duration:.3f} s"),
            ("Size", f"{media.size / 1e6:.2f} MB, {media.bitrate / 1e3:.0f} kbps"),
        ]
        if video := media.video:
            facts.append(("Picture", f"{video.codec}, {video.width} x {video.height}, {video.frame_rate:.2f} a second"))
            facts.append(("Pictures", f"{video.frames}, {video.missed} missed, {video.repeated} like the one before"))
        if audio := media.audio:
            loudness = "silent" if audio.loudness is None else f"{audio.loudness:.1f} LUFS"
            facts.append(("Sound", f"{audio.codec}, {audio.sample_rate / 1000:g} kHz, channels: {audio.channels}"))
            facts.append(("Loudness", f"{loudness}, peak {audio.peak_dbfs} dBFS, {audio.clipped} samples clipped"))
    if manifest:
        told = manifest.recording
        # The file's hash and the moment would tell who has it, or was there, which recording this is.
        when = "" if report.redacted else f"{told.started_at} "
        facts.append(("Recorded", f"{when}by {told.participant}, {told.recorder}"))
        if not report.redacted:
            facts.append(("SHA-256", told.sha256))
        facts += list(manifest.versions.items())[:MOST]
        if told.recovered:
            facts.append(("Recovered", told.recovered))
    return facts
