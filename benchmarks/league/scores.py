"""Measure the files that a recorder left, and compare them with what was true in the call."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from benchmarks.league.quality import marker_of, psnr
from harness import HarnessError, verify
from harness.verification.values.intervals import subtract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.league.recorders import RecordedFile
    from benchmarks.league.script import Truth
    from harness import Report
    from harness.recording.timeline import Interval
    from harness.verification.values.models import ParticipantReport

# Seconds around each change in the call that are not compared. For most recorders, the time at which the file begins is
# known to about half a second.
_EDGE: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """The measurements of one recording, which can consist of several files.

    ``visible`` and ``audible`` are the participants that were found in the video and in the audio. ``missing_seconds``
    is how long participants were not visible or not audible although they should have been, and ``wrong_seconds`` is
    how long participants were audible although they were muted or had not joined; both are summed over all
    participants. All percentages, and the A/V offset and drift, are those of the worst participant, or None if they
    could not be measured. ``longest_gap_ms`` is the longest time between two frames, ``audio_gaps`` the number of gaps
    in the audio, and ``psnr`` the quality of the worst file in dB.
    """

    visible: tuple[str, ...] = ()
    audible: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    missing_seconds: float | None = None
    wrong_seconds: float | None = None
    files: int = 0
    duration: float = 0.0
    containers: tuple[str, ...] = ()
    kilobits: float | None = None
    frame_rate: float | None = None
    repeated_percent: float | None = None
    skipped_percent: float | None = None
    freezes: int | None = None
    frozen_seconds: float | None = None
    av_offset_ms: float | None = None
    drift_ppm: float | None = None
    longest_gap_ms: float | None = None
    audio_gaps: int | None = None
    psnr: float | None = None
    seekable: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the score as data that can be converted to JSON."""
        return asdict(self)


def score(files: Sequence[RecordedFile], truth: Truth) -> Score:
    """Verify the files of one recording, and return the measurements.

    The HTML report of each file is written next to the file.
    """
    reports = [(file, report) for file in files if (report := _verified(file)) is not None]
    return score_reports(
        [(file, report) for file, report in reports if report.media],
        truth,
        quality=[found for file, report in reports if (found := psnr(file.path, report, truth.markers)) is not None],
    )


def _verified(file: RecordedFile) -> Report | None:
    try:
        report = verify(file.path)
        report.write_html(file.path.with_suffix(".html"))
    except HarnessError:
        return None
    return report


def score_reports(
    reports: Sequence[tuple[RecordedFile, Report]], truth: Truth, *, quality: Sequence[float] = ()
) -> Score:
    """Combine the reports on the files of one recording; ``quality`` has the PSNR of each file."""
    found: dict[str, list[tuple[float, ParticipantReport]]] = {name: [] for name in truth.markers}
    unexpected = []
    for file, report in reports:
        for participant in report.participants:
            name = next((name for name in truth.markers if _is(participant, name, truth)), None)
            if name is None:
                unexpected.append(participant.name)
            else:
                # Times in the file plus this number are times in the script.
                found[name].append((file.zero_at - truth.began_at, participant))
    videos = [one.video for members in found.values() for _, one in members if one.video and one.video.visible]
    members = [one for members in found.values() for _, one in members]
    media = [report.media for _, report in reports if report.media]
    tracks = [one.video for one in media if one.video]
    audios = [one.audio for one in media if one.audio]
    missing, wrong = _compared(found, truth)
    return Score(
        visible=tuple(name for name in found if _intervals(found[name], "visible")),
        audible=tuple(name for name in found if _intervals(found[name], "audible")),
        unexpected=tuple(dict.fromkeys(unexpected)),
        missing_seconds=missing if reports else None,
        wrong_seconds=wrong if reports else None,
        files=len(reports),
        duration=max((one.duration for one in media), default=0.0),
        containers=tuple(dict.fromkeys(_container(report) for _, report in reports)),
        kilobits=round(sum(one.bitrate for one in media) / 1000) if media else None,
        frame_rate=_worst((one.frame_rate for one in tracks), min),
        repeated_percent=_worst((one.repeated_percent for one in videos), max),
        skipped_percent=_worst((one.skipped_percent for one in videos), max),
        freezes=sum(one.freezes.count for one in videos) if videos else None,
        frozen_seconds=round(sum(one.freezes.duration for one in videos), 2) if videos else None,
        av_offset_ms=_worst((one.av_offset_ms.median for one in members if one.av_offset_ms), _largest),
        drift_ppm=_worst((one.drift_ppm for one in members if one.drift_ppm is not None), _largest),
        longest_gap_ms=_worst((one.gap_ms.max for one in tracks if one.gap_ms), max),
        audio_gaps=sum(one.gaps for one in audios) if audios else None,
        psnr=min(quality, default=None),
        seekable=all(one.seekable for one in media) if media else None,
    )


def playable_seconds(files: Sequence[RecordedFile], began_at: float) -> float:
    """Return how many seconds after ``began_at``, a Unix time, can still be played.

    If the recording consists of several files, this is the time until the first of them ends.
    """
    ends = []
    for file in files:
        report = _verified(file)
        ends.append(file.zero_at + report.media.duration - began_at if report and report.media else 0.0)
    return max(0.0, min(ends, default=0.0))


def _is(participant: ParticipantReport, name: str, truth: Truth) -> bool:
    return marker_of(participant.name, truth.markers) == truth.markers[name]


def _container(report: Report) -> str:
    media = report.media
    codecs = [track.codec for track in (media.video, media.audio) if track] if media else []
    return f"{media.container if media else ''} ({', '.join(codecs)})"


def _intervals(
    members: Sequence[tuple[float, ParticipantReport]], kind: Literal["visible", "audible"]
) -> list[Interval]:
    """Return when a participant is visible or audible, in seconds after the script began."""
    found: list[Interval] = []
    for shift, one in members:
        intervals = (one.video.visible if one.video else ()) if kind == "visible" else _audible(one)
        found += [(start + shift, end + shift) for start, end in intervals]
    return sorted(found)


def _audible(one: ParticipantReport) -> tuple[Interval, ...]:
    return one.audio.audible if one.audio else ()


def _compared(found: dict[str, list[tuple[float, ParticipantReport]]], truth: Truth) -> tuple[float, float]:
    """Return how many seconds are missing, and how many are wrong, summed over all participants."""
    missing = 0.0
    for kind, expected in (("visible", truth.visible), ("audible", truth.audible)):
        for name, intervals in expected.items():
            real = _intervals(found[name], "visible" if kind == "visible" else "audible")
            missing += _length(subtract(_inner(intervals), real))
    wrong = 0.0
    for name, intervals in truth.silent.items():
        inner = _inner(intervals)
        wrong += _length(inner) - _length(subtract(inner, _intervals(found[name], "audible")))
    return round(missing, 2), round(wrong, 2)


def _inner(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the intervals without their edges."""
    return [(start + _EDGE, end - _EDGE) for start, end in intervals if end - start > 2 * _EDGE]


def _length(intervals: Iterable[Interval]) -> float:
    return sum(end - start for start, end in intervals)


def _worst(values: Iterable[float], choose: Callable[[list[float]], float]) -> float | None:
    known = list(values)
    return round(choose(known), 3) if known else None


def _largest(values: list[float]) -> float:
    """Return the value that is farthest from 0, with its sign."""
    return max(values, key=abs)
