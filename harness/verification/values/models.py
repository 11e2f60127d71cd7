"""The measured values that a report shows, in the shape of its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from harness.recording.timeline import Interval, Words
from harness.verification.values.intervals import grown, subtract

if TYPE_CHECKING:
    from collections.abc import Sequence

# Sound is measured in steps of some hundredths of a second.
_EDGE: Final = 0.05
# pytest shows some 240 characters of a value that a failed assertion names.
_SHOWN: Final = 3


class Value(BaseModel):
    """A frozen value; times are in seconds of the file, unless a name says milliseconds.

    Numbers are finite: JSON has no word for others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Gaps(Value):
    """Milliseconds between one picture and the next: median, 95th percentile, longest."""

    p50: float
    p95: float
    max: float


class Video(Value):
    """The picture of a file.

    ``frame_rate`` is in pictures a second. ``missed`` counts the pictures that the grid of that rate lacks, and
    ``repeated`` those that look the same as the one before, all over. ``keyframe_gap`` is the longest way from one
    keyframe to the next or to the end, in seconds.
    """

    codec: Words
    width: int
    height: int
    frames: int
    frame_rate: float
    gap_ms: Gaps | None
    missed: int
    repeated: int
    keyframe_gap: float


class Audio(Value):
    """The sound of a file.

    ``sample_rate`` is in hertz, ``gaps`` the number of holes. ``loudness`` is integrated over the file, in LUFS (EBU
    R 128), and None of silence; ``peak_dbfs`` is the loudest sample, ``clipped`` how many lie at full scale.
    """

    codec: Words
    sample_rate: int
    channels: int
    duration: float
    gaps: int
    loudness: float | None = None
    peak_dbfs: float | None = None
    clipped: int = 0


class Media(Value):
    """The file itself: ``size`` in bytes, ``bitrate`` in bits a second.

    ``container`` is what the bytes say (``webm``, ``matroska``, ``mp4``), whatever the name. ``seekable`` is true
    when Duration and Cues are there and a seek to the middle lands.
    """

    container: Words
    duration: float
    seekable: bool
    size: int
    bitrate: int
    video: Video | None
    audio: Audio | None


class Spread(Value):
    """A measure in milliseconds: its median, and the 95th percentile of its size without the sign."""

    median: float
    p95: float


class Seen(Value):
    """How a participant looks in the file.

    ``frame_rate`` is in different pictures a second. ``repeated_percent`` and ``skipped_percent`` count what exact
    conversion from the sender's rate to the file's would not have repeated or skipped, of the pictures seen.
    """

    frames_seen: int
    frame_rate: float
    repeated_percent: float
    skipped_percent: float
    frozen: tuple[Interval, ...]


class Heard(Value):
    """When a participant's sound is in the file, and when it is not."""

    heard: tuple[Interval, ...]
    silent: tuple[Interval, ...]


class Participant(Value):
    """What the file says about one synthetic participant.

    ``present`` is when the participant is seen or heard. ``av_offset_ms`` is sound minus picture: positive where the
    sound is late. ``drift_ppm`` is how fast that offset grows, in microseconds a second. ``delay_ms`` is how long a
    picture took from its capture into the file. None is what could not be measured.
    """

    name: Words
    present: tuple[Interval, ...]
    video: Seen | None
    audio: Heard | None
    av_offset_ms: Spread | None
    drift_ppm: float | None
    delay_ms: Spread | None

    def heard(self, start: float, end: float) -> bool:
        """Return whether the sound is there all the time from ``start`` to ``end``, in seconds, to 0.05."""
        return self.audio is not None and not subtract([(start, end)], grown(self.audio.heard, _EDGE))

    def __repr__(self) -> str:
        """Return what a failed assertion should show of it, in one line."""
        said = [f"present {_during(self.present)}"]
        if self.audio:
            said.append(f"heard {_during(self.audio.heard)}")
        if self.video:
            said.append(f"{self.video.repeated_percent:g} % repeated, {self.video.skipped_percent:g} % skipped")
            said += [f"frozen {_during(self.video.frozen)}"] if self.video.frozen else []
        if self.av_offset_ms:
            said.append(f"sound {self.av_offset_ms.median:+.0f} ms (p95 {self.av_offset_ms.p95:.0f})")
        return f"<{self.name}: {', '.join(said)}>"


def _during(intervals: Sequence[Interval]) -> str:
    """Return intervals in words, the first few."""
    shown = " and ".join(f"{start:.2f}-{end:.2f}" for start, end in intervals[:_SHOWN])
    more = f" and {len(intervals) - _SHOWN} more" if len(intervals) > _SHOWN else ""
    return f"{shown} s{more}" if shown else "never"
