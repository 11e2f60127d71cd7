"""Join what was observed about each participant in several files of a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from harness.recording.timeline import VOICES
from harness.verification.assembly.shifting import joined_audio, joined_tracks
from harness.verification.measures.observations import Observations
from harness.verification.measures.participants import is_voice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.recording.timeline import Interval
    from harness.verification.assembly.placed import PlacedFile
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack

# Files follow each other if they overlap by at most this share of the shorter one.
MOST_OVERLAP: Final = 0.5
# Where one file takes over from another, its audio and its video may begin at slightly different times, in seconds. No
# A/V offset is measured so close to the start of a file.
_SLIVER: Final = 0.25


@dataclass(frozen=True)
class _Piece:
    """What one file contains of a participant: its interval on the timeline in seconds, and the file's number."""

    at: Interval
    number: int

    def shared_with(self, other: _Piece) -> float:
        """Return for how many seconds two pieces overlap; the result is negative if there is a gap between them."""
        return min(self.at[1], other.at[1]) - max(self.at[0], other.at[0])

    def overlaps(self, other: _Piece) -> bool:
        """Return whether two pieces are from the same time, and do not just follow each other."""
        return self.shared_with(other) > MOST_OVERLAP * min(self.at[1] - self.at[0], other.at[1] - other.at[0])


@dataclass(frozen=True)
class DoubleUse:
    """A marker's video or a voice's audio that is in two files at the same time, of which only one was used."""

    marker: int
    kind: Literal["video", "audio"]
    used: int
    unused: int


