"""The room's time at the start of a file follows from the capture times and from the bursts, even if some are wrong."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from harness.recording.manifest import MarkerClock
from harness.recording.timeline import VOICES, Member
from harness.verification.markers.audio_markers import AudioAnalysis
from harness.verification.markers.audio_signals import SPACINGS
from harness.verification.markers.bursts import Bursts
from harness.verification.markers.content import NO_CONTENT
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.measures.alignment.clocks import UnknownClockError, zero_from_audio, zero_from_video

pytestmark = pytest.mark.parallel

ALICE, BOB = Member(name="alice", marker=3), Member(name="bob", marker=5)
PERIOD: Final = 2**22
FRAME: Final = 1000 / 30


def track(marker: int, delays: np.ndarray, *, zero: float = 100_000.0) -> MarkerTrack:
    """Return a participant's frames, one per tick, with the given delays in ms; the file starts at ``zero`` ms."""
    times = np.arange(delays.size) / 30
    captures = np.round(zero + times * 1000 - delays).astype(np.int64) % PERIOD
    return MarkerTrack(
        marker=marker,
        times=times,
        counters=np.arange(delays.size, dtype=np.int32),
        captures_ms=np.unwrap(captures, period=PERIOD).astype(np.int32),
        in_own_tile=np.ones(delays.size, bool),
        numbers=np.arange(delays.size, dtype=np.uint32),
        content=NO_CONTENT,
    )


def bursts(seconds: list[int], times: list[float], voice: int = 3) -> AudioAnalysis:
    """Return audio in which one voice's bursts encode the given seconds at the given times in the file."""
    none = Bursts(times=np.zeros(0), spacings=np.zeros(0), similarity=np.zeros(0, "f4"), echoes=np.zeros((0, 2), "f4"))
    found = Bursts(
        times=np.array(times),
        spacings=SPACINGS[np.array(seconds) % 16],
        similarity=np.ones(len(times), "f4"),
        echoes=np.zeros((0, 2), "f4"),
    )
    empty = np.zeros((0,), "f4")
    return AudioAnalysis(
        steps=np.zeros((0, 2)),
        tones=np.zeros((0, VOICES), "f4"),
        levels=empty,
        noise=empty,
        bursts=tuple(found if number == voice else none for number in range(VOICES)),
    )


def test_fastest_participant_determines_the_start_of_the_file() -> None:
    """Alice's delay counts as 0, and bob lags behind her by 250 ms."""
    tracks = {3: track(3, np.full(300, 40.0)), 5: track(5, np.full(300, 290.0))}

    zero = zero_from_video((ALICE, BOB), tracks)

    assert zero is not None
    assert 100_000 - 40 == pytest.approx(zero.ms, abs=1)
    assert [0, 250] == pytest.approx([zero.lags[3], zero.lags[5]], abs=1)


def test_capture_times_that_start_again_do_not_matter() -> None:
    """The capture times start again at 0 after 70 minutes, also in the middle of a file."""
    zero = zero_from_video((ALICE,), {3: track(3, np.full(300, 10.0), zero=PERIOD - 4000.0)})

    assert zero is not None
    assert PERIOD - 4010 == pytest.approx(zero.ms % PERIOD, abs=1)


def test_poor_network_does_not_change_the_start_of_the_file() -> None:
    """In a third of the file, everybody's video is half a second later than usual."""
    delays = np.where(np.arange(900) % 900 < 300, 560.0, 60.0)

    zero = zero_from_video((ALICE,), {3: track(3, delays)})

    assert zero is not None
    assert 100_000 - 60 == pytest.approx(zero.ms, abs=1)


def test_frozen_video_does_not_change_the_start_of_the_file() -> None:
    """While the video is frozen, its capture times are old, and only new frames count."""
    steady = track(3, np.full(300, 20.0))
    captures = steady.captures_ms.copy()
    captures[100:250] = captures[100]
    frozen = MarkerTrack(**{**vars(steady), "captures_ms": captures})

    zero = zero_from_video((ALICE,), {3: frozen})

    assert zero is not None
    assert 100_000 - 20 == pytest.approx(zero.ms, abs=1)


@pytest.mark.parametrize("jump", [-3000.0, 3000.0])
def test_recorder_that_left_out_a_part_of_the_call_has_no_single_start(jump: float) -> None:
    """In the second half of the file, all capture times are three seconds too early or too late."""
    delays = np.where(np.arange(600) < 300, 50.0, 50.0 + jump)

    with pytest.raises(UnknownClockError, match=r"^In 10 of 20 seconds, the capture times do not match the rest of"):
        zero_from_video((ALICE,), {3: track(3, delays)})


def test_markers_of_others_do_not_count() -> None:
    """A marker that the manifest does not list may come from another call."""
    assert zero_from_video((ALICE,), {9: track(9, np.full(300, 0.0))}) is None


def test_a_few_frames_are_too_few() -> None:
    """Nine frames are not enough evidence."""
    assert zero_from_video((ALICE,), {3: track(3, np.full(9, 0.0))}) is None
    assert zero_from_video((ALICE,), {3: track(3, np.full(10, 0.0))}) is not None


def test_shared_screen_shows_when_the_file_starts() -> None:
    """If only the screen is in the file, its capture times are used."""
    zero = zero_from_video((ALICE,), {3 + 128: track(3 + 128, np.full(300, 40.0))})

    assert zero is not None
    assert 100_000 - 40 == pytest.approx(zero.ms, abs=1)


def test_bursts_show_the_start_of_the_file_modulo_16_seconds() -> None:
    """A counter that was 0 at 7.5 s on the room's clock plays its 20th burst at 27.5 s, which is at 2 s in the file."""
    clock = MarkerClock(participant="alice", zero_ms=7_500)

    zero = zero_from_audio((ALICE, BOB), (clock,), bursts([20, 21, 22], [2.0, 3.0, 4.0]))

    assert zero is not None
    assert 25_500 % 16_000 == pytest.approx(zero.ms % 16_000, abs=1)
    assert 16_000 == zero.period


def test_burst_that_encodes_a_wrong_second_is_outvoted() -> None:
    """A jitter buffer has changed the time between the chirps of one burst."""
    clock = MarkerClock(participant="alice", zero_ms=0)

    zero = zero_from_audio((ALICE,), (clock,), bursts([4, 5, 7, 7], [1.0, 2.0, 3.0, 4.0]))

    assert zero is not None
    assert 3000 == pytest.approx(zero.ms % 16_000, abs=1)


def test_bursts_that_contradict_each_other_are_no_evidence() -> None:
    """No majority of the bursts agrees on one start."""
    clock = MarkerClock(participant="alice", zero_ms=0)

    with pytest.raises(UnknownClockError, match="Only 3 of 6 bursts in the audio agree"):
        zero_from_audio((ALICE,), (clock,), bursts([1, 2, 3, 9, 10, 11], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))


def test_tone_that_two_participants_share_is_no_evidence() -> None:
    """Markers 3 and 19 have the same tone, so it is unknown which of the two the bursts belong to."""
    clock = MarkerClock(participant="alice", zero_ms=0)
    carol = Member(name="carol", marker=19)

    assert zero_from_audio((ALICE, carol), (clock,), bursts([1, 2, 3], [1.0, 2.0, 3.0])) is None


def test_participants_whose_clock_is_unknown_are_left_out() -> None:
    """Bob's clock is known, but there are only bursts of alice."""
    clock = MarkerClock(participant="bob", zero_ms=0)

    assert zero_from_audio((ALICE, BOB), (clock,), bursts([1, 2, 3], [1.0, 2.0, 3.0])) is None
