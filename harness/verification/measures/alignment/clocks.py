"""Determine the room's time at the start of a file from the markers in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import SCREEN_MARKER, VOICES
from harness.verification.markers.audio_signals import SECONDS
from harness.verification.markers.periods import agreeing, centered
from harness.verification.markers.strip import CAPTURE_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.recording.manifest import MarkerClock
    from harness.recording.timeline import Member
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack

_CAPTURE_PERIOD: Final = float(1 << CAPTURE_BITS)
_BURST_PERIOD: Final = 1000.0 * SECONDS
# Fewer new frames or bursts are not enough evidence.
_FEWEST_FRAMES: Final = 10
_FEWEST_BURSTS: Final = 3
# The delay that counts as the smallest is exceeded in this share of all seconds, in percent. The minimum is not used,
# because a single wrong value must not decide.
_FASTEST: Final = 90
# In at most this share of all seconds, the delay may differ from the smallest delay by more than this many ms. If the
# recorder paused, or left out a part of the call, the delay jumps, and no single time fits to the start of the file.
_UNSTEADY: Final = 0.2
_UNSTEADY_MS: Final = 1000.0
# Bursts that agree differ by at most this many ms. A jitter buffer may change the second that a burst seems to encode.
_AGREE_MS: Final = 300.0
_MOST_BURSTS: Final = 2000


class UnknownClockError(Exception):
    """The room's time at the start of a file is unknown; the message states the reason as a complete sentence."""


@dataclass(frozen=True, kw_only=True)
class FileZero:
    """The room's time at the start of a file, minus the smallest delay of any participant's media.

    ``ms`` is known only modulo ``period``; both are in milliseconds. An event at the room's time T is visible or
    audible at T minus ``ms`` in the file, because the smallest delay is included. ``lags`` holds how much later the
    video of each participant appears than the fastest participant's video, in milliseconds, by marker.
    """

    ms: float
    period: float
    lags: Mapping[int, float] = field(default_factory=dict)


def zero_from_video(members: tuple[Member, ...], tracks: Mapping[int, MarkerTrack]) -> FileZero | None:
    """Return the room's time at the start of the file according to the capture times, or None if there are too few.

    The capture time of a frame plus its delay is the room's time at which the file shows the frame. The delays are
    unknown, but the delay of each second's fastest frame is nearly the same throughout the file, and counts as 0.

    Raises UnknownClockError if the delays differ too much.
    """
    captured = {marker: _capture_zeros(tracks[marker]) for marker in _markers(members) if marker in tracks}
    if not captured:
        return None
    times, zeros = (np.concatenate(values) for values in zip(*captured.values(), strict=True))
    if zeros.size < _FEWEST_FRAMES:
        return None
    reference = zeros[0]
    latest = _latest_in_each_second(times, reference + centered(zeros - reference, _CAPTURE_PERIOD))
    zero = float(np.percentile(latest, _FASTEST, method="nearest"))
    unsteady = np.abs(latest - zero) > _UNSTEADY_MS
    if np.count_nonzero(unsteady) > _UNSTEADY * latest.size:
        message = (
            f"In {np.count_nonzero(unsteady)} of {latest.size} seconds, the capture times do not match the rest of the "
            f"file: they differ by up to {np.abs(latest - zero).max() / 1000:.1f} s. The recorder paused, left out "
            "parts of the call, or fell behind."
        )
        raise UnknownClockError(message)
    lags = {marker: float(np.median(centered(zero - own, _CAPTURE_PERIOD))) for marker, (_, own) in captured.items()}
    return FileZero(ms=zero, period=_CAPTURE_PERIOD, lags=lags)


def zero_from_audio(
    members: tuple[Member, ...], clocks: tuple[MarkerClock, ...], audio: AudioAnalysis
) -> FileZero | None:
    """Return the room's time at the start of the file according to the bursts, or None if there are too few.

    A burst encodes the second of its participant's counter, modulo 16.

    Raises UnknownClockError if the bursts contradict each other.
    """
    zeros = np.concatenate([np.zeros(0), *(_burst_zeros(members, clock, audio) for clock in clocks)])[:_MOST_BURSTS]
    if zeros.size < _FEWEST_BURSTS:
        return None
    group = agreeing(zeros, _BURST_PERIOD, _AGREE_MS)
    if group.size < _FEWEST_BURSTS or 2 * group.size <= zeros.size:
        message = f"Only {group.size} of {zeros.size} bursts in the audio agree on when the recording started."
        raise UnknownClockError(message)
    return FileZero(ms=float(np.percentile(group, _FASTEST, method="nearest")), period=_BURST_PERIOD)


def _markers(members: tuple[Member, ...]) -> list[int]:
    """Return the markers of all members and of their shared screens."""
    own = [member.marker for member in members if member.marker is not None]
    return [*own, *(marker + SCREEN_MARKER for marker in own if marker < SCREEN_MARKER)]


def _capture_zeros(track: MarkerTrack) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the time of each new frame in the file, in seconds, and its capture time minus this time, in ms."""
    fresh = track.new_frames
    times = track.times[fresh]
    return times, track.captures_ms[fresh] - times * 1000


def _latest_in_each_second(times: NDArray[np.float64], zeros: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest value in each second of the file, which belongs to the frame with the smallest delay."""
    order = np.argsort(times, kind="stable")
    _, starts = np.unique(np.floor(times[order]), return_index=True)
    return np.asarray(np.maximum.reduceat(zeros[order], starts))


def _burst_zeros(members: tuple[Member, ...], clock: MarkerClock, audio: AudioAnalysis) -> NDArray[np.float64]:
    """Return the room's time at the start of the file for each burst of a participant, in ms modulo 16 s.

    There are none if another participant has the same tone, because the bursts could belong to either.
    """
    voices = [member.marker % VOICES for member in members if member.marker is not None]
    voice = next(
        (one.marker % VOICES for one in members if one.name == clock.participant and one.marker is not None), None
    )
    if voice is None or voices.count(voice) != 1:
        return np.zeros(0)
    times, seconds = audio.bursts[voice].seconds
    return np.asarray((clock.zero_ms + 1000 * (seconds - times)) % _BURST_PERIOD)