class Joiner:
    """Joins the observations in files that have been placed on the timeline of a call.

    ``duration`` is the duration of the call in seconds. ``one_clock`` returns whether the times in two files, given
    their numbers, can be compared without relying on the markers.
    """

    def __init__(self, files: Sequence[PlacedFile], duration: float, *, one_clock: Callable[[int, int], bool]) -> None:
        self._files = files
        self._duration = duration
        self._one_clock = one_clock
        self._audio: dict[tuple[int, ...], AudioAnalysis] = {}
        self.doubles: list[DoubleUse] = []

    def observations(self, zero_ms: float | None, pauses: Sequence[tuple[float, float]]) -> Observations:
        """Return the observations in the whole call. ``pauses`` are the pauses of all recordings on its timeline."""
        videos = {marker: self._videos(marker) for marker in self._markers}
        joined = {marker: self._joined_video(marker, pieces) for marker, pieces in videos.items()}
        everything = [
            _Piece((one.start, one.end), number) for number, one in enumerate(self._files) if one.observed.audio
        ]
        whole = Observations(
            marker_tracks=joined,
            audio=self._joined_audio(self._sequence(everything)[0]),
            rate=self._main_rate,
            duration=self._duration,
            longest_frame=max((one.observed.longest_frame for one in self._files), default=0.0),
            zero_ms=zero_ms,
            pauses=pauses,
        )
        by_voice = {}
        for voice in range(VOICES):
            audios = self._audios(voice, preferred=())
            if audios:
                by_voice[voice] = replace(
                    whole, audio=self._joined_audio(audios), pauses=self._cuts(pauses, audios[1:])
                )
        by_marker = {
            marker: self._of_marker(whole, marker, joined[marker], pieces) for marker, pieces in videos.items()
        }
        return replace(whole, by_marker=by_marker, by_voice=by_voice)

    def _of_marker(self, whole: Observations, marker: int, track: MarkerTrack, videos: list[_Piece]) -> Observations:
        """Return the observations about one participant with video."""
        audios = self._audios(marker % VOICES, preferred=[piece.number for piece in videos])
        longest = max(videos, key=lambda piece: piece.at[1] - piece.at[0])
        return replace(
            whole,
            marker_tracks={marker: track},
            audio=self._joined_audio(audios) if audios else whole.audio,
            rate=self._files[longest.number].observed.rate,
            longest_frame=self._files[longest.number].observed.longest_frame,
            pauses=self._cuts(whole.pauses, [*videos[1:], *audios[1:]]),
            one_clock=all(
                self._one_clock(video.number, audio.number)
                for video in videos
                for audio in audios
                if audio.shared_with(video) > _SLIVER
            ),
        )

    @cached_property
    def _markers(self) -> list[int]:
        return sorted({marker for one in self._files for marker in one.observed.marker_tracks})

    @property
    def _main_rate(self) -> float | None:
        rates = [(one.end - one.start, one.observed.rate) for one in self._files if one.observed.rate]
        return max(rates)[1] if rates else None

    def _videos(self, marker: int) -> list[_Piece]:
        """Return the pieces of a participant's video, in order, and note those that are in two files at once."""
        pieces = []
        for number, one in enumerate(self._files):
            if marker in one.observed.marker_tracks:
                times = one.observed.marker_tracks[marker].times
                pieces.append(_Piece((float(times[0]) + one.at, float(times[-1]) + one.at), number))
        used, unused = self._sequence(pieces)
        self._note(marker, "video", used, unused)
        return used

    def _audios(self, voice: int, preferred: Iterable[int]) -> list[_Piece]:
        """Return the pieces of a voice's audio, in order. The files of the participant's video are preferred."""
        pieces = []
        for number, one in enumerate(self._files):
            audible = one.audible(voice)
            if audible:
                pieces.append(_Piece((audible[0][0], audible[-1][1]), number))
        # Noise can resemble a tone for a moment, but only a voice has bursts.
        pieces = [piece for piece in pieces if is_voice(self._files[piece.number].observed.audio, voice)] or pieces
        used, unused = self._sequence(pieces, preferred)
        if preferred or not any(marker % VOICES == voice for marker in self._markers):
            own = next((marker for marker in self._markers if marker % VOICES == voice), voice)
            self._note(own, "audio", used, unused)
        return used

    def _sequence(self, pieces: Iterable[_Piece], preferred: Iterable[int] = ()) -> tuple[list[_Piece], list[_Piece]]:
        """Return the pieces that follow each other, in order, and the pieces that are from the same time as these.

        Of pieces from the same time, one from a preferred file is used, or else the longest one.
        """
        units = {self._files[number].unit for number in preferred}
        ranked = sorted(
            pieces, key=lambda one: (self._files[one.number].unit not in units, one.at[0] - one.at[1], one.number)
        )
        used: list[_Piece] = []
        for piece in ranked:
            if not any(piece.overlaps(other) for other in used):
                used.append(piece)
        used.sort(key=lambda piece: piece.at)
        unused = [piece for piece in ranked if piece not in used]
        return _without_overlaps(used), unused

    def _note(self, marker: int, kind: Literal["video", "audio"], used: list[_Piece], unused: list[_Piece]) -> None:
        for piece in unused:
            examined = max(used, key=piece.shared_with)
            double = DoubleUse(marker, kind, examined.number, piece.number)
            if double not in self.doubles:
                self.doubles.append(double)

    def _joined_video(self, marker: int, pieces: Sequence[_Piece]) -> MarkerTrack:
        files = [self._files[piece.number] for piece in pieces]
        return joined_tracks([(one.at, one.observed.marker_tracks[marker]) for one in files])

    def _joined_audio(self, pieces: Sequence[_Piece]) -> AudioAnalysis | None:
        numbers = tuple(piece.number for piece in pieces)
        if not numbers:
            return None
        if numbers not in self._audio:
            files = [self._files[number] for number in numbers]
            self._audio[numbers] = joined_audio([(one.at, one.observed.audio) for one in files if one.observed.audio])
        return self._audio[numbers]

    @staticmethod
    def _cuts(pauses: Sequence[tuple[float, float]], pieces: Iterable[_Piece]) -> tuple[tuple[float, float], ...]:
        """Return the pauses, and the starts of the pieces, because a new file can interrupt a participant's media."""
        starts = {piece.at[0] for piece in pieces}
        return tuple(sorted([*pauses, *((at, 0.0) for at in starts)]))


def _without_overlaps(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return pieces that follow each other, each shortened to the time after the piece before it."""
    shortened: list[_Piece] = []
    end = float("-inf")
    for piece in pieces:
        shortened.append(_Piece((min(max(piece.at[0], end), piece.at[1]), piece.at[1]), piece.number))
        end = max(end, piece.at[1])
    return shortened
